"""A buyer's price is divided without a rest, and the least price for a payout is found exactly."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.campaign import Band, Margin, MarginKind
from exchange.domain.money import MICROS_PER_CENT, Micros
from exchange.domain.pricing import UNREACHABLE_PRICE, acceptable, falls_at, least_price, split

prices = st.integers(0, 10**12).map(Micros)
amounts = st.integers(0, 10**9).map(Micros)
percents = st.decimals(0, 100, places=2)
plain = st.one_of(
    st.builds(
        Margin, kind=st.just(MarginKind.PERCENT), percent=percents, round_to_cent=st.booleans()
    ),
    st.builds(Margin, kind=st.just(MarginKind.FIXED), amount=amounts, round_to_cent=st.booleans()),
    st.builds(Margin, kind=st.just(MarginKind.PAYOUT), amount=amounts, round_to_cent=st.booleans()),
)


@st.composite
def in_bands(draw):
    """Return a margin in up to four bands under which no higher price pays less."""
    to_cent = draw(st.booleans())
    limits = sorted(draw(st.sets(st.integers(1, 10**9), max_size=3)))
    ways = [draw(plain) for _ in range(len(limits) + 1)]
    bands = tuple(
        Band(
            None if limit is None else Micros(limit),
            msgspec.structs.replace(way, round_to_cent=to_cent),
        )
        for limit, way in zip([*limits, None], ways, strict=True)
    )
    return Margin(MarginKind.BANDS, round_to_cent=to_cent, bands=bands)


@st.composite
def relaxing(draw):
    """Return a margin that may shrink to a limit."""
    share, of = draw(st.floats(0, 1)), draw(plain.filter(lambda m: m.kind != MarginKind.PAYOUT))
    least = msgspec.structs.replace(
        of,
        percent=(of.percent * Decimal(share)).quantize(Decimal("0.01"), rounding="ROUND_DOWN"),
        amount=Micros(int(of.amount * share)),
    )
    return msgspec.structs.replace(of, relaxed=least)


banded = in_bands().filter(lambda margin: falls_at(margin) is None)
margins = st.one_of(plain, banded, relaxing())


@given(prices, margins, prices)
def test_price_is_payout_plus_margin_always(price, margin, wanted):
    """The books balance whatever the rule, however it rounds and however it is relaxed."""
    parts = split(price, margin, wanted)
    assert parts.payout + parts.margin == parts.price == price
    assert parts.payout >= 0


@given(prices, margins)
def test_the_least_price_for_a_payout_pays_it_and_not_a_micro_less_would(payout, margin):
    """A floor that follows from a seller's wish is neither too low nor too high."""
    price = least_price(payout, margin)
    if price == UNREACHABLE_PRICE:
        return
    assert split(price, margin, payout).payout >= payout
    assert acceptable(price, margin)
    if price > 0:
        below = Micros(price - 1)
        parts = split(below, margin, payout)
        least = margin.relaxed or margin
        way = next((b.margin for b in least.bands if b.upto is None or below <= b.upto), least)
        cut = way.kind is MarginKind.FIXED and parts.margin < way.amount
        assert parts.payout < payout or cut or not acceptable(below, margin)


@given(prices, margins, st.integers(0, 10**9))
def test_every_price_from_the_least_on_satisfies_the_seller(payout, margin, more):
    """So one floor tells which bids suffice: with bands, and with margins that are relaxed."""
    least = least_price(payout, margin)
    if least < UNREACHABLE_PRICE:
        parts = split(Micros(least + more), margin, payout)
        assert parts.payout >= payout
        assert parts.margin >= 0


@given(prices, relaxing(), prices)
def test_a_margin_shrinks_only_where_the_seller_would_get_too_little(price, margin, wanted):
    """It is whole, or just so small that the seller gets its least, and never below its limit."""
    assert margin.relaxed is not None
    parts = split(price, margin, wanted)
    kept = split(price, msgspec.structs.replace(margin, relaxed=None))
    limit = split(price, margin.relaxed)
    assert limit.margin <= parts.margin <= kept.margin == parts.by_rule
    if kept.payout >= wanted:
        assert parts.payout == kept.payout
    elif limit.payout >= wanted:
        rounded = MICROS_PER_CENT if margin.round_to_cent else 1
        assert 0 <= parts.payout - wanted < rounded
    else:
        assert parts.payout == limit.payout


@given(in_bands(), prices, prices)
def test_bands_that_are_let_through_never_pay_less_for_more(margin, one, other):
    """What `falls_at` does not object to pays by the order of prices; what it names does not."""
    low, high = sorted((one, other))
    place = falls_at(margin)
    if place is None:
        assert split(low, margin).payout <= split(high, margin).payout
    else:
        exact = msgspec.structs.replace(
            margin,
            bands=tuple(
                Band(b.upto, msgspec.structs.replace(b.margin, round_to_cent=False))
                for b in margin.bands
            ),
            round_to_cent=False,
        )
        at, above = split(place, exact), split(Micros(place + 1), exact)
        way = next(b.margin for b in margin.bands if b.upto is None or place < b.upto)
        assert above.payout < at.payout or above.margin < way.amount or above.margin < 0


def test_a_seller_without_a_wish_leaves_a_fixed_margin_whole():
    """Two dollars of each sale are two dollars also where the seller would take nothing."""
    two = Margin(kind=MarginKind.FIXED, amount=Micros(2_000_000))
    assert least_price(Micros(0), two) == 2_000_000


def test_fifteen_percent_of_thirteen_dollars():
    """The contract's own figure: 13.00 less 15 % is 11.05."""
    parts = split(Micros(13_000_000), Margin(percent=Decimal(15)))
    assert (parts.payout, parts.margin) == (11_050_000, 1_950_000)


@pytest.mark.parametrize(
    ("price", "payout"),
    [(9_000_000, 6_300_000), (10_000_000, 7_000_000), (10_000_001, 8_000_000)],
)
def test_a_band_holds_for_the_whole_price_up_to_its_limit(price, payout):
    """30 % of 10.00 is 3.00, 20 % of a micro more is 2.00."""
    bands = (
        Band(Micros(10_000_000), Margin(percent=Decimal(30))),
        Band(None, Margin(percent=Decimal(20))),
    )
    assert split(Micros(price), Margin(MarginKind.BANDS, bands=bands)).payout == payout


@pytest.mark.parametrize(("price", "allowed"), [(5_990_000, False), (6_000_000, True)])
def test_a_fixed_payout_above_the_price_is_a_loss_and_not_acceptable(price, allowed):
    """A margin below zero counts as below floor, unless the campaign allows a loss."""
    margin = Margin(kind=MarginKind.PAYOUT, amount=Micros(6_000_000))
    assert acceptable(Micros(price), margin) is allowed
    lossy = Margin(kind=MarginKind.PAYOUT, amount=Micros(6_000_000), allow_loss=True)
    assert acceptable(Micros(price), lossy)
