"""Whose counters are asked of the books when the market changes: whoever has a limit anew."""

import pytest
from msgspec.structs import replace

from exchange.domain.newly_limited import newly_limited
from exchange.domain.offer import Billing, BillingMode, Cap, CapKind, Per
from tests.making import a_buyer, a_campaign, an_offer
from tests.making_intake import SELLER, STRANGER, a_snapshot

DAY = Cap("offer/acme-tx", CapKind.LEADS, 5, Per.DAY)
BUSY = Cap("offer/acme-tx", CapKind.CONCURRENT, 5, None)
PILOT = Cap("pilot/fastquotes", CapKind.PAYOUT, 5, Per.TOTAL)
TRIED = Cap("campaign-pilot/auto-us", CapKind.SPEND, 5, Per.TOTAL)
ACCOUNT = Cap("account/acme:dallas", CapKind.LEADS, 5, Per.DAY)


def a_market(buyer=None, offer=None, seller=SELLER, campaign=None):
    buyer = buyer or a_buyer(id="acme")
    offer = replace(offer or an_offer(), id="acme-tx", buyer=buyer)
    return a_snapshot(
        buyers={buyer.id: buyer},
        offers={"acme-tx": offer},
        sellers={"fastquotes": seller, "other": STRANGER},
        campaigns={"auto-us": campaign or a_campaign(id="auto-us")},
    )


PLAIN = an_offer(caps=())
CHANGES = [
    ({"offer": replace(PLAIN, caps=(DAY,))}, {"acme"}),
    ({"offer": replace(PLAIN, caps=(BUSY,))}, set()),
    (
        {"buyer": replace(a_buyer(id="acme"), billing=Billing(BillingMode.PREPAID))},
        {"acme"},
    ),
    ({"seller": replace(SELLER, caps=(PILOT,), pilot=(PILOT,))}, {"seller:fastquotes"}),
    ({"campaign": a_campaign(id="auto-us", pilot=(TRIED,))}, {"campaign:auto-us"}),
]


@pytest.mark.parametrize(("changed", "whose"), CHANGES)
def test_who_has_a_limit_anew_is_counted_anew(changed, whose):
    """What is held at once begins with nothing, and is not; who loses a limit neither."""
    before, after = a_market(offer=PLAIN), a_market(**{"offer": PLAIN, **changed})
    assert newly_limited(before, after) == whose
    assert newly_limited(after, before) == set()
    assert newly_limited(after, after) == set()


def test_a_limit_that_only_grows_asks_nobody():
    """Its counter is there, and right."""
    before = a_market(offer=replace(PLAIN, caps=(DAY,)))
    after = a_market(offer=replace(PLAIN, caps=(replace(DAY, limit=9),)))
    assert newly_limited(before, after) == set()


def test_who_moves_to_another_account_is_counted_there():
    """An account's limit counts the sales of the offers that are its own now."""
    one = replace(PLAIN, caps=(ACCOUNT,), account="dallas")
    before, after = a_market(offer=replace(one, account="austin")), a_market(offer=one)
    assert newly_limited(before, after) == {"acme"}


def test_who_is_new_is_counted_where_its_part_is_opened():
    """And not a second time."""
    other = a_buyer(id="bravo")
    after = a_market(buyer=other, offer=replace(PLAIN, caps=(DAY,)))
    assert newly_limited(a_market(), after) == set()
