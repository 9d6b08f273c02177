"""From a buyer's price to a seller's payout, and back: which price satisfies a seller."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

import msgspec

from exchange.domain.campaign import Band, Margin, MarginKind
from exchange.domain.money import MICROS_PER_CENT, ZERO, Micros, floor_to_cent, share_up


class Split(msgspec.Struct, frozen=True):
    """What becomes of a buyer's price: `price = payout + margin`, always."""

    price: Micros
    payout: Micros
    margin: Micros
    by_rule: Micros
    """What the margin would be if it were not relaxed: more, where it is."""


def split(price: Micros, margin: Margin, wanted: Micros = ZERO) -> Split:
    """Divide a price; the seller's part is rounded down, the margin takes the rest.

    `wanted` is the least that the seller must get: where it would get less, a margin that may be
    relaxed shrinks just so far that it does not, down to its limit and not below. The payout of a
    margin higher than the price is 0, not less. The margin may be below zero where the payout is
    fixed: whether that may be sold is `acceptable`'s to say.
    """
    payout = payout_of(price, margin)
    by_rule = Micros(price - payout)
    if payout < wanted and margin.relaxed is not None:
        limit = payout_of(price, margin.relaxed)
        payout = max(payout, min(limit, whole(wanted, margin)))
    return Split(price, payout, Micros(price - payout), by_rule)


def payout_of(price: Micros, margin: Margin) -> Micros:
    """Return the seller's part of a price, the margin kept whole."""
    match margin.kind:
        case MarginKind.PERCENT:
            payout = Micros(price - share_up(price, margin.percent))
        case MarginKind.FIXED:
            payout = Micros(max(0, price - margin.amount))
        case MarginKind.PAYOUT:
            payout = margin.amount
        case MarginKind.BANDS:
            return payout_of(price, band_of(price, margin).margin)
    return floor_to_cent(payout) if margin.round_to_cent else payout


def band_of(price: Micros, margin: Margin) -> Band:
    """Return the band in which a price lies."""
    for band in margin.bands:
        if band.upto is None or price <= band.upto:
            return band
    raise AssertionError("the last band of a checked margin has no end")


def whole(payout: Micros, margin: Margin) -> Micros:
    """Return the least payout that is not below this one and needs no rounding."""
    return (
        Micros(-(-payout // MICROS_PER_CENT) * MICROS_PER_CENT) if margin.round_to_cent else payout
    )


def acceptable(price: Micros, margin: Margin) -> bool:
    """Tell whether a price leaves the exchange no loss, or its campaign allows one."""
    return margin.allow_loss or split(price, margin).margin >= 0


def least_price(payout: Micros, margin: Margin) -> Micros:
    """Return the least price that pays the seller this much at least and loses nothing.

    A margin that may be relaxed counts as far as it may be. A fixed margin is kept whole, however
    little the seller wants. A fixed payout below the wish can never satisfy it: the answer is then
    an amount that no bid reaches, `UNREACHABLE_PRICE`.
    """
    if margin.relaxed is not None:
        margin = margin.relaxed
    wanted = whole(payout, margin)
    match margin.kind:
        case MarginKind.PAYOUT:
            if payout_of(Micros(0), margin) < payout:
                return UNREACHABLE_PRICE
            return Micros(0) if margin.allow_loss else payout_of(Micros(0), margin)
        case MarginKind.FIXED:
            return Micros(max(0, wanted) + max(0, margin.amount))
        case MarginKind.PERCENT:
            return _least_of_percent(wanted, margin.percent)
        case MarginKind.BANDS:
            return _least_of_bands(payout, margin.bands)


def _least_of_percent(wanted: Micros, percent: Decimal) -> Micros:
    if wanted <= 0:
        return Micros(0)
    rest = 1 - percent / 100
    if rest <= 0:
        return UNREACHABLE_PRICE
    return Micros(int((wanted / rest).to_integral_value(ROUND_CEILING)))


def _least_of_bands(payout: Micros, bands: Iterable[Band]) -> Micros:
    """Return the least price of the first band in which one satisfies: no band pays less later."""
    begins = 0
    for band in bands:
        least = max(least_price(payout, band.margin), begins)
        if least < UNREACHABLE_PRICE and (band.upto is None or least <= band.upto):
            return Micros(least)
        if band.upto is not None:
            begins = band.upto + 1
    return UNREACHABLE_PRICE


def falls_at(margin: Margin) -> Micros | None:
    """Return above which price a seller would get less, or the exchange lose, for a higher price.

    None: nowhere, so that one least price tells which bids satisfy a seller.
    """
    exact = [
        Band(band.upto, msgspec.structs.replace(band.margin, round_to_cent=False))
        for band in margin.bands
    ]
    for band, after in pairwise(exact):
        assert band.upto is not None, "only the last band has no end"
        above = Micros(band.upto + 1)
        if payout_of(above, after.margin) < payout_of(band.upto, band.margin):
            return band.upto
        if least_price(Micros(0), after.margin) > above:
            return band.upto
    return None


UNREACHABLE_PRICE = Micros(2**62)
"""A price that no bid reaches."""
