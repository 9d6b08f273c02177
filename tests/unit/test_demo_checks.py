"""The checks at the end of a demo find what they are for, and nothing in a run that is right."""

from decimal import Decimal

import pytest

from bidders.fleet.books import Belief
from bidders.fleet.books import Sale as BookedSale
from exchange.demo.checks import (
    BookedBuyer,
    Books,
    against_books,
    against_heard,
    against_market,
    expected_settled,
    sold_twice,
    told_twice,
    unheard,
)
from exchange.demo.order import Heard, Oddity, Way
from exchange.demo.reading import Sale, Told
from exchange.demo.verdict import rules
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind, OnLowerPrice, Per
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import SaleState
from exchange.market.standing import Standing
from tests.making import DOLLAR, NOW_US, an_offer

SALE = "019a0000-0000-7000-8000-00000000aaaa"
LEAD = "019a0000-0000-7000-8000-000000000001"
OFFERS = {
    "acme-tx": an_offer(
        caps=(
            Cap("offer/acme-tx", CapKind.LEADS, 10, Per.TOTAL),
            Cap("offer/acme-tx", CapKind.SPEND, 100 * DOLLAR, Per.TOTAL),
            Cap("buyer/acme", CapKind.CONCURRENT, 5, None),
        )
    ),
    "house": an_offer("house", post=None),
}
LEADS_COUNTER = "offer/acme-tx|leads|total|0"
SPEND_COUNTER = "offer/acme-tx|spend|total|0"


def a_sale(**changes):
    plain = {
        "sale_id": SALE,
        "lead_id": LEAD,
        "offer": "acme-tx",
        "buyer": "acme",
        "price": Micros(9 * DOLLAR),
        "payout": Micros(8 * DOLLAR),
        "held_at_us": NOW_US,
        "test": False,
        "state": SaleState.ACCEPTED.value,
        "charged": Micros(9 * DOLLAR),
    }
    return Sale(**{**plain, **changes})


def books(belief=Belief.ACCEPTED, pays="9.00", sale_id=SALE, buyer="acme-tx"):
    booked = BookedSale(
        sale_id=sale_id,
        ping_id=None,
        price=Decimal("9.00"),
        pays=Decimal(pays),
        belief=belief,
        fault=None,
    )
    return Books({buyer: BookedBuyer((booked,))})


NO_BOOKS = Books({})


def heard(**changes):
    plain = {
        "way": Way.JSON,
        "campaign": "auto-us",
        "seller": "fastquotes",
        "due_us": NOW_US,
        "late_ms": 0.0,
        "ms": 100.0,
        "http": 200,
        "status": "sold",
        "lead_id": LEAD,
        "price": Decimal("8.00"),
    }
    return Heard(**{**plain, **changes})


@pytest.mark.parametrize(
    ("sale", "booked"),
    [
        (a_sale(), books()),
        (a_sale(charged=Micros(7 * DOLLAR)), books(pays="7.00")),
        (a_sale(state="refused", charged=None), books(Belief.REFUSED)),
        (a_sale(state="refused", charged=None), books(Belief.UNREAD)),
        (a_sale(state="refused", charged=None), NO_BOOKS),
        (a_sale(state=None, charged=None), books()),
        (a_sale(state=None, charged=None), NO_BOOKS),
        (a_sale(state="void", charged=None), books()),
        (a_sale(test=True, charged=None), books()),
        (a_sale(offer="house"), NO_BOOKS),
    ],
)
def test_what_may_be_between_a_ledger_and_a_buyer(sale, booked):
    """In doubt and void are no contradiction: a late acceptance is recorded and never charged."""
    assert list(against_books([sale], OFFERS, booked)) == []


@pytest.mark.parametrize(
    ("sale", "booked", "says"),
    [
        (a_sale(), NO_BOOKS, "never heard of it"),
        (a_sale(), books(Belief.REFUSED), "the buyer believes: refused"),
        (a_sale(), books(Belief.PENDING), "the buyer believes: pending"),
        (a_sale(), books(pays="7.00"), "charged 9.00, but the buyer pays 7.00"),
        (a_sale(state="refused", charged=None), books(), "refused, but the buyer believes"),
    ],
)
def test_a_ledger_and_a_buyer_that_contradict_each_other_are_found(sale, booked, says):
    """Each with the sale and what is wrong about it."""
    (found,) = against_books([sale], OFFERS, booked)
    assert (found.check, found.subject) == ("books", SALE)
    assert says in found.detail


def test_a_post_that_nobody_awarded_is_found():
    """Not even a buyer that refused it may have been posted a lead without an award."""
    (found,) = against_books([], OFFERS, books(Belief.REFUSED))
    assert "nobody awarded" in found.detail


def test_a_disputed_lower_price_is_charged_in_full():
    """Where the offer says so, the buyer owes what it bid."""
    offers = {"acme-tx": an_offer(on_lower_price=OnLowerPrice.DISPUTE)}
    assert list(against_books([a_sale()], offers, books(pays="7.00"))) == []
    taken = a_sale(charged=Micros(7 * DOLLAR))
    assert len(list(against_books([taken], offers, books(pays="7.00")))) == 1


def test_a_lead_that_two_buyers_are_charged_for_is_found():
    """One sale, and an award that came to nothing, are fine."""
    other = a_sale(sale_id="other", buyer="zeta")
    refused = a_sale(sale_id="third", state="refused")
    assert list(sold_twice([a_sale(), refused])) == []
    (found,) = sold_twice([a_sale(), other, refused])
    assert (found.subject, found.detail) == (LEAD, "2 sales are charged")


@pytest.mark.parametrize(
    ("told", "ledger"),
    [
        (heard(), Told("sold", Micros(8 * DOLLAR))),
        (heard(status="pending", price=None), Told("sold", Micros(8 * DOLLAR))),
        (heard(status="pending", price=None), Told("pending", None)),
        (heard(status="unsold", price=None), Told("unsold", None)),
        (heard(http=422, status=None, lead_id=None, price=None), Told("sold", None)),
    ],
)
def test_what_a_seller_was_told_may_stand_so_in_the_ledger(told, ledger):
    """Pending may become anything."""
    assert list(against_heard([told], {LEAD: ledger})) == []


@pytest.mark.parametrize(
    ("told", "ledger"),
    [
        (heard(), {}),
        (heard(), {LEAD: Told("unsold", None)}),
        (heard(), {LEAD: Told("sold", Micros(7 * DOLLAR))}),
        (heard(status="unsold", price=None), {LEAD: Told("sold", Micros(8 * DOLLAR))}),
    ],
)
def test_what_a_seller_was_told_otherwise_is_found(told, ledger):
    """Another status, another price, or no such lead."""
    (found,) = against_heard([told], ledger)
    assert (found.check, found.subject) == ("heard", LEAD)


def test_one_lead_told_to_two_requests_is_found():
    """Every request is a lead of its own."""
    assert list(told_twice([heard(), heard(lead_id="other"), heard(lead_id=None)])) == []
    assert len(list(told_twice([heard(), heard()]))) == 1


def test_requests_that_were_never_answered_or_wrongly_taken_are_found():
    """An overload answer is an answer; an error of the exchange's own is not."""
    good = [heard(), heard(http=422, oddity=Oddity.INVALID), heard(http=503), heard(http=429)]
    assert list(unheard(good)) == []
    for bad in (heard(http=0), heard(http=500), heard(oddity=Oddity.INVALID)):
        assert len(list(unheard([bad]))) == 1


def test_counters_follow_from_the_ledger_s_sales():
    """What is charged counts, in the window of its hold; what is concurrent leaves nothing."""
    sales = [
        a_sale(),
        a_sale(sale_id="2", charged=Micros(7 * DOLLAR)),
        a_sale(sale_id="3", state="refused"),
        a_sale(sale_id="4", state=None),
    ]
    settled = expected_settled(sales, OFFERS, {})
    assert settled == {"acme": {LEADS_COUNTER: 2, SPEND_COUNTER: 16 * DOLLAR}}


def test_market_state_that_agrees_with_the_ledger_is_fine():
    """Nothing is held but what is in doubt; a test's counters nobody can check."""
    settled = {LEADS_COUNTER: 2, "test/offer/acme-tx|leads|total|0": 1}
    held = {LEADS_COUNTER: 1}
    standing = {"acme": Standing(settled, held, {SALE: LEAD}), "idle": Standing({}, {}, {})}
    assert list(against_market(standing, {"acme": {LEADS_COUNTER: 2}}, {SALE})) == []


@pytest.mark.parametrize(
    ("standing", "check"),
    [
        (Standing({LEADS_COUNTER: 3}, {}, {}), "counter"),
        (Standing({}, {}, {}), "counter"),
        (Standing({LEADS_COUNTER: 2, SPEND_COUNTER: 1}, {}, {}), "counter"),
        (Standing({LEADS_COUNTER: 2}, {}, {"unknown": LEAD}), "held"),
        (Standing({LEADS_COUNTER: 2}, {LEADS_COUNTER: 1}, {}), "held"),
    ],
)
def test_market_state_that_differs_from_the_ledger_is_found(standing, check):
    """Too much, too little, a hold of nothing, an amount without a hold."""
    (found,) = against_market({"acme": standing}, {"acme": {LEADS_COUNTER: 2}}, {SALE})
    assert found.check == check


def test_the_ledger_is_checked_against_the_caps_of_accounts_too():
    """With the offers that belong to each; their caps are those of any of them."""
    scope = "account/acme:west"
    cap = Cap(scope, CapKind.LEADS, 3, Per.DAY)
    west = [an_offer(name, account="west", caps=(cap,)) for name in ("acme-tx", "acme-ok")]
    offers = {one.id: one for one in (*west, an_offer("acme-la"))}
    market = Snapshot(1, {}, {}, {}, offers, {}, {}, {})
    found = rules(market, NOW_US)
    assert [limit for limit, _ in found.caps] == [cap]
    assert found.members == {scope: ("acme-tx", "acme-ok")}
