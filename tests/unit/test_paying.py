"""Nobody pays more than it bid or less than its floor, and no buyer sets its own price."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.campaign import Margin, PriceRuleKind, ReturnsTo, SellerTerms
from exchange.domain.floors import Floors
from exchange.domain.money import Micros
from exchange.domain.offer import OnLowerPrice
from exchange.domain.paying import Terms, charged, deals
from exchange.domain.ranking import rank
from tests.making import DOLLAR, a_lead, a_stage, an_offer

FIRST, SECOND = PriceRuleKind.FIRST_PRICE, PriceRuleKind.SECOND_PRICE
TWENTY = Margin(percent=Decimal(20), relaxed=Margin(percent=Decimal(10)))


def terms(rule=SECOND, floor=0, wanted=0, margin=TWENTY):
    seller = SellerTerms("fastquotes", margin, ReturnsTo.PASS)
    stage = a_stage(floor=Micros(floor), price_rule=rule)
    return Terms(rule, seller, Floors(a_lead(), stage, seller, Micros(wanted)), Micros(wanted))


def bid(name, price, floor=0):
    return Bid(offer=an_offer(name, floor=Micros(floor)), price=Micros(price))


@st.composite
def markets(draw):
    """Return terms, and bids that stand under them, best first: up to eight of five buyers."""
    on = terms(
        draw(st.sampled_from([FIRST, SECOND])),
        draw(st.integers(0, 3 * DOLLAR)),
        draw(st.integers(0, 3 * DOLLAR)),
    )
    made = []
    for number in range(draw(st.integers(1, 8))):
        name = f"{draw(st.sampled_from('abcde'))}-{number}"
        one = bid(name, draw(st.integers(0, 9 * DOLLAR)), draw(st.integers(0, 2 * DOLLAR)))
        if one.price >= on.floors.of(one.offer):
            made.append(one)
    return on, rank(made, "auction")


def buyer(one):
    return one.offer.buyer.id


@given(markets(), st.integers(1, 4), st.sets(st.sampled_from("abcde"), max_size=2))
def test_a_price_lies_between_floor_and_bid_and_is_divided_without_a_rest(market, most, sent):
    """For one winner and for several, under both rules, before and after refusals."""
    on, ranked = market
    winners = [one for one in ranked if buyer(one) not in sent][:most]
    others = [one for one in ranked if one not in winners]
    for one, deal in zip(winners, deals(winners, others, on, sent), strict=True):
        assert deal.bid is one
        assert on.floors.of(one.offer) <= deal.price <= one.price
        assert 0 <= deal.payout <= deal.price
        assert deal.payout >= on.wanted
        if on.rule is FIRST:
            assert deal.price == one.price
        else:
            able = [o.price for o in others if buyer(o) not in {*sent, *map(buyer, winners)}]
            assert deal.price == min(one.price, max([on.floors.of(one.offer), *able]))


@given(markets(), st.integers(0, 5 * DOLLAR))
def test_what_a_winner_pays_does_not_depend_on_what_it_bid(market, more):
    """Under second price a bid decides whether one wins, never at what price."""
    on, ranked = market
    if on.rule is SECOND and ranked:
        best, *rest = ranked
        higher = Bid(offer=best.offer, price=Micros(best.price + more))
        (deal,) = deals([best], rest, on)
        (again,) = deals([higher], rest, on)
        assert deal.price == again.price


@given(markets(), st.data())
def test_a_quotes_promise_is_kept_by_whoever_still_stands(market, data):
    """Its best bid alone, beside some of the others, or one of them after it refused."""
    on, ranked = market
    if not ranked:
        return
    (quoted,) = deals(ranked[:1], ranked[1:], on)
    later = terms(on.rule, 0, quoted.payout, on.seller.margin)
    left = [one for one in ranked if data.draw(st.booleans())]
    standing = [one for one in left if one.price >= later.floors.of(one.offer)]
    assert ranked[0] in standing or ranked[0] not in left
    for place, one in enumerate(standing, 1):
        (deal,) = deals([one], standing[place:], later, {buyer(o) for o in standing[: place - 1]})
        assert quoted.payout <= deal.payout <= deal.price <= one.price


def test_the_next_bid_sets_the_price_and_after_a_refusal_the_one_below():
    """13, 12, 11 over a floor of 5: the first pays 12, after its refusal the second pays 11."""
    on = terms(floor=5 * DOLLAR)
    ranked = [bid("a", 13 * DOLLAR), bid("b", 12 * DOLLAR), bid("c", 11 * DOLLAR)]
    paid = [
        deals([one], ranked[place:], on, sent)[0]
        for place, one, sent in zip((1, 2, 3), ranked, ({}, {"a"}, {"a", "b"}), strict=True)
    ]
    assert [deal.price // DOLLAR for deal in paid] == [12, 11, 5]
    assert [deal.remark for deal in paid] == [
        "second price: the bid of b",
        "second price: the bid of c",
        "second price: its floor",
    ]


def test_a_buyers_other_offer_and_who_refused_set_no_price():
    """Neither its own second bid nor that of a buyer who had the lead already could have bought."""
    others = [bid("a-2", 12 * DOLLAR), bid("b-1", 11 * DOLLAR), bid("c-1", 7 * DOLLAR)]
    (deal,) = deals([bid("a-1", 13 * DOLLAR)], others, terms(), {"b"})
    assert deal.price == 7 * DOLLAR


def test_winners_who_share_pay_the_best_bid_that_did_not_win():
    """Three of five: each pays the fourth, or its own floor where that is higher."""
    won = [bid("a", 13 * DOLLAR), bid("b", 12 * DOLLAR, floor=10 * DOLLAR), bid("c", 11 * DOLLAR)]
    lost = [bid("d", 9 * DOLLAR), bid("e", 8 * DOLLAR)]
    assert [one.price // DOLLAR for one in deals(won, lost, terms())] == [9, 10, 9]


def test_equal_bids_pay_what_they_bid_and_nothing_is_said_of_a_rule():
    """The next bid is as high: second price is first price."""
    (deal,) = deals([bid("a", 9 * DOLLAR)], [bid("b", 9 * DOLLAR)], terms())
    assert (deal.price, deal.remark) == (9 * DOLLAR, None)


def test_a_margin_is_relaxed_at_the_price_that_is_paid_and_it_is_said():
    """The seller wants 9.00: at 11.00 the margin of 20 % leaves 8.80, so it shrinks to 2.00."""
    on = terms(wanted=9 * DOLLAR)
    (deal,) = deals([bid("a", 20 * DOLLAR)], [bid("b", 11 * DOLLAR)], on)
    assert (deal.price, deal.payout) == (11 * DOLLAR, 9 * DOLLAR)
    assert deal.remark == "second price: the bid of b; margin 2.20 relaxed to 2.00"


@given(st.integers(1, 9 * DOLLAR), st.integers(0, 9 * DOLLAR), st.decimals(0, 100, places=2))
def test_a_lower_price_is_taken_down_to_its_limit_and_no_further(asked, said, percent):
    """Nobody owes more than was asked, or less than the limit leaves of it."""
    offer = an_offer(take_down_to=percent)
    owed, remark = charged(Micros(asked), Micros(said), offer)
    if said >= asked:
        assert (owed, remark) == (asked, "higher price ignored" if said > asked else None)
    elif said * 100 >= asked * percent:
        assert (owed, remark) == (said, "lower price taken")
    else:
        assert (owed, remark) == (asked, "lower price disputed")
    disputing = an_offer(on_lower_price=OnLowerPrice.DISPUTE)
    assert charged(Micros(asked), Micros(said), disputing)[0] == asked
    assert charged(Micros(asked), None, offer) == (asked, None)
