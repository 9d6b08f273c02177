"""Every offer competes or has exactly one reason, and the first reason is the cheapest to find."""

from collections import Counter
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain import places
from exchange.domain.campaign import Margin, ReturnsTo, SellerTerms
from exchange.domain.caps import balance_counter, counter
from exchange.domain.condition import compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.eligibility import (
    FOR_ANOTHER_KIND,
    Circumstances,
    filtered_by,
    left_out_for,
    screen,
)
from exchange.domain.filter_index import KEPT_MAX
from exchange.domain.floors import Floors
from exchange.domain.lineup import LISTED_MAX, Lineup
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Cap, CapKind, Condition, Per, PriceRule
from exchange.domain.reason import Reason
from exchange.domain.schedule import Schedule
from tests.making import DOLLAR, NOW_US, a_buyer, a_campaign, a_lead, a_stage, an_offer
from tests.making_intake import AUTO

NEVER = Condition("state == 'NY'", lambda _: False, lambda _: "state == 'NY'")
CLOSED = Schedule(a_buyer().zone, ((),) * 7)


def around(**changes):
    lead = changes.pop("lead", a_lead())
    terms = a_campaign().sellers["fastquotes"]
    plain = {
        "lead": lead,
        "facts": {**lead.fields, **lead.derived},
        "currency": "USD",
        "at_us": NOW_US,
        "floors": Floors(lead, a_stage(), terms, Micros(0)),
        "used": lambda _: {},
        "credited": {},
        "bought_by": frozenset(),
        "posted_to": frozenset(),
    }
    return Circumstances(**{**plain, **changes})


WINDOW_BUYER = a_buyer(duplicate_window_s=60)
DAILY = Cap("offer/acme-tx", CapKind.LEADS, 5, Per.DAY)
SPEND = Cap("buyer/acme", CapKind.SPEND, 10 * DOLLAR, Per.MONTH)
NINE = (PriceRule(None, Micros(9 * DOLLAR)),)
PREPAID = a_buyer(billing=Billing(BillingMode.PREPAID))


def filled(cap, used):
    return lambda _: {counter(cap, NOW_US, an_offer(), test=False): used}


@pytest.mark.parametrize(
    ("offer", "circumstances", "reason"),
    [
        (an_offer(), {}, None),
        (an_offer(paused=True), {}, Reason.PAUSED),
        (an_offer(buyer=a_buyer(paused=True)), {}, Reason.PAUSED),
        (an_offer(test=True), {}, Reason.FILTERED),
        (an_offer(), {"lead": a_lead(test=True)}, Reason.FILTERED),
        (an_offer(buyer=a_buyer(currency="CAD")), {}, Reason.CURRENCY),
        (an_offer(), {"lead": a_lead(exclude_buyers=frozenset({"acme"}))}, Reason.SUPPRESSED),
        (an_offer(), {"posted_to": frozenset({"acme"})}, Reason.DUPLICATE_FOR_BUYER),
        (
            an_offer(buyer=WINDOW_BUYER),
            {"bought_by": frozenset({"acme"})},
            Reason.DUPLICATE_FOR_BUYER,
        ),
        (an_offer(), {"bought_by": frozenset({"acme"})}, None),
        (an_offer(where=NEVER), {}, Reason.FILTERED),
        (an_offer(schedule=CLOSED), {}, Reason.SCHEDULE),
        (an_offer(caps=(DAILY,)), {"used": filled(DAILY, 4)}, None),
        (an_offer(caps=(DAILY,)), {"used": filled(DAILY, 5)}, Reason.CAP),
        (an_offer(caps=(SPEND,), floor=Micros(DOLLAR)), {"used": filled(SPEND, 9 * DOLLAR)}, None),
        (
            an_offer(caps=(SPEND,), floor=Micros(DOLLAR + 1)),
            {"used": filled(SPEND, 9 * DOLLAR)},
            Reason.BUDGET,
        ),
        (an_offer(caps=(SPEND,)), {"used": filled(SPEND, 10 * DOLLAR)}, Reason.BUDGET),
        (an_offer(caps=(SPEND,), prices=NINE), {"used": filled(SPEND, 2 * DOLLAR)}, None),
        (
            an_offer(caps=(SPEND,), prices=NINE),
            {"used": filled(SPEND, 2 * DOLLAR), "at_own_price": True},
            Reason.BUDGET,
        ),
        (
            an_offer(caps=(SPEND,), prices=NINE),
            {"used": filled(SPEND, DOLLAR), "at_own_price": True},
            None,
        ),
        (an_offer(buyer=PREPAID), {}, Reason.BUDGET),
        (an_offer(buyer=PREPAID), {"credited": {"acme": Micros(DOLLAR)}}, None),
        (
            an_offer(buyer=PREPAID),
            {
                "credited": {"acme": Micros(DOLLAR)},
                "used": lambda _: {balance_counter("acme"): DOLLAR},
            },
            Reason.BUDGET,
        ),
    ],
)
def test_an_offer_is_left_out_for_its_reason(offer, circumstances, reason):
    """One row a reason: filter, hours, caps, budgets, balance, duplicates, pauses, currency."""
    verdict = left_out_for(offer, around(**circumstances))
    assert (verdict and verdict[0]) == reason


def test_a_filters_reason_names_the_clause():
    """A buyer's integrator reads which clause failed, in the words of the market file."""
    assert filtered_by(an_offer(where=NEVER), around().facts, test=False) == "state == 'NY'"
    assert filtered_by(an_offer(), around().facts, test=False) is None
    assert filtered_by(an_offer(), around().facts, test=True) == FOR_ANOTHER_KIND


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=20))
def test_every_offer_is_screened_exactly_once(switches):
    """Eligible and left out together are all offers, each once, in their order."""
    offers = [
        an_offer(f"acme-{number}", paused=paused, test=test, where=NEVER if filtered else None)
        for number, (paused, test, filtered) in enumerate(switches)
    ]
    screening = screen(offers, around())
    eligible = [offer.id for offer in screening.eligible]
    left_out = [name for some in screening.left_out for name in some.offer_ids]
    assert sorted(eligible + left_out) == sorted(offer.id for offer in offers)
    assert eligible == [o.id for o in offers if not (o.paused or o.test or o.where)]


def test_the_floor_is_the_highest_of_all_that_raise_it():
    """Stage, source, offer and the seller's wish after margin: the highest counts."""
    lead = a_lead()
    terms = a_campaign().sellers["fastquotes"]
    stage = a_stage(floor=Micros(5 * DOLLAR))
    plain = Floors(lead, stage, terms, Micros(0))
    assert plain.of(an_offer()) == 5 * DOLLAR
    assert plain.of(an_offer(floor=Micros(6 * DOLLAR))) == 6 * DOLLAR
    sourced = msgspec.structs.replace(lead.source, floor=Micros(7 * DOLLAR))
    raised = Floors(msgspec.structs.replace(lead, source=sourced), stage, terms, Micros(0))
    assert raised.of(an_offer()) == 7 * DOLLAR
    wished = Floors(lead, stage, terms, Micros(8_500_000))
    assert wished.of(an_offer()) == 10 * DOLLAR


# A lineup, which looks up what the plain rule asks of one offer after the other


NAMES = names_of(AUTO)
CLAUSES = (
    *('state == "TX"', 'state in ["TX", "OK", "NY"]', 'state != "NY"', 'not state == "TX"'),
    *('zip.startswith("787")', 'zip.startswith(["7", "10001"])', 'zip in ["78701", "10001"]'),
    *('zip3 in ["787", "100"]', '"78000" <= zip <= "78999"', 'not zip.startswith("100")'),
    *("age >= 25", "25 <= age < 65", "not age < 25", "age in [35, 70]", "known(age)"),
    *("currently_insured", "not currently_insured", "currently_insured == false"),
    *('credit in ["fair", "very_good"]', 'credit != "poor"', "score >= 50", "hour < 17"),
    *("annual_miles <= 12000.5", "annual_miles * 2 > 20_000", 'first_name == "Ann"'),
    *('(age >= 65 or credit == "poor")', "vehicle_year <= age", "true", "false", "1 < 2"),
    *('credit == "poor"', 'birth_date < "2000-01-01"', 'zip.startswith("")', 'state in ["FL"]'),
)
WEIRD = (None, True, False, 1, 0, 35, "35", Decimal(35), Decimal("sNaN"), Decimal("NaN"), "TX", "")
VALUES = {
    "state": ("TX", "OK", "NY", "FL"), "zip": ("78701", "10001", "7", "99999"),
    "zip3": ("787", "100", "1"), "age": (18, 24, 25, 35, 64, 65, 70, 2020),
    "currently_insured": (True, False), "credit": ("poor", "fair", "very_good"),
    "score": (0, 49, 50, 100), "hour": (0, 16, 17), "first_name": ("Ann", "Bob"),
    "annual_miles": (0, 10_000, 10_001, Decimal("12000.5"), Decimal("12000.6")),
    "vehicle_year": (1999, 2020), "birth_date": ("1999-12-31", "2000-01-01"),
}  # fmt: skip

some_facts = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from((*known, *WEIRD)) for name, known in VALUES.items()}
)
filters = st.one_of(
    st.none(),
    st.lists(st.sampled_from(CLAUSES), min_size=1, max_size=4).map(" and ".join),
)
BUYERS = tuple(
    a_buyer(
        f"buyer{number}",
        paused=number == 1,
        currency="CAD" if number == 2 else "USD",
        duplicate_window_s=60 if number in {3, 4} else 0,
        billing=Billing(BillingMode.PREPAID if number == 5 else BillingMode.OPEN),
        caps=(Cap(f"buyer/buyer{number}", CapKind.SPEND, 10 * DOLLAR, Per.DAY),) * (number > 4),
        zone=ZoneInfo(("UTC", "America/Chicago", "Asia/Kathmandu")[number % 3]),
    )
    for number in range(8)
)
WORKDAYS = (((9 * 60, 17 * 60),),) * 5 + ((),) * 2
TEXAN = compile_condition('state == "TX"', NAMES)
OWN_PRICES = (
    (),
    (PriceRule(None, Micros(4 * DOLLAR)),),
    (PriceRule(TEXAN, Micros(8 * DOLLAR)), PriceRule(None, Micros(DOLLAR))),
)
CAP_KINDS = (CapKind.LEADS, CapKind.CONCURRENT, CapKind.SPEND)


@st.composite
def offers_of_all_kinds(draw):
    """Offers that differ in all that eligibility looks at; sometimes more than are ever listed."""
    made = []
    for number in range(draw(st.integers(0, 8)) * draw(st.sampled_from([1, LISTED_MAX // 3]))):
        buyer = draw(st.sampled_from(BUYERS))
        kinds = draw(st.lists(st.sampled_from(CAP_KINDS), max_size=2))
        text = draw(filters)
        own = (
            Cap(f"offer/o{number}", kind, 2 if kind is not CapKind.SPEND else 5 * DOLLAR, None)
            if kind is CapKind.CONCURRENT
            else Cap(f"offer/o{number}", kind, 2 * DOLLAR if kind is CapKind.SPEND else 2, Per.HOUR)
            for kind in kinds
        )
        made.append(
            an_offer(
                f"o{number}",
                buyer=buyer,
                where=None if text is None else compile_condition(text, NAMES, KNOWN),
                schedule=Schedule(buyer.zone, WORKDAYS) if draw(st.booleans()) else None,
                caps=(*own, *buyer.caps),
                floor=Micros(draw(st.sampled_from([0, DOLLAR, 3 * DOLLAR]))),
                prices=draw(st.sampled_from(OWN_PRICES)),
                test=draw(st.integers(0, 9)) == 0,
                paused=draw(st.integers(0, 9)) == 0,
            )
        )
    return made


KNOWN: dict = {}
"""Clauses are shared, as in a market."""


@st.composite
def circumstances(draw, offers):
    """Somebody's lead, at some minute, with counters that are full for some."""
    buyers = st.frozensets(st.sampled_from([buyer.id for buyer in BUYERS]), max_size=3)
    at_us = (
        NOW_US + draw(st.integers(0, 7 * 24 * 60)) * 60_000_000 + draw(st.integers(0, 59)) * 10**6
    )
    test = draw(st.integers(0, 5)) == 0
    used = {
        buyer.id: {
            counter(cap, at_us, offer, test=test): draw(st.sampled_from([0, 1, 2, 9 * DOLLAR]))
            for offer in offers
            if offer.buyer.id == buyer.id
            for cap in offer.caps
        }
        | {balance_counter(buyer.id): draw(st.sampled_from([0, DOLLAR]))}
        for buyer in BUYERS
    }
    half = Margin(percent=Decimal(50))
    terms = SellerTerms(
        "fastquotes",
        half if draw(st.booleans()) else Margin(percent=Decimal(10)),
        ReturnsTo.PASS,
        others=(half,),
        by_offer=dict.fromkeys(draw(st.sets(st.sampled_from(["o0", "o1", "o2"]))), 0),
    )
    wanted = Micros(draw(st.sampled_from([0, DOLLAR, 3 * DOLLAR])))
    return around(
        lead=a_lead(test=test, exclude_buyers=draw(buyers)),
        floors=Floors(a_lead(), a_stage(), terms, wanted),
        at_own_price=draw(st.booleans()),
        facts=draw(some_facts),
        currency=draw(st.sampled_from(["USD", "USD", "CAD", "EUR"])),
        at_us=at_us,
        used=used.__getitem__,
        credited={"buyer5": Micros(draw(st.sampled_from([0, DOLLAR, 9 * DOLLAR])))},
        bought_by=draw(buyers),
        posted_to=draw(buyers),
    )


@given(st.data())
def test_a_lineup_finds_what_the_plain_rule_says(data):
    """The same offers compete, in their order, and every other one has the same reason.

    One lineup for many leads, as in a market: nothing that is kept from one is wrong for the next.
    """
    offers = data.draw(offers_of_all_kinds())
    lineup = Lineup(offers, personal={"first_name"})
    for _ in range(data.draw(st.integers(1, 4))):
        moment = data.draw(circumstances(offers))
        found, plain = lineup.screen(moment), screen(offers, moment)
        assert found.eligible == plain.eligible
        assert told(found, lineup) == told(plain, lineup)


def told(screening, lineup):
    """Who was left out, by what is said of them; each of them once."""
    said = {
        (some.reason, some.detail): (
            *some.offer_ids,
            *places.picked(lineup.offer_ids, some.places),
        )
        for some in screening.left_out
    }
    assert len(said) == len(screening.left_out)
    twice = Counter(name for names in said.values() for name in names)
    twice.update(offer.id for offer in screening.eligible)
    assert twice == Counter(lineup.offer_ids)
    assert all(len(some.offer_ids) <= LISTED_MAX or not some.places for some in screening.left_out)
    return said


@given(filters, some_facts)
def test_the_clause_that_failed_is_told_afterwards(text, facts):
    """What is not stored follows: an offer is filtered exactly where a clause of it failed."""
    offer = an_offer(where=None if text is None else compile_condition(text, NAMES))
    filtered = left_out_for(offer, around(facts=facts)) is not None
    clause = filtered_by(offer, facts, test=False)
    assert (clause is not None) is filtered
    assert clause is None or clause in text


def test_no_value_of_a_field_that_names_somebody_is_kept():
    """Of a name or an address nothing stays in memory once its lead is gone."""
    where = compile_condition('first_name != "Ann" and age >= 18', NAMES)
    lineup = Lineup([an_offer(where=where)], personal={"first_name"})
    for name in ("Zyxcanary", "Quuxcanary"):
        lineup.screen(around(facts={"first_name": name, "age": 35}))
    assert "canary" not in repr([field._kept for field in lineup._filters._fields])


def test_what_is_kept_of_a_field_is_bounded():
    """However many values a field has, the index begins anew before it grows too large."""
    where = compile_condition("age >= 18", NAMES)
    lineup = Lineup([an_offer(where=where)])
    for age in range(3 * KEPT_MAX):
        assert bool(lineup.screen(around(facts={"age": age})).eligible) is (age >= 18)
    (field,) = lineup._filters._fields
    assert 0 < len(field._kept) <= KEPT_MAX
