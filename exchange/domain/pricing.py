"""From a buyer's price to a seller's payout, and back: which price satisfies a seller."""

from decimal import ROUND_CEILING, Decimal

import msgspec

from exchange.domain.campaign import Margin, MarginKind
from exchange.domain.money import MICROS_PER_CENT, Micros, floor_to_cent, share_up


class Split(msgspec.Struct, frozen=True):
    """What becomes of a buyer's price: `price = payout + margin`, always."""

    price: Micros
    payout: Micros
    margin: Micros


def split(price: Micros, margin: Margin) -> Split:
    """Divide a price; the seller's part is rounded down, the margin takes the rest.

    The payout of a margin higher than the price is 0, not less. The margin may be below zero
    where the payout is fixed: whether that may be sold is `acceptable`'s to say.
    """
    match margin.kind:
        case MarginKind.PERCENT:
            payout = Micros(price - share_up(price, margin.percent))
        case MarginKind.FIXED:
            payout = Micros(max(0, price - margin.amount))
        case MarginKind.PAYOUT:
            payout = margin.amount
    if margin.round_to_cent:
        payout = floor_to_cent(payout)
    return Split(price, payout, Micros(price - payout))


def acceptable(price: Micros, margin: Margin) -> bool:
    """Tell whether a price leaves the exchange no loss, or its campaign allows one."""
    return margin.allow_loss or split(price, margin).margin >= 0


def least_price(payout: Micros, margin: Margin) -> Micros:
    """Return the least price that pays the seller this much at least and loses nothing.

    A fixed margin is kept whole, however little the seller wants. A fixed payout below the wish
    can never satisfy it: the answer is then an amount that no bid reaches, `UNREACHABLE_PRICE`.
    """
    wanted = payout
    if margin.round_to_cent:
        wanted = Micros(-(-payout // MICROS_PER_CENT) * MICROS_PER_CENT)
    match margin.kind:
        case MarginKind.PAYOUT:
            if split(Micros(0), margin).payout < payout:
                return UNREACHABLE_PRICE
            return Micros(0) if margin.allow_loss else split(Micros(0), margin).payout
        case MarginKind.FIXED:
            return Micros(max(0, wanted) + max(0, margin.amount))
        case MarginKind.PERCENT:
            return _least_of_percent(wanted, margin.percent)


def _least_of_percent(wanted: Micros, percent: Decimal) -> Micros:
    if wanted <= 0:
        return Micros(0)
    rest = 1 - percent / 100
    if rest <= 0:
        return UNREACHABLE_PRICE
    return Micros(int((wanted / rest).to_integral_value(ROUND_CEILING)))


UNREACHABLE_PRICE = Micros(2**62)
"""A price that no bid reaches."""
