"""Notices: who is told what of a bid, how coarsely, and that there are never too many."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid, Contender
from exchange.domain.message import NoticeKind, NoticeTerms
from exchange.domain.money import Micros
from exchange.domain.notice import EDGES, Course, Notice, band_of, notices
from exchange.domain.reason import Reason
from exchange.ledger.errors import LedgerUnavailable
from exchange.notify.batching import Batches, Limits
from tests.making import DOLLAR, an_offer

ALL = NoticeTerms("https://a.example/notices", frozenset(NoticeKind))
AT_US = 1_800_000_000_000_000


def asked(name, price=None, reason=None, *, kinds=None, pinged=True, detail=None):
    """An offer as an auction leaves it."""
    terms = ALL if kinds is None else NoticeTerms(ALL.url, frozenset(kinds))
    offer = an_offer(name, notices=terms)
    bid = None if price is None else Bid(offer=offer, price=Micros(price * DOLLAR), bid_id="b1")
    floor = Micros(5 * DOLLAR)
    return Contender(
        offer, floor, ping_id=f"ping-{name}", reason=reason, detail=detail, bid=bid, pinged=pinged
    )


def told(results, sold=None, full=(), let_go=()):
    """What each offer hears."""
    paid = {k: Micros(v * DOLLAR) for k, v in (sold or {}).items()}
    course = Course(sold=paid, full=set(full), let_go=set(let_go))
    return dict(notices(results, course, AT_US, test=False))


def test_everybody_hears_what_became_of_its_own_bid_and_nobody_of_anothers():
    """The winner its price; the others the band, and each what helps it to do better."""
    results = [
        asked("won", 12),
        asked("outbid", 9),
        asked("low", 3, Reason.BELOW_FLOOR),
        asked("late", None, Reason.TIMEOUT),
        asked("bad", None, Reason.INVALID_BID, detail="negative price"),
        asked("full", 20),
        asked("no", None, Reason.NO_BID),
        asked("away", None, Reason.UNREACHABLE, pinged=False),
    ]
    heard = told(results, sold={"won": 12}, full={"full"})
    assert {name: notice.kind.value for name, notice in heard.items()} == {
        "won": "won",
        "outbid": "outbid",
        "low": "below_floor",
        "late": "late",
        "bad": "invalid",
        "full": "capped",
    }
    assert heard["won"].price == 12 * DOLLAR
    assert heard["won"].band is None
    assert heard["outbid"].band == band_of(Micros(12 * DOLLAR))
    assert (heard["low"].floor, heard["low"].bid) == (5 * DOLLAR, 3 * DOLLAR)
    assert heard["bad"].detail == "negative price"
    assert heard["late"].ping_id == "ping-late"


def test_of_a_lead_that_nobody_bought_nobody_was_outbid():
    """A bid that stood and was not tried, or was refused by its own buyer, is no news."""
    results = [asked("stood", 9), asked("low", 3, Reason.BELOW_FLOOR)]
    heard = told(results)
    assert list(heard) == ["low"]
    assert heard["low"].band is None


def test_who_won_and_did_not_take_the_lead_is_not_outbid_by_who_did():
    """It bid 15 and refused the post; that another one then paid 9 is no news of its bid."""
    results = [asked("refused", 15), asked("next", 9), asked("third", 8)]
    heard = told(results, sold={"next": 9}, let_go={"refused"})
    assert {name: notice.kind.value for name, notice in heard.items()} == {
        "next": "won",
        "third": "outbid",
    }


def test_of_a_shared_lead_all_winners_hear_so_and_the_others_the_highest_price():
    """What would have been enough to be among them is not told, only where the price lay."""
    heard = told([asked("a", 12), asked("b", 9), asked("c", 8)], sold={"a": 12, "b": 9})
    assert heard["a"].kind is heard["b"].kind is NoticeKind.WON
    assert heard["c"].band == band_of(Micros(12 * DOLLAR))


def test_only_what_was_asked_for_is_told():
    """Silence is a choice, too."""
    results = [asked("a", 12, kinds=["outbid"]), asked("b", 9, kinds=["won", "late"])]
    assert told(results, sold={"a": 12}) == {}


@given(st.integers(min_value=0, max_value=5_000 * DOLLAR))
def test_a_price_lies_in_its_band(price):
    """The lower edge belongs to it, the upper one to the next."""
    band = band_of(Micros(price))
    assert band.low <= price
    assert band.high is None or price < band.high
    assert band.low in EDGES
    assert band.high is None or band.high == EDGES[EDGES.index(band.low) + 1]


# Gathered, bounded, never waited for


class Recorder:
    """An outbox and an observer: keeps what it is given, or takes nothing."""

    def __init__(self):
        self.taken = []
        self.is_away = False
        self.is_full = False
        self.kinds = Counter()
        self.dropped = 0

    async def put(self, messages, topic, waiting_max):
        assert topic == "bid.notices"
        assert waiting_max > 0
        if self.is_away:
            raise LedgerUnavailable
        if self.is_full:
            return frozenset()
        self.taken += messages
        return frozenset(message.id for message in messages)

    def noticed(self, kind):
        self.kinds[kind] += 1

    def notices_dropped(self, notices):
        self.dropped += notices

    @property
    def says(self):
        return [msgspec.json.decode(message.body)["data"] for message in self.taken]


@pytest.fixture
def outbox():
    return Recorder()


@pytest.fixture
def batches(outbox):
    limits = Limits(batch_max=3, kept_max=5)
    entropy = iter(range(1, 10_000))
    return Batches(
        outbox,
        outbox,
        now_us=lambda: AT_US,
        entropy=lambda size: next(entropy).to_bytes(size),
        limits=limits,
    )


def late(number=0):
    return Notice(kind=NoticeKind.LATE, ping_id=str(number), at_us=AT_US, test=False)


async def test_what_gathers_leaves_as_few_messages_in_order(batches, outbox):
    """One for each offer, more only where one is full."""
    for number in range(5):
        batches.push("a", late(number))
    batches.push("b", late(9))
    await batches.flush()
    assert Counter(message.recipient for message in outbox.taken) == {"offer/a": 2, "offer/b": 1}
    of_a = [said for said in outbox.says if said["offer"] == "a"]
    assert [one["ping_id"] for said in of_a for one in said["notices"]] == [*"01234"]
    await batches.flush()
    assert len(outbox.taken) == 3, "nothing is told twice"


async def test_while_the_ledger_is_away_the_first_are_kept_and_the_rest_counted(batches, outbox):
    """And the next message says how many are missing."""
    outbox.is_away = True
    for number in range(8):
        batches.push("a", late(number))
    await batches.flush()
    outbox.is_away = False
    await batches.flush()
    assert [one["ping_id"] for said in outbox.says for one in said["notices"]] == [*"01234"]
    assert [said["dropped"] for said in outbox.says] == [3, 0]
    assert (outbox.dropped, outbox.kinds["late"]) == (3, 8)


async def test_an_endpoint_that_is_too_far_behind_gets_no_more_and_hears_how_many_it_missed(
    batches, outbox
):
    """The outbox does not grow with a buyer's outage."""
    outbox.is_full = True
    for number in range(4):
        batches.push("a", late(number))
    await batches.flush()
    outbox.is_full = False
    batches.push("a", late(7))
    await batches.flush()
    [said] = outbox.says
    assert (said["dropped"], [one["ping_id"] for one in said["notices"]]) == (4, ["7"])


async def test_what_comes_while_a_batch_is_being_written_is_not_lost(batches, outbox):
    """Pushing never waits, not for a write either."""
    put = outbox.put

    async def slow(messages, topic, waiting_max):
        if not outbox.taken:
            batches.push("a", late(1))
            batches.push("b", late(2))
        return await put(messages, topic, waiting_max)

    outbox.put = slow
    batches.push("a", late(0))
    await batches.flush()
    told_of = [one["ping_id"] for said in outbox.says for one in said["notices"]]
    assert sorted(told_of) == ["0", "1", "2"]


async def test_what_is_dropped_while_a_batch_is_being_written_is_told_by_the_next(batches, outbox):
    """The message on its way could not know of it."""
    put = outbox.put

    async def slow(messages, topic, waiting_max):
        if not outbox.taken:
            batches.push("a", late(8))
            batches.push("a", late(9))
        return await put(messages, topic, waiting_max)

    outbox.put = slow
    for number in range(7):
        batches.push("a", late(number))
    await batches.flush()
    assert [said["dropped"] for said in outbox.says] == [2, 2]
    assert outbox.dropped == 4


async def test_a_batch_of_which_nobody_heard_whether_it_was_written_is_the_same_message_again(
    batches, outbox
):
    """The connection broke after the write: notices and counts are not told twice."""
    put = outbox.put

    async def breaking(messages, topic, waiting_max):
        await put(messages, topic, waiting_max)
        raise LedgerUnavailable

    for number in range(6):
        batches.push("a", late(number))
    outbox.put = breaking
    await batches.flush()
    outbox.put = put
    await batches.flush()
    first, again, *_ = outbox.taken
    assert first == again
    told = {message.id: msgspec.json.decode(message.body)["data"] for message in outbox.taken}
    of_all = [one["ping_id"] for said in told.values() for one in said["notices"]]
    assert of_all == [*"01234"]
    assert [said["dropped"] for said in told.values()] == [1, 0]
