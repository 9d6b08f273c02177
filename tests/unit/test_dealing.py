"""Who is alone pays what the others would have brought, and no buyer raises its own price."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.campaign import Margin, PriceRuleKind, ReturnsTo, SellerTerms
from exchange.domain.choice import Choice, Sharing, choose
from exchange.domain.dealing import dealt
from exchange.domain.floors import Floors
from exchange.domain.money import Micros
from exchange.domain.paying import Terms
from tests.making import a_lead, a_stage
from tests.making_choice import BUYERS, a_bid, best_of_all, made, rows, sharings

SECOND = PriceRuleKind.SECOND_PRICE


def terms(rule=SECOND, floor=0):
    seller = SellerTerms("fastquotes", Margin(percent=Decimal(20)), ReturnsTo.PASS)
    stage = a_stage(floor=Micros(floor), price_rule=rule)
    return Terms(rule, seller, Floors(a_lead(), stage, seller, Micros(0)), Micros(0))


def paid(bids, sharing, on, sent=()):
    """Return the choice, and what each of its buyers pays."""
    choice = choose(bids, sharing)
    if choice is None:
        return None, []
    chosen = {bid.offer.id for bid in choice.bids}
    others = [bid for bid in bids if bid.offer.id not in chosen]
    return choice, [deal.price for deal in dealt(choice, others, sharing, on, sent)]


@given(
    st.lists(rows, max_size=7).map(made),
    sharings,
    st.integers(0, 3),
    st.sets(st.sampled_from(BUYERS), max_size=2),
    st.integers(1, 60),
)
def test_nobody_pays_more_than_it_bid_and_who_is_alone_what_the_others_bring(
    bids, sharing, floor, sent, alone
):
    """Of other buyers than its own, and of none that was sent the lead, whatever each bids."""
    bids = [a_bid("acme-7", 0, alone), *bids]
    bids = [
        bid
        for bid in bids
        if all(price in {0, None} or price >= floor for price in (bid.price, bid.exclusive_price))
    ]
    able = [bid for bid in bids if bid.offer.buyer.id not in sent]
    choice = choose(able, sharing)
    if choice is None:
        return
    chosen = {bid.offer.id for bid in choice.bids}
    others = [bid for bid in bids if bid.offer.id not in chosen]
    deals = dealt(choice, others, sharing, terms(floor=floor), sent)
    assert [deal.bid.offer.id for deal in deals] == [bid.offer.id for bid in choice.bids]
    for bid, deal in zip(choice.bids, deals, strict=True):
        assert deal.price <= choice.price_of(bid)
    never_shares = choice.bids[0].offer.share_with_max == 0 and sharing.buyers_max > 1
    if choice.alone or never_shares:
        (winner,), (deal,) = choice.bids, deals
        own = winner.offer.buyer.id
        rest = best_of_all([bid for bid in able if bid.offer.buyer.id != own], sharing) or 0
        assert deal.price == min(choice.price_of(winner), max(floor, rest))


def test_a_buyers_other_offers_neither_raise_nor_lower_what_it_pays_for_being_alone():
    """Its own 12 and the 10 of somebody else bring 22; what it is measured against is 10."""
    alone = a_bid("acme-1", 1, 30)
    others = [a_bid("acme-2", 12), a_bid("bravo-1", 10)]
    choice, prices = paid([alone, *others], Sharing(buyers_max=2), terms(floor=2))
    assert choice == Choice((alone,), alone=True)
    assert prices == [10]


def test_an_offer_that_never_shares_pays_what_those_would_have_brought_who_would():
    """It bids 20 for having it alone, and keeps out two who would have paid 7 and 6."""
    bids = [a_bid("acme-1", 20, share_with_max=0), a_bid("bravo-1", 7), a_bid("cargo-1", 6)]
    choice, prices = paid(bids, Sharing(buyers_max=2), terms())
    assert (choice, prices) == (Choice((bids[0],)), [13])


def test_who_was_sent_the_lead_sets_no_price_for_who_is_alone():
    """Bravo refused by one of its offers; its other one could not have bought."""
    alone = a_bid("acme-1", 1, 30)
    others = [a_bid("bravo-2", 12), a_bid("cargo-1", 9)]
    choice = Choice((alone,), alone=True)
    (deal,) = dealt(choice, others, Sharing(buyers_max=2), terms(), {"bravo"})
    assert (deal.price, deal.remark) == (9, "second price: the bid of cargo-1")


def test_under_first_price_everybody_pays_what_was_chosen():
    """Alone at the exclusive price, together at each one's own."""
    bids = [a_bid("acme-1", 7, 17), a_bid("bravo-1", 6), a_bid("cargo-1", 5)]
    first = terms(PriceRuleKind.FIRST_PRICE)
    assert paid(bids, Sharing(buyers_max=3), first)[1] == [7, 6, 5]
    assert paid(bids, Sharing(buyers_max=2), first)[1] == [17]
