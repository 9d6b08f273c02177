"""Every offer competes or has exactly one reason, and the first reason is the cheapest to find."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.caps import balance_counter, counter
from exchange.domain.eligibility import Circumstances, left_out_for, screen
from exchange.domain.floors import Floors
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Cap, CapKind, Condition, Per
from exchange.domain.reason import Reason
from exchange.domain.schedule import Schedule
from tests.making import DOLLAR, NOW_US, a_buyer, a_campaign, a_lead, a_stage, an_offer

NEVER = Condition("state == 'NY'", lambda _: False, lambda _: "state == 'NY'")
CLOSED = Schedule(a_buyer().zone, ((),) * 7)


def around(**changes):
    lead = changes.pop("lead", a_lead())
    margin = a_campaign().sellers["fastquotes"].margin
    plain = {
        "lead": lead,
        "facts": {**lead.fields, **lead.derived},
        "currency": "USD",
        "at_us": NOW_US,
        "floors": Floors(lead, a_stage(), margin, Micros(0)),
        "used": lambda _: {},
        "credited": {},
        "bought_by": frozenset(),
        "posted_to": frozenset(),
    }
    return Circumstances(**{**plain, **changes})


WINDOW_BUYER = a_buyer(duplicate_window_s=60)
DAILY = Cap("offer/acme-tx", CapKind.LEADS, 5, Per.DAY)
SPEND = Cap("buyer/acme", CapKind.SPEND, 10 * DOLLAR, Per.MONTH)
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
    assert left_out_for(an_offer(where=NEVER), around()) == (Reason.FILTERED, "state == 'NY'")


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=20))
def test_every_offer_is_screened_exactly_once(switches):
    """Eligible and left out together are all offers, each once, in their order."""
    offers = [
        an_offer(f"acme-{number}", paused=paused, test=test, where=NEVER if filtered else None)
        for number, (paused, test, filtered) in enumerate(switches)
    ]
    screening = screen(offers, around())
    eligible = [offer.id for offer in screening.eligible]
    left_out = [result.offer_id for result in screening.left_out]
    assert sorted(eligible + left_out) == sorted(offer.id for offer in offers)
    assert all(result.reason is not None for result in screening.left_out)
    assert eligible == [o.id for o in offers if not (o.paused or o.test or o.where)]


def test_the_floor_is_the_highest_of_all_that_raise_it():
    """Stage, source, offer and the seller's wish after margin: the highest counts."""
    lead = a_lead()
    margin = a_campaign().sellers["fastquotes"].margin
    stage = a_stage(floor=Micros(5 * DOLLAR))
    plain = Floors(lead, stage, margin, Micros(0))
    assert plain.of(an_offer()) == 5 * DOLLAR
    assert plain.of(an_offer(floor=Micros(6 * DOLLAR))) == 6 * DOLLAR
    sourced = msgspec.structs.replace(lead.source, floor=Micros(7 * DOLLAR))
    raised = Floors(msgspec.structs.replace(lead, source=sourced), stage, margin, Micros(0))
    assert raised.of(an_offer()) == 7 * DOLLAR
    wished = Floors(lead, stage, margin, Micros(8_500_000))
    assert wished.of(an_offer()) == 10 * DOLLAR
