"""Money is whole micros, millionths of the currency unit; in Python, Lua and SQL never a float."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NewType

Micros = NewType("Micros", int)

MICROS_PER_UNIT = 1_000_000
MICROS_PER_CENT = 10_000
AMOUNT_MAX = Micros(1_000_000_000 * MICROS_PER_UNIT)
"""No single amount passes a thousand million units; sums stay far inside 64 bits."""

ZERO = Micros(0)

# What JSON calls a number, bounded before any conversion: an exponent of a million digits is
# refused by its looks, not by computing it.
_JSON_NUMBER = re.compile(rb"(-?)(\d{1,15})(?:\.(\d{1,20}))?(?:[eE]([+-]?\d{1,2}))?\Z")


class MoneyError(ValueError):
    """An amount must be a JSON number with at most six decimals, within a thousand million."""

    def __init__(self) -> None:
        """Carry the class's own sentence as the message."""
        super().__init__(self.__doc__)


def parse_json(raw: bytes) -> Micros:
    """Return the exact micros of a raw JSON number; raise MoneyError for anything else.

    A quoted number is a string, not an amount. Trailing zeros past the sixth decimal are exact
    and so accepted.
    """
    match = _JSON_NUMBER.match(raw)
    if match is None:
        raise MoneyError
    sign, whole, fraction, exponent = match.groups()
    digits = int(whole + (fraction or b""))
    scale = 6 - len(fraction or b"") + int(exponent or 0)
    if scale >= 0:
        micros = digits * 10**scale
    else:
        micros, rest = divmod(digits, 10**-scale)
        if rest:
            raise MoneyError
    if micros > AMOUNT_MAX:
        raise MoneyError
    return Micros(-micros if sign else micros)


def from_decimal(amount: Decimal) -> Micros:
    """Return the exact micros of a decimal; raise MoneyError where six decimals are too few."""
    if not amount.is_finite() or amount.adjusted() > 12 or amount.adjusted() < -30:  # noqa: PLR2004 - looks first
        raise MoneyError
    scaled = amount * MICROS_PER_UNIT
    micros = int(scaled)
    if micros != scaled or abs(micros) > AMOUNT_MAX:
        raise MoneyError
    return Micros(micros)


def to_decimal(amount: Micros) -> Decimal:
    """Return the amount in currency units, exact, with two decimals at least."""
    return Decimal(to_text(amount))


def to_text(amount: Micros) -> str:
    """Return the amount as a JSON number: `12.50`, `0.000001`, `-3.00`."""
    whole, fraction = divmod(abs(amount), MICROS_PER_UNIT)
    sign = "-" if amount < 0 else ""
    if fraction % MICROS_PER_CENT == 0:
        return f"{sign}{whole}.{fraction // MICROS_PER_CENT:02d}"
    return f"{sign}{whole}." + f"{fraction:06d}".rstrip("0")


def floor_to_cent(amount: Micros) -> Micros:
    """Round down to the cent (towards minus infinity)."""
    return Micros(amount // MICROS_PER_CENT * MICROS_PER_CENT)


def share(amount: Micros, percent: Decimal) -> Micros:
    """Return `percent` of the amount, rounded down to the micro."""
    return Micros(int((amount * percent / 100).to_integral_value(ROUND_FLOOR)))


def share_up(amount: Micros, percent: Decimal) -> Micros:
    """Return `percent` of the amount, rounded up to the micro."""
    return Micros(int((amount * percent / 100).to_integral_value(ROUND_CEILING)))
