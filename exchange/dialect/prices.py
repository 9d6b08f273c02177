"""Amounts as buyers write them; what could mean two amounts is none."""

import re
from decimal import Decimal

import msgspec

from exchange.contract.mapping import Point
from exchange.domain.money import AMOUNT_MAX, MICROS_PER_CENT, MICROS_PER_UNIT, Micros

LENGTH_MAX = 60
PLAIN_WHOLE_MAX = 9
MICRO_PLACES = 6
ZERO = Decimal(0)
MOST = Decimal(AMOUNT_MAX)
BLANKS = " \t\r\n\u00a0\u202f\u2009"
SIGNS = "$€£¥₹"

_CURRENCY = rf"(?:[A-Z]{{3}}|(?:US|C|CA|A|AU)?[{SIGNS}])"
_AMOUNT = re.compile(
    rf"(?:{_CURRENCY}[{BLANKS}]*)?(?P<number>[0-9.,'{BLANKS}]+?)(?:[{BLANKS}]*{_CURRENCY})?\Z"
)


def _form(parts: str, point: str) -> re.Pattern[str]:
    """Return the pattern of a number: every group of thousands is parted by the same character."""
    groups = rf"[0-9]{{1,3}}(?P<part>[{parts}'{BLANKS}])[0-9]{{3}}(?:(?P=part)[0-9]{{3}}){{0,3}}"
    return re.compile(
        rf"(?P<whole>[0-9]{{1,15}}|{groups})?(?:{point}(?P<fraction>[0-9]{{1,20}}))?\Z"
    )


_FORMS = {Point.DOT: _form(",", r"\."), Point.COMMA: _form(".", ",")}


class PriceForm(msgspec.Struct, frozen=True):
    """How a buyer writes its prices."""

    decimal: Point = Point.DOT
    in_cents: bool = False


def price_of(value: object, form: PriceForm) -> Micros | None:
    """Return an amount of at least zero, or None for what is none.

    JSON numbers are taken as they are; of texts, currency signs, blanks and thousands are read
    over. Decimals beyond the sixth are cut off. Whole cents have no fraction but zeros.
    """
    kind = type(value)
    if kind is Decimal:
        return _scaled(value, form)  # type: ignore[arg-type] # it is one
    if kind is int:
        scale = MICROS_PER_CENT if form.in_cents else MICROS_PER_UNIT
        micros = int(value * scale)  # type: ignore[operator] # it is one
        return Micros(micros) if 0 <= micros <= AMOUNT_MAX else None
    if isinstance(value, str) and len(value) <= LENGTH_MAX:
        if (plain := _plain(value, form)) is not None:
            return plain
        number = _number(value, form.decimal)
        return None if number is None else _scaled(number, form)
    return None


def _plain(text: str, form: PriceForm) -> Micros | None:
    """Return what nearly every buyer writes, `12` or `12.50`, without any pattern; else None."""
    whole, point, fraction = text.partition(form.decimal)
    if form.in_cents or not text.isascii() or not whole.isdecimal() or len(whole) > PLAIN_WHOLE_MAX:
        return None
    if not point:
        return Micros(int(whole) * MICROS_PER_UNIT)
    if not fraction.isdecimal() or len(fraction) > MICRO_PLACES:
        return None
    micros = int(fraction) * 10 ** (MICRO_PLACES - len(fraction))
    return Micros(int(whole) * MICROS_PER_UNIT + micros)


def _number(text: str, point: Point) -> Decimal | None:
    amount = _AMOUNT.match(text.strip(BLANKS))
    found = amount and _FORMS[point].match(amount["number"])
    if not found or (found["whole"] is None and found["fraction"] is None):
        return None
    whole = "".join(character for character in found["whole"] or "0" if character.isdecimal())
    return Decimal(f"{whole}.{found['fraction'] or '0'}")


def _scaled(number: Decimal, form: PriceForm) -> Micros | None:
    if not number.is_finite() or not ZERO <= number <= MOST:
        return None
    if form.in_cents:
        if number != number.to_integral_value():
            return None
        return Micros(int(number) * MICROS_PER_CENT)
    micros = int(number * MICROS_PER_UNIT)
    return Micros(micros) if micros <= AMOUNT_MAX else None
