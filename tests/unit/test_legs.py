"""What a post insists on of its quote: whoever takes a leg's place pays no less."""

from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.campaign import Margin
from exchange.domain.legs import Kept, QuotedLeg, chosen
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.pricing import payout_of as payout_at
from tests.making import an_offer

NAMES = ("acme", "bravo", "cargo", "delta", "echo", "fox")
MARGIN = Margin(round_to_cent=False)


def a_leg(number, name, payout, **more):
    return QuotedLeg(
        leg_id=str(number), offer_id=name, price=Micros(payout + 1), payout=Micros(payout), **more
    )


def a_bid(name, price, exclusive=None):
    own = None if exclusive is None else Micros(exclusive)
    return Bid(offer=an_offer(name), price=Micros(price), exclusive_price=own)


def payout_of(bid):
    return Micros(bid.price - 1)


prices = st.dictionaries(st.sampled_from(NAMES), st.integers(2, 30), max_size=6)


@given(
    prices,
    st.integers(0, 4),
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from(NAMES)),
    st.booleans(),
    st.booleans(),
)
def test_nobody_comes_in_for_less_than_the_leg_that_fell_through(
    bids, count, gone, taken, is_chosen, insists
):
    """Whatever is left and whoever has it: the quoted may come in, others only in a free place."""
    ranked = sorted(bids.items(), key=lambda pair: -pair[1])
    legs = tuple(a_leg(n, name, price - 1) for n, (name, price) in enumerate(ranked[:count], 1))
    kept = Kept(legs=legs, stage=1, is_chosen=is_chosen, insists=insists)
    taken = taken - gone
    left = [a_bid(name, price, 99) for name, price in ranked if name not in gone | taken]
    able = kept.takers(left, taken, payout_of)
    quoted = {leg.offer_id: leg.payout for leg in legs}
    names = {bid.offer.id for bid in able}
    assert names >= {bid.offer.id for bid in left} & quoted.keys()
    fallen = [pay for name, pay in quoted.items() if name in gone]
    for bid in able:
        assert bid.exclusive_price is None
        if bid.offer.id not in quoted:
            assert not is_chosen
            assert len(fallen) > len(set(taken) - quoted.keys())
            assert not insists or payout_of(bid) >= min(fallen)


def test_a_leg_for_one_alone_is_sold_to_one_alone():
    """Its bid stands for that only; who takes its place shares with nobody for less."""
    kept = Kept(legs=(a_leg(1, "acme", 20),), stage=1, alone=True)
    (bid,) = kept.takers([a_bid("acme", 5, 21), a_bid("bravo", 6)], (), payout_of)
    assert (bid.price, bid.exclusive_price) == (0, 21)
    assert kept.takers([a_bid("bravo", 6), a_bid("cargo", 25)], (), payout_of) == [
        a_bid("cargo", 25)
    ]


def test_a_deal_pays_what_was_quoted_and_room_that_was_held_covers_it():
    """Under second price fewer rivals would make it cheaper: the quote stands."""
    leg = a_leg(1, "acme", 8, sale_id="s", held_at_us=5)
    kept = Kept(legs=(leg,), stage=1, held=(leg,))
    cheap = Deal(a_bid("acme", 12), Micros(5), Micros(4))
    promised = kept.as_promised(cheap, Micros(10), MARGIN)
    assert (promised.price, promised.payout) == (9, 8)
    assert kept.held_for(promised) is leg
    assert kept.held_for(Deal(a_bid("acme", 12), Micros(12), Micros(11))) is None
    permits = Kept(legs=(leg,), stage=1, insists=False)
    assert permits.as_promised(cheap, Micros(10), MARGIN) is cheap


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 99), st.booleans())
def test_a_deal_in_place_of_a_leg_pays_no_less_and_its_buyer_no_more_than_it_bid(
    bid, least, percent, rounds
):
    """Whatever second price makes of it; the margin is not relaxed for it."""
    relaxed = Margin(round_to_cent=rounds)
    margin = Margin(percent=Decimal(percent), round_to_cent=rounds, relaxed=relaxed)
    assume(payout_at(bid, margin) >= least)
    kept = Kept(legs=(a_leg(1, "acme", 5),), stage=1)
    cheap = Deal(a_bid("bravo", bid), Micros(0), Micros(0))
    deal = kept.as_promised(cheap, Micros(least), margin)
    assert deal.price <= bid
    assert deal.payout >= least
    assert deal.payout == payout_at(deal.price, margin)
    assert kept.as_promised(cheap, None, margin) is cheap


def test_ids_and_names_choose_together():
    """Names choose only where the quote told any; ids always."""
    legs = (a_leg(1, "acme", 3, buyer="Acme of Texas"), a_leg(2, "bravo", 2), a_leg(3, "cargo", 1))
    names = {"bravo": ("bravo", "Bravo Inc."), "cargo": ("cargo", "Cargo")}
    assert chosen(legs, None, (), names) == legs
    assert chosen(legs, {"1", "3"}, (), names) == (legs[0], legs[2])
    assert chosen(legs, None, ("ACME OF TEXAS", "bravo inc."), names) == legs[:2]
    assert chosen(legs, {"2", "3"}, ("acme of texas", "cargo"), names) == (legs[2],)
    assert chosen(legs[1:], None, ("acme of texas",), names) == legs[1:]
