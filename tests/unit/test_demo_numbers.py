"""A run in numbers: what events say, what percentiles are, and how it is shown to people."""

import io
import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from exchange.contract.operator import OperatorLeadView, OperatorSale
from exchange.contract.seller import LeadAnswer, ReasonOut, TimelineEntry
from exchange.demo.digest import Digest, Lost, digest
from exchange.demo.order import Heard, Oddity, Way
from exchange.demo.reading import Sums, first_id
from exchange.demo.story import story
from exchange.demo.summary import summary
from exchange.demo.tally import Tally, percentiles, top
from exchange.demo.verdict import Verdict, result_of
from exchange.demo.view import Scene, Size, finished, picture, plain_line
from exchange.demo.words import MEANINGS, bill, dollars, duration, meaning
from exchange.domain.events import Event, EventName
from exchange.domain.expected import Expected
from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.money import Micros, to_decimal
from exchange.domain.reason import Reason
from exchange.ledger.stored import Violation
from tests.making import DOLLAR, NOW_US

SECOND_US = 1_000_000


def an_event(event, **changes):
    return Event(at_us=NOW_US, event=EventName(event), **changes)


SOLD = (
    an_event("received"),
    an_event("stage", stage=1, detail="auction"),
    an_event("offer_left_out", left_out={203: ("full-1", "full-2")}),
    an_event("offer_left_out", offer="picky", reason=Reason.FILTERED, detail="age >= 30"),
    an_event("pinged", offers=("quick", "slow", "late", "cheap", "dear")),
    an_event("bid", offer="quick", price=Micros(9 * DOLLAR), ms=12.0),
    an_event("bid", offer="slow", price=Micros(12 * DOLLAR), ms=80.0),
    an_event("no_bid", offer="late", reason=Reason.TIMEOUT, ms=300.0),
    an_event("bid", offer="cheap", price=Micros(DOLLAR), reason=Reason.BELOW_FLOOR, ms=20.0),
    an_event("bid", offer="dear", price=Micros(20 * DOLLAR), ms=30.0),
    an_event("ranked", offers=("dear", "slow", "quick")),
    an_event("held", offer="dear", price=Micros(20 * DOLLAR)),
    an_event("awarded", offer="dear"),
    an_event("posted", offer="dear", sale_id="1"),
    an_event("refused", offer="dear", sale_id="1", reason=Reason.REFUSED, ms=45.0),
    an_event("posted", offer="slow", sale_id="2"),
    an_event("accepted", offer="slow", sale_id="2", price=Micros(12 * DOLLAR), ms=55.0),
    an_event("offer_left_out", stage=2, left_out={302: ("house",)}),
    an_event("sold", sale_id="2", payout=Micros(10 * DOLLAR)),
)


def test_the_events_of_a_sold_lead_say_who_was_asked_who_paid_and_who_lost_why():
    """Every offer that did not get the lead has exactly one reason, also the outbid one."""
    told = digest(SOLD)
    assert told.pings == ("quick", "slow", "late", "cheap", "dear")
    assert len(told.bids) == 4
    assert told.posts == ("dear", "slow")
    assert (told.winner, told.sale_id) == ("slow", "2")
    assert (told.charge, told.payout) == (12 * DOLLAR, 10 * DOLLAR)
    assert set(told.lost) == {
        Lost("full-1", Reason.CAP),
        Lost("full-2", Reason.CAP),
        Lost("picky", Reason.FILTERED),
        Lost("late", Reason.TIMEOUT),
        Lost("cheap", Reason.BELOW_FLOOR),
        Lost("dear", Reason.REFUSED),
        Lost("quick", Reason.OUTBID),
        Lost("house", Reason.OUTBID),
    }
    assert len(told.lost) == 8


def test_buyers_time_is_the_slowest_answer_of_each_stage_and_every_post():
    """What remains of the answer's time is the exchange's own."""
    assert digest(SOLD).buyers_ms == 300 + 45 + 55
    again = (*SOLD[:-4], an_event("stage", stage=2), an_event("no_bid", offer="x", ms=7.0))
    assert digest(again).buyers_ms == 300 + 45 + 7
    assert not digest(SOLD).in_doubt
    assert digest((*SOLD, an_event("in_doubt", offer="slow", ms=1.0))).in_doubt


MET = [
    (an_event("stage", detail="auction, floor by TX|*|mobile"), "floor by rule"),
    (an_event("stage", detail="auction, floor by default"), None),
    (an_event("floor", model="explored"), "floor explored"),
    (an_event("anonymity", people=12), "people counted"),
    (an_event("ranked", offers=("a",), expected=(Expected(1, 0, Micros(1)),)), "by expected value"),
    (an_event("ranked", offers=("a",)), None),
    (an_event("chosen", offers=("a", "b"), detail="2 of at most 3"), "shared by 2"),
    (an_event("chosen", offers=("a",), detail="alone"), "alone"),
    (an_event("awarded", detail="second price: its floor"), "second price"),
    (an_event("awarded", detail="margin 2.40 relaxed to 1.20"), "margin relaxed"),
    (an_event("accepted", offer="a", detail="lower price taken"), "lower price taken"),
    (an_event("closed_early"), "closed early"),
    (an_event("quoted"), "quoted"),
    (an_event("offer_left_out", offer="a", reason=Reason.CAP, detail="offer|leads"), "cap full"),
    (an_event("offer_left_out", left_out={203: ("a",)}, detail="x|paced"), "held back by a pace"),
    (an_event("offer_left_out", places={209: "AQ=="}), "over its rate"),
    (an_event("offer_left_out", left_out={207: ("a",), 201: ("b",)}), "paused"),
    (an_event("offer_left_out", offer="a", reason=Reason.OUTBID), None),
    (an_event("status_asked", offer="a"), "status asked"),
]


@pytest.mark.parametrize(("event", "mark"), MET)
def test_what_a_lead_met_is_told_in_a_few_words(event, mark):
    """Each word once for a lead, however often it happened; nothing of what is no rule's doing."""
    assert digest((event, event)).marks == (() if mark is None else (mark,))


def test_campaigns_are_shown_side_by_side_with_what_their_leads_met():
    """Each with its method, its money, and every rule and limit by how often it counted."""
    tally = a_tally()
    tally.hear(heard(9, http=429, status=None, lead_id=None, problem="HTTP 429"), NOW_US)
    scene = Scene(
        "http://127.0.0.1", "exchange lead LEAD", ("dear", "slow"), (("auto-us", "auction"),)
    )
    out = io.StringIO()
    console = Console(file=out, width=200, height=50)
    console.print(finished(scene, tally, Size(200, 50)))
    (line,) = [line for line in out.getvalue().splitlines() if "auto-us" in line]
    assert "cap full 1, refused 1, told 429 1" in line


def test_an_unsold_lead_has_no_winner_and_nobody_is_outbid():
    """Where nobody won, a ranked bid lost for the reason that it has itself."""
    told = digest(SOLD[:15])
    assert told.winner is None
    assert told.charge == 0
    assert Reason.OUTBID not in {one.reason for one in told.lost}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_durations_that_were_measured(durations):
    """At least that share of all is not above them, and they rise."""
    found = percentiles(durations)
    for share, value in ((50, found.p50), (95, found.p95), (99, found.p99)):
        assert value in durations
        assert sum(ms <= value for ms in durations) * 100 >= share * len(durations)
    assert found.p50 <= found.p95 <= found.p99


def test_nothing_measured_has_no_percentiles():
    """None, not zero: a zero would look fast."""
    assert percentiles([]).p50 is None
    assert duration(None) == "-"


def heard(number=1, **changes):
    plain = {
        "way": Way.JSON,
        "campaign": "auto-us",
        "seller": "fastquotes",
        "due_us": NOW_US,
        "late_ms": 1.0,
        "ms": 430.0,
        "http": 200,
        "status": "sold",
        "lead_id": f"lead-{number}",
    }
    return Heard(**{**plain, **changes})


def a_tally():
    tally = Tally(NOW_US)
    for one in (
        heard(1),
        heard(2, status="unsold", ms=90.0, reason="no_bid_above_floor"),
        heard(3, http=422, status=None, lead_id=None, problem="HTTP 422: lead.phone required"),
        heard(4, http=0, status=None, lead_id=None, problem="TimeoutError"),
        heard(5, way=Way.PING, status="quoted", lead_id=None),
        heard(6, oddity=Oddity.TEST),
    ):
        tally.hear(one, NOW_US + SECOND_US)
    tally.learn(digest(SOLD), heard(1), NOW_US + SECOND_US)
    tally.learn(Digest(pings=("quick",), bids=(("quick", Micros(1)),)), None, NOW_US + SECOND_US)
    return tally


def test_a_tally_counts_leads_quotes_errors_and_tests_apart():
    """A test is in nothing but its own count; what is no lead is no status."""
    tally = a_tally()
    assert dict(tally.statuses) == {"sold": 1, "unsold": 1}
    assert dict(tally.quotes) == {"quoted": 1}
    assert tally.tests == 1
    assert tally.refused.total() == tally.unanswered.total() == 1
    assert (tally.revenue, tally.payout) == (12 * DOLLAR, 10 * DOLLAR)
    assert tally.offer("slow").won == 1
    assert tally.offer("quick").pings == 2
    assert list(tally.answer_ms) == [430.0, 90.0]
    assert list(tally.own_ms) == [430.0 - 1.0 - 400.0]
    assert tally.last_sold[0].winner == "slow"
    assert tally.requests_per_s(NOW_US + SECOND_US) == 6.0


def test_rates_forget_what_is_long_past():
    """Nothing came lately: the rate is zero, whatever came before."""
    tally = a_tally()
    assert tally.requests_per_s(NOW_US + 60 * SECOND_US) == 0
    assert tally.pings_per_s(NOW_US + 60 * SECOND_US) == 0


def test_the_commonest_reasons_come_first_and_equal_ones_by_number():
    """So that the list does not flicker."""
    tally = a_tally()
    assert top(tally.reasons, 2) == [(Reason.CAP, 2), (Reason.OUTBID, 2)]


SCENE = Scene("http://127.0.0.1:8080", "curl -sH @key …/LEAD", ("quick", "slow", "house"))


def drawn(renderable, size):
    console = Console(file=io.StringIO(), width=size.width, height=size.height)
    console.print(renderable, height=size.height)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140, 200])
@pytest.mark.parametrize("height", [24, 30, 50])
def test_the_picture_fills_any_terminal_and_tells_the_main_things(width, height):
    """No line is wider than the terminal, none is left, and the main numbers are whole."""
    size = Size(width, height)
    lines = drawn(picture(SCENE, a_tally(), NOW_US + SECOND_US, size), size).splitlines()
    assert len(lines) == height
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for needed in (
        "sold",
        "50 %",
        "$12.00",
        "$10.00",
        "430",
        "slow",
        "6.0 requests/s",
        "Why? curl",
    ):
        assert needed in text


def test_one_line_tells_the_same_where_there_is_no_terminal():
    """It can be read in a log."""
    line = plain_line(a_tally(), NOW_US + 65 * SECOND_US)
    assert line.startswith("01:05  ")
    assert "2 leads: 1 sold, 1 unsold" in line
    assert "revenue $12.00" in line


def test_every_reason_an_offer_can_have_is_a_sentence():
    """All below 500; the others at least are words."""
    for reason in Reason:
        assert meaning(reason)
        assert "_" not in meaning(reason)
    assert {r for r in Reason if r < 500} - MEANINGS.keys() == set()


def an_entry(event, after_ms, **changes):
    reason = changes.pop("reason", None)
    return TimelineEntry(
        seq=1,
        at=f"2026-11-22T12:00:00.{after_ms * 1000:06d}Z",
        event=event,
        reason=None if reason is None else ReasonOut.of(reason),
        **changes,
    )


VIEW = OperatorLeadView(
    lead_id="lead-1",
    status="sold",
    price=Decimal("10.20"),
    currency="USD",
    reason=None,
    score=71,
    duration_ms=182.4,
    received_at="2026-11-22T12:00:00.000000Z",
    seller="fastquotes",
    campaign="auto-us",
    source="search",
    channel="search",
    seller_ref=None,
    test=False,
    market_version=1,
    heard=LeadAnswer(
        lead_id="lead-1",
        status="sold",
        price=Decimal("10.20"),
        currency="USD",
        sales=(),
        reason=None,
        score=71,
        duration_ms=182.4,
    ),
    sales=(
        OperatorSale(
            sale_id="2",
            offer="slow",
            buyer="slowly",
            state="accepted",
            price=Decimal("12.00"),
            payout=Decimal("10.20"),
            stage=1,
        ),
    ),
    timeline=(
        an_entry("received", 0),
        an_entry("scored", 1, score=71, model="rules-1"),
        an_entry("offer_left_out", 2, offer="picky", reason=Reason.FILTERED, detail="age >= 30"),
        an_entry("bid", 90, offer="quick", price=Decimal(9), ms=12.0),
        an_entry("bid", 90, offer="slow", price=Decimal(12), ms=80.0),
        an_entry(
            "bid",
            90,
            offer="cheap",
            price=Decimal(1),
            floor=Decimal(5),
            ms=20.0,
            reason=Reason.BELOW_FLOOR,
        ),
        an_entry("no_bid", 90, offer="late", reason=Reason.TIMEOUT, ms=300.0),
        an_entry("posted", 95, offer="slow", sale_id="2"),
        an_entry("accepted", 180, offer="slow", sale_id="2", price=Decimal(12), ms=85.0),
        an_entry("sold", 181, sale_id="2", payout=Decimal("10.20")),
    ),
    captures=(),
)


def test_a_lead_s_story_says_why_each_buyer_won_or_lost():
    """One line for each, in order, with its reason; and who got what at the end."""
    told = list(story(VIEW))
    assert told[0] == (
        "Lead lead-1: seller fastquotes sent it into campaign auto-us, source search."
    )
    assert [line.split("ms  ")[1] for line in told[1:-1]] == [
        "scored 71 of 100",
        "picky was not asked: it does not take such leads (age >= 30)",
        "quick bid $9.00 after 12.0 ms: outbid",
        "slow bid $12.00 after 80.0 ms and won",
        "cheap bid $1.00 after 20.0 ms: less than the floor of $5.00",
        "late answered too late after 300 ms",
        "the full record goes to slow",
        "slow accepted after 85.0 ms and pays $12.00",
    ]
    assert told[-1] == (
        "Sold to slowly for $12.00; seller fastquotes gets $10.20, the exchange keeps $1.80. "
        "It took 182 ms."
    )


def test_the_lead_whose_story_is_told_is_a_real_one_where_there_is_any():
    """One of the sandbox bids with itself; it is told only where nothing else was sold."""
    one = a_tally().last_sold[0]
    played = msgspec.structs.replace(one, winner="sandbox.auto-us.sold", bids=9)
    tally = Tally(0)
    assert tally.most_telling is None
    tally.last_sold.append(played)
    assert tally.most_telling == played
    tally.last_sold.extend([one, msgspec.structs.replace(one, bids=1)])
    assert tally.most_telling == one


def test_who_bid_is_not_said_to_be_unasked():
    """Another one had the lead: that is no reason not to ask."""
    late = an_entry("offer_left_out", 182, offer="quick", reason=Reason.OUTBID, detail="alone")
    told = list(story(msgspec.structs.replace(VIEW, timeline=(late,))))
    assert told[1].endswith("quick did not get it: it was outbid (alone)")


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_is_paid_got_and_kept_adds_up_as_it_is_shown(paid, got):
    """To the cent, whatever parts of cents there are; within a cent of what it is."""
    shown = bill(to_decimal(Micros(paid)), to_decimal(Micros(got)))
    pays, gets, keeps = (Decimal(re.sub(r"[$,]", "", one)) for one in shown)
    assert pays == gets + keeps
    assert abs(keeps - to_decimal(Micros(paid - got))) <= Decimal("0.01")


def test_the_story_of_a_shared_lead_ends_with_everybody_who_bought_it():
    """And with what all of them bring."""
    [one] = VIEW.sales
    terms = {"buyer": "other", "price": Decimal("7.00"), "payout": Decimal("5.95")}
    other = msgspec.structs.replace(one, sale_id="3", offer="other", **terms)
    shared = msgspec.structs.replace(VIEW, sales=(one, other))
    assert list(story(shared))[-1] == (
        "Sold to slowly for $12.00 and to other for $7.00; seller fastquotes gets $16.15, "
        "the exchange keeps $2.85. It took 182 ms."
    )


def test_the_story_of_a_lead_passes_over_offers_of_the_sandbox_that_are_for_others():
    """One for each row of its table: all but the lead's own say nothing of it."""
    left_out = {"reason": Reason.FILTERED, "detail": 'zip in ["78705"]'}
    entries = (
        an_entry("offer_left_out", 2, offer="sandbox.auto-us.redirect", **left_out),
        an_entry("bid", 3, offer="sandbox.auto-us.sold", price=Decimal(10), ms=1.0),
    )
    told = list(story(msgspec.structs.replace(VIEW, timeline=entries)))
    assert [line.split("ms  ")[1] for line in told[1:-1]] == [
        "sandbox.auto-us.sold bid $10.00 after 1.0 ms: outbid"
    ]


def test_the_story_of_an_unsold_lead_ends_with_its_reason():
    """Nobody bought it."""
    unsold = msgspec.structs.replace(
        VIEW, status="unsold", sales=(), reason=ReasonOut.of(Reason.ALL_REFUSED), timeline=()
    )
    assert list(story(unsold))[-1] == "It ended unsold (all_refused)."


def a_verdict(*violations, **counts):
    sums = Sums(
        statuses={"sold": 1, "unsold": 1, **counts},
        pings=6,
        bids=5,
        posts=2,
        revenue=Micros(12 * DOLLAR),
        payout=Micros(10 * DOLLAR),
    )
    return Verdict(sums, violations, 0)


def test_a_result_counts_every_lead_once_and_its_money_is_exact():
    """What `--json` prints: leads are the sum of what became of them."""
    result = result_of(a_verdict(duplicate=3, rejected=2, pending=1), a_tally())
    assert result.leads == 8
    assert (result.revenue, result.payout, result.margin) == (12, 10, 2)
    assert (result.p50_ms, result.p99_ms, result.overhead_p99_ms) == (90.0, 430.0, 29.0)
    assert result.is_good


def test_a_result_is_bad_with_a_violation_or_without_a_sale():
    """Either makes the exit status 1."""
    assert not result_of(a_verdict(Violation("gap", "lead-1", "2 moments")), a_tally()).is_good
    assert not result_of(a_verdict(sold=0), a_tally()).is_good


def test_the_summary_names_problems_and_violations():
    """Everything that went wrong is said, and that nothing did as well."""
    good, bad = a_verdict(), a_verdict(Violation("gap", "lead-1", "2 moments"))
    said = "\n".join(summary(result_of(good, a_tally()), good, a_tally(), 60.0))
    assert "No violations" in said
    assert "1 × TimeoutError" in said  # noqa: RUF001 - the times sign that people read
    assert "Buyers pay $12.00, sellers get $10.00, the exchange keeps $2.00." in said
    said = "\n".join(summary(result_of(bad, a_tally()), bad, a_tally(), 60.0))
    assert "1 VIOLATION:" in said
    assert "gap: lead-1: 2 moments" in said


@given(st.integers(0, 2**44), st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_ids_of_a_moment_lie_between_it_and_the_next_one(at_ms, entropy):
    """So that quotes are found by when they came."""
    made = uuid7(at_ms * 1000, entropy)
    assert str(first_id(at_ms * 1000)) <= made < str(first_id((at_ms + 1) * 1000))


def test_dollars_are_written_as_in_a_bill():
    """Thousands apart, cents always."""
    assert dollars(Micros(1_234_567_000_000)) == "$1,234,567.00"
