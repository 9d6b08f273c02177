"""The pure parts of a replay: what a timeline tells, what --set means, how sums differ."""

import asyncio
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.configuration.reading import read_sheets, sheet_of
from exchange.domain.caps import Hold, HoldLine
from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.states import SaleState
from exchange.replay.changing import SettingError, changed, setting_of
from exchange.replay.clock import JumpingLoop, NobodyGoesOnError
from exchange.replay.comparing import less, percentile, totals
from exchange.replay.counting import Counting
from exchange.replay.lessons import Learned
from exchange.replay.papers import held_by
from exchange.replay.recorded import Answer, Posted, Recorded, Sums, answers_of, posts_of
from exchange.replay.steps import Held
from exchange.replay.unlike import ENDED_OTHERWISE, INTERRUPTED, ROOM_DIFFERED, why_unlike
from exchange.story.quoted_room import SLACK_US
from tests.acceptance.market import buyer, campaign, market

MARKET = market(
    buyer("acme", "http://a.example", offer='caps = [ { leads = 9, per = "day" } ]'),
    campaign(stages=['method = "auction"\noffers = ["*"]']),
)


A_LEAD = Recorded(
    lead_id=LeadId("l"), campaign_id="auto-us", version=1, received_at_us=0, submission=None,
    pinged=None, quoted_under=1, answers={}, posts={}, tried={}, learned=Learned(), original=None,
    bought_by=frozenset(), rated=frozenset(), sales=(), events=(), end=Sums(status="sold"),
)  # fmt: skip


def event(name, at_us=0, **what):
    return Event(at_us=at_us, event=name, **what)


def the_market(text=MARKET):
    return read_sheets([sheet_of("market.toml", text)]).market


# What was recorded


def test_each_stage_has_its_own_answers_and_the_first_of_an_offer_counts():
    """A price keeps, whatever became of it; a limit of the moment keeps too, a filter does not."""
    events = [
        event(EventName.STAGE, stage=1),
        event(EventName.BID, offer="a", price=Micros(5), reason=Reason.BELOW_FLOOR, ms=7.0),
        event(EventName.NO_BID, offer="b", reason=Reason.TIMEOUT, ms=300.0),
        event(EventName.OFFER_LEFT_OUT, offer="c", reason=Reason.THROTTLED),
        event(EventName.OFFER_LEFT_OUT, offer="d", reason=Reason.FILTERED),
        event(EventName.STAGE, stage=2),
        event(EventName.BID, offer="a", price=Micros(6), ms=8.0),
    ]
    assert answers_of(events) == {
        (1, "a"): Answer(Micros(5), None, 7.0),
        (1, "b"): Answer(None, Reason.TIMEOUT, 300.0),
        (1, "c"): Answer(None, Reason.THROTTLED, 0.0),
        (2, "a"): Answer(Micros(6), None, 8.0),
    }


def test_who_was_cut_off_and_then_heard_has_what_was_heard():
    """A late no, and silence to the end, come after the line that cut it off; so do bids."""
    events = [
        event(EventName.NO_BID, offer="a", reason=Reason.CUT_OFF, ms=9.0),
        event(EventName.NO_BID, offer="b", reason=Reason.CUT_OFF, ms=9.0),
        event(EventName.NO_BID, offer="c", reason=Reason.CUT_OFF, ms=9.0),
        event(EventName.NO_BID, offer="a", reason=Reason.TIMEOUT, ms=300.0),
        event(EventName.BID, offer="b", price=Micros(5), ms=40.0),
    ]
    assert answers_of(events) == {
        (0, "a"): Answer(None, Reason.TIMEOUT, 300.0),
        (0, "b"): Answer(Micros(5), None, 40.0),
        (0, "c"): Answer(None, Reason.CUT_OFF, 9.0),
    }


def test_room_of_a_ping_is_held_until_its_next_moment_or_the_lease():
    """Of each offer the last hold counts, unless it was given back: not all had room."""
    events = [
        event(EventName.HELD, 1_000, offer="a", sale_id="1", price=Micros(9)),
        event(EventName.HOLD_FAILED, 1_000, offer="b", reason=Reason.CAP_AT_AWARD),
        event(EventName.HELD, 2_000, offer="a", sale_id="2", price=Micros(9)),
        event(EventName.HELD, 2_000, offer="c", sale_id="3", price=Micros(9)),
        event(EventName.RELEASED, 2_000, offer="c", sale_id="3"),
    ]
    quoted = {"events": msgspec.json.encode(events)}
    ping = {"lead_id": "l", "version": 3, "expires_at": 60_000_000}
    held = Held(
        at_us=2_000,
        until_us=60_000_000 + SLACK_US,
        lead_id=LeadId("l"),
        version=3,
        sale_id=SaleId("2"),
        offer_id="a",
        price=Micros(9),
    )
    assert held_by(ping, [quoted]) == [held]
    [until_void] = held_by(ping, [quoted, {"at": 70_000_000}])
    assert until_void.until_us == 70_000_000


# What cannot be compared


@pytest.mark.parametrize(
    ("recorded", "played", "why"),
    [
        ([event(EventName.RECOVERED)], [], INTERRUPTED),
        ([event(EventName.OFFER_LEFT_OUT, left_out={203: ("a",)})], [], ROOM_DIFFERED),
        (
            [],
            [event(EventName.HOLD_FAILED, offer="a", reason=Reason.BUDGET_AT_AWARD)],
            ROOM_DIFFERED,
        ),
        ([event(EventName.OFFER_LEFT_OUT, stage=1, places={203: "Aw=="})], [], ROOM_DIFFERED),
        ([event(EventName.OFFER_LEFT_OUT, left_out={201: ("a",)})], [], ENDED_OTHERWISE),
        (
            [event(EventName.OFFER_LEFT_OUT, left_out={203: ("a",)})],
            [event(EventName.OFFER_LEFT_OUT, left_out={203: ("a",)})],
            ENDED_OTHERWISE,
        ),
    ],
)
def test_why_a_lead_ends_otherwise_than_written(recorded, played, why):
    """An outage, then room that differed in one of the two; else it is not known."""
    lead = msgspec.structs.replace(A_LEAD, events=tuple(recorded))
    assert why_unlike(lead, played) == why


def test_a_post_in_doubt_takes_until_its_doubt_is_over():
    """Its own time where it was answered at once; a lower price is told, the asked one is not."""
    events = [
        event(EventName.AWARDED, offer="a", sale_id="1", price=Micros(9)),
        event(EventName.POSTED, 1_000, offer="a", sale_id="1"),
        event(EventName.REFUSED, 9_000, offer="a", sale_id="1", detail="no", ms=2.0),
        event(EventName.AWARDED, offer="b", sale_id="2", price=Micros(8)),
        event(EventName.POSTED, 10_000, offer="b", sale_id="2"),
        event(EventName.IN_DOUBT, 20_000, offer="b", sale_id="2", ms=10.0),
        event(EventName.ACCEPTED, 60_000, offer="b", sale_id="2", price=Micros(7), ms=3.0),
        event(EventName.AWARDED, offer="c", sale_id="3", price=Micros(6)),
        event(EventName.ACCEPTED, offer="c", sale_id="3", price=Micros(6), ms=4.0),
    ]
    assert posts_of(events) == {
        "a": Posted(SaleState.REFUSED, None, "no", 2.0),
        "b": Posted(SaleState.ACCEPTED, Micros(7), None, 50.0),
        "c": Posted(SaleState.ACCEPTED, None, None, 4.0),
    }


# What is changed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("campaign.auto-us.floor=8", lambda m: m.campaign[0].floor == Decimal(8)),
        ("campaign.auto-us.margin.percent=20", lambda m: m.campaign[0].margin.percent == 20),
        ("campaign.auto-us.stage.1.timeout_ms=99", lambda m: m.campaign[0].stage[0].timeout_ms),
        ("offer.acme.caps.1.leads=3", lambda m: m.buyer[0].offer[0].caps[0].leads == 3),
        ("offer.acme.where=state == 'TX'", lambda m: m.buyer[0].offer[0].where == "state == 'TX'"),
        ("offer.acme.paused=true", lambda m: m.buyer[0].offer[0].paused),
        ("seller.fastquotes.source.search.floor=2.5", lambda m: m.seller[0].source[0].floor),
        ("vertical.auto_insurance.fields.zip.show=zip3", lambda m: m.vertical[0].fields["zip"]),
    ],
)
def test_a_value_is_set_where_it_stands_in_the_file(text, found):
    """Steps by dots, lists by number or id; all else stays as it was."""
    before = the_market()
    after = changed(before, [setting_of(text)])
    assert found(after)
    assert after != before
    assert changed(before, []) == before


@pytest.mark.parametrize(
    "text",
    [
        "floor=8",
        "campaign.auto-us=8",
        "campaign.auto-us.floor",
        "galaxy.x.floor=8",
        "campaign.nobody.floor=8",
        "campaign.auto-us.floors=8",
        "campaign.auto-us.floor=many",
        "campaign.auto-us.stage.2.floor=8",
        "campaign.auto-us.floor.deep=8",
    ],
)
def test_what_cannot_be_set_is_said(text):
    """With the words that were typed."""
    with pytest.raises(SettingError, match=text.split("=", maxsplit=1)[0]):
        changed(the_market(), [setting_of(text)])


def test_a_mistyped_id_is_told_with_the_one_that_was_meant():
    """As in a market file."""
    with pytest.raises(SettingError, match='no such campaign; did you mean "auto-us"'):
        changed(the_market(), [setting_of("campaign.auto-su.floor=8")])


@pytest.mark.parametrize("path", ["campaign.auto-us.stage.1.floor", "seller.fastquotes.caps.1"])
def test_a_list_that_is_not_there_is_set_as_a_whole(path):
    """Nobody is told that a table stands where a list should: there is none yet."""
    bare = the_market()
    bare = msgspec.structs.replace(
        bare, campaign=[msgspec.structs.replace(bare.campaign[0], stage=())]
    )
    with pytest.raises(SettingError, match=r"no list (stage|caps) here yet; set all of it"):
        changed(bare, [setting_of(f"{path}=8")])
    whole = setting_of('seller.fastquotes.caps=[{ leads = 8, per = "day" }]')
    assert changed(bare, [whole]).seller[0].caps[0].leads == 8


# What it came to


def test_totals_differ_number_by_number():
    """Money exact, times as they are."""
    sold = Sums(status="sold", sales=1, revenue=Micros(10), payout=Micros(8), ms=4.0)
    unsold = Sums(status="unsold", ms=2.0)
    one, other = totals([sold, unsold]), totals([unsold, unsold])
    assert (one.leads, one.sold, one.margin, one.p50_ms, one.p95_ms) == (2, 1, 2, 2.0, 4.0)
    change = less(one, other)
    assert (change.leads, change.sold, change.revenue, change.p95_ms) == (0, 1, 10, 2.0)
    assert less(one, one) == less(other, other)


@given(st.lists(st.floats(0, 1e6), max_size=40), st.integers(1, 99))
def test_so_many_do_not_exceed_a_percentile(times, percent):
    """And of any lower time fewer."""
    times.sort()
    found = percentile(times, percent)
    assert found in {0.0, *(round(one, 3) for one in times)}
    below = sum(1 for one in times if round(one, 3) <= found)
    assert below * 100 >= percent * len(times)


async def test_a_hold_takes_all_of_its_lines_or_none():
    """As hold.lua: what is settled stays, at the price paid; the concurrent and released goes."""
    counting = Counting({("acme", "offer/a|leads|day|0"): 1})
    lines = (
        HoldLine("offer/a|leads|day|0", 1, 2, Reason.CAP_AT_AWARD),
        HoldLine("buyer/acme|spend|day|0", 10, 25, Reason.BUDGET_AT_AWARD),
        HoldLine("offer/a|concurrent|now|0", 1, 1, Reason.CAP_AT_AWARD, settles=False),
    )

    def hold(name):
        return Hold(
            sale_id=SaleId(name), lead_id=LeadId("l"), buyer_id="acme", held_at_us=0, lines=lines
        )

    assert await counting.hold(hold("1")) is None
    assert (await counting.hold(hold("2"))).counter == "offer/a|leads|day|0"
    assert await counting.settle("acme", SaleId("1"), Micros(7))
    used = counting.used("acme")
    assert used == {
        "offer/a|leads|day|0": 2, "buyer/acme|spend|day|0": 7, "offer/a|concurrent|now|0": 0,
    }  # fmt: skip
    assert not await counting.release("acme", SaleId("1"))


async def test_what_did_not_happen_so_is_undone_and_what_was_held_lapses():
    """Counters and holds stand as before; what a lead holds goes with it, or with its time."""
    counting = Counting({("acme", "offer/a|leads|day|0"): 1})

    def hold(sale, lead, until_us=None):
        line = HoldLine("offer/a|leads|day|0", 1, 9, Reason.CAP_AT_AWARD)
        return Hold(
            sale_id=SaleId(sale), lead_id=LeadId(lead), buyer_id="acme", held_at_us=0,
            lines=(line,), until_us=until_us,
        )  # fmt: skip

    def count():
        return counting.used("acme")["offer/a|leads|day|0"]

    counting.take(hold("q", "ping", until_us=50))
    counting.begin()
    assert await counting.hold(hold("1", "l")) is None
    assert await counting.settle("acme", SaleId("1"))
    assert await counting.release("acme", SaleId("q"))
    assert count() == 2
    counting.undo()
    assert count() == 2  # the ping's again, the sale's no more
    counting.lapse(49)
    assert count() == 2
    counting.lapse(50)
    assert count() == 1
    counting.take(hold("2", "l"))
    counting.take(hold("3", "other"))
    counting.give_back(LeadId("l"))
    assert count() == 2
    assert await counting.release("acme", SaleId("3"))


def test_time_jumps_and_is_the_same_each_time():
    """A week of waiting takes no time; who waits for nothing that comes is told."""

    async def waits():
        loop = asyncio.get_running_loop()
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(604_800))
        return loop.time()

    for _ in range(2):
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            assert runner.run(waits()) == 604_800
    loop = JumpingLoop()
    with pytest.raises(NobodyGoesOnError):
        loop.run_until_complete(loop.create_future())
    loop.close()
