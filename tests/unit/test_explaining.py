"""What a timeline does not keep follows from the lead and from the market that it met."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.configuration.compiling.plans import plans_of
from exchange.domain import places
from exchange.domain.caps import anyones, balance_counter, counter, someones
from exchange.domain.condition import compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.eligibility import EXCLUDED, FOR_ANOTHER_KIND
from exchange.domain.events import Event, EventName
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.reason import Reason
from exchange.story.explaining import CHANGED, ERASED, Screened, explained
from exchange.story.record import facts
from tests.making import NOW_US, a_buyer, a_campaign, a_lead, a_stage, a_submission, an_offer
from tests.making_intake import AUTO, a_snapshot

CLAUSES = ('state == "NY"', "age >= 40", "score >= 90")
MANY = 100


def a_market(count=MANY):
    """Offers that want each another thing, the last one test leads."""
    names = names_of(AUTO)
    offers = {
        f"acme-{n}": an_offer(f"acme-{n}", where=compile_condition(CLAUSES[n % 3], names))
        for n in range(count - 1)
    }
    offers["acme-test"] = an_offer("acme-test", test=True)
    campaigns = {"auto-us": a_campaign(stages=(a_stage(*offers),))}
    return a_snapshot(
        offers=offers,
        campaigns=campaigns,
        plans=plans_of(7, campaigns.values(), offers, {"auto": AUTO}),
    )


def left_out(**what):
    plain = {"at_us": NOW_US, "event": EventName.OFFER_LEFT_OUT, "stage": 1, "version": 7}
    return Event(**{**plain, **what})


SCORED = Event(at_us=NOW_US, event=EventName.SCORED, score=50)
QUOTED = Event(at_us=NOW_US, event=EventName.QUOTED)
FACTS = {"state": "TX", "age": 35}


def told(events, records=(FACTS,), market=None, *, test=False):
    screened = Screened(
        campaign_id="auto-us",
        test=test,
        markets={7: market or a_market(), 8: None},
        records=records,
    )
    return [
        (event.offer, event.reason, event.detail)
        for event in explained(events, screened)
        if event.event is EventName.OFFER_LEFT_OUT
    ]


def test_many_offers_are_named_again_each_with_its_clause():
    """A set of places becomes one line for each offer, in the words of the market file."""
    those = places.pack((1 << MANY) - 1)
    lines = told([SCORED, left_out(places={201: those})])
    assert [offer for offer, _, _ in lines] == list(a_market().offers)
    assert [detail for _, _, detail in lines[:3]] == list(CLAUSES)
    assert lines[-1] == ("acme-test", Reason.FILTERED, FOR_ANOTHER_KIND)


def test_few_offers_that_are_listed_have_their_clauses_too():
    """However many there are, what a reader hears is the same."""
    assert told([SCORED, left_out(left_out={201: ("acme-1", "acme-test")})]) == [
        ("acme-1", Reason.FILTERED, "age >= 40"),
        ("acme-test", Reason.FILTERED, FOR_ANOTHER_KIND),
    ]


def test_other_reasons_keep_their_words():
    """Who was excluded by the seller, or is paused, needs no lead to be told."""
    events = [
        left_out(left_out={206: ("acme-0",)}, detail=EXCLUDED),
        left_out(left_out={207: ("acme-1",)}),
        left_out(left_out={302: ("acme-2",)}, version=None),
    ]
    assert told(events[:2], records=()) == [
        ("acme-0", Reason.SUPPRESSED, EXCLUDED),
        ("acme-1", Reason.PAUSED, None),
    ]
    assert list(explained(events, Screened(
        campaign_id="auto-us", test=False, markets={7: a_market()}, records=()
    )))[-1] == events[-1]  # fmt: skip


def test_a_quote_is_explained_by_what_was_known_then():
    """A ping knows less of the person than the post: each is explained by its own record."""
    filtered = left_out(left_out={201: ("acme-1",)})
    events = [SCORED, filtered, QUOTED, SCORED, filtered]
    younger, older = {**FACTS, "age": 35}, {**FACTS, "age": 50}
    assert [detail for _, _, detail in told(events, records=(younger, older))] == [
        "age >= 40",
        CHANGED,
    ]


@pytest.mark.parametrize("records", [(), (None,)])
def test_what_an_erased_lead_failed_is_said_to_be_unknown(records):
    """Who was left out stays on record; which clause failed is gone with the person."""
    events = [SCORED, left_out(left_out={201: ("acme-0", "acme-test")})]
    assert told(events, records=records) == [
        ("acme-0", Reason.FILTERED, ERASED),
        ("acme-test", Reason.FILTERED, FOR_ANOTHER_KIND),
    ]


def test_offers_of_a_market_that_cannot_be_read_are_a_number():
    """Nothing is made up of what is not there any more."""
    event = left_out(places={201: places.pack(7)}, version=8, left_out={203: ("acme-1",)})
    assert told([SCORED, event]) == [
        ("acme-1", Reason.CAP, None),
        (None, Reason.FILTERED, "3 offers of market version 8"),
    ]


CAPS = (
    Cap("offer/acme-1", CapKind.LEADS, 1, Per.DAY),
    Cap("buyer/acme", CapKind.SPEND, 1, Per.MONTH),
    Cap("buyer/acme", CapKind.CONCURRENT, 1, None),
)


@pytest.mark.parametrize("test", [False, True])
def test_a_full_counter_is_told_with_its_owner(test):
    """Offers that are full in the same way stand together; each reads its own counter."""
    offer = an_offer("acme-1", buyer=a_buyer())
    names = [counter(cap, NOW_US, offer, test=test) for cap in CAPS]
    names += [] if test else [balance_counter("acme")]
    for name in names:
        assert someones(anyones(name), offer) == name
        assert "acme" not in anyones(name)
        event = left_out(left_out={203: ("acme-1",)}, detail=anyones(name))
        assert told([event], test=test) == [("acme-1", Reason.CAP, name)]


VALUES = st.one_of(
    st.text(max_size=5),
    st.integers(-(10**17), 10**17),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**9),
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), VALUES)
def test_a_record_gives_back_all_that_a_condition_could_ask_of(fields, phone):
    """Every type comes back as it was sold under: a text, a number, exact, a yes or no."""
    lead = a_lead(fields=fields)
    submission = a_submission(lead=lead)
    person = msgspec.structs.replace(submission.person, identity={"phone": phone})
    submission = msgspec.structs.replace(submission, person=person)
    encode = msgspec.json.Encoder(decimal_format="number").encode
    expected = submission.facts()
    found = facts(encode(submission))
    assert found == expected
    assert [isinstance(value, bool) for value in found.values()] == [
        isinstance(value, bool) for value in (expected[name] for name in found)
    ]
    quoted = facts(encode({"fields": fields, "derived": lead.derived, "source": lead.source}))
    assert quoted == {**fields, **lead.derived}
    assert not any(isinstance(value, float) for value in found.values())
