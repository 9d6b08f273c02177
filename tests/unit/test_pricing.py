"""A buyer's price is divided without a rest, and the least price for a payout is found exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.campaign import Margin, MarginKind
from exchange.domain.money import Micros
from exchange.domain.pricing import UNREACHABLE_PRICE, acceptable, least_price, split

prices = st.integers(0, 10**12).map(Micros)
margins = st.one_of(
    st.builds(
        Margin,
        kind=st.just(MarginKind.PERCENT),
        percent=st.decimals(0, 100, places=2),
        round_to_cent=st.booleans(),
    ),
    st.builds(
        Margin,
        kind=st.just(MarginKind.FIXED),
        amount=st.integers(0, 10**9).map(Micros),
        round_to_cent=st.booleans(),
    ),
    st.builds(
        Margin,
        kind=st.just(MarginKind.PAYOUT),
        amount=st.integers(0, 10**9).map(Micros),
        round_to_cent=st.booleans(),
    ),
)


@given(prices, margins)
def test_price_is_payout_plus_margin_always(price, margin):
    """The books balance whatever the rule and however it rounds."""
    parts = split(price, margin)
    assert parts.payout + parts.margin == parts.price == price
    assert parts.payout >= 0


@given(prices, margins)
def test_the_least_price_for_a_payout_pays_it_and_not_a_micro_less_would(payout, margin):
    """A floor that follows from a seller's wish is neither too low nor too high."""
    price = least_price(payout, margin)
    if price == UNREACHABLE_PRICE:
        return
    assert split(price, margin).payout >= payout
    assert acceptable(price, margin)
    if price > 0:
        below = Micros(price - 1)
        parts = split(below, margin)
        cut = margin.kind is MarginKind.FIXED and parts.margin < margin.amount
        assert parts.payout < payout or cut or not acceptable(below, margin)


def test_a_seller_without_a_wish_leaves_a_fixed_margin_whole():
    """Two dollars of each sale are two dollars also where the seller would take nothing."""
    two = Margin(kind=MarginKind.FIXED, amount=Micros(2_000_000))
    assert least_price(Micros(0), two) == 2_000_000


def test_fifteen_percent_of_thirteen_dollars():
    """The contract's own figure: 13.00 less 15 % is 11.05."""
    parts = split(Micros(13_000_000), Margin(percent=Decimal(15)))
    assert (parts.payout, parts.margin) == (11_050_000, 1_950_000)


@pytest.mark.parametrize(("price", "allowed"), [(5_990_000, False), (6_000_000, True)])
def test_a_fixed_payout_above_the_price_is_a_loss_and_not_acceptable(price, allowed):
    """A margin below zero counts as below floor, unless the campaign allows a loss."""
    margin = Margin(kind=MarginKind.PAYOUT, amount=Micros(6_000_000))
    assert acceptable(Micros(price), margin) is allowed
    lossy = Margin(kind=MarginKind.PAYOUT, amount=Micros(6_000_000), allow_loss=True)
    assert acceptable(Micros(price), lossy)
