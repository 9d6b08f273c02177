"""The filters of templates: each turns a value that is known into another one, or into nothing.

None of them raises, whatever the value is; where one has nothing to work on, it gives None.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from exchange.dialect.dates import date_filter, iso, unix, unix_ms
from exchange.dialect.faults import TemplateError
from exchange.dialect.placeholders import TEXT_MAX, Call
from exchange.dialect.words import alike, bool_of, number_of, text_of, whole
from exchange.domain.nearest import hint

Filter = Callable[[object], object]
Maps = Mapping[str, Mapping[str, object]]
"""By name: from words to words, `*` for all the rest."""

ANY = "*"
PLACES_MAX = 12
LENGTH_MAX = 1_000
PHONE_DIGITS = 10
COUNTRY = "1"
MASKS = {"upper": str.upper, "lower": str.lower, "title": str.title}
HALVES = {
    "yes_no": ("yes", "no"),
    "y_n": ("Y", "N"),
    "one_zero": ("1", "0"),
    "true_false": ("true", "false"),
}


def make_filter(call: Call, maps: Maps) -> Filter:
    """Return the filter that a template calls; raise TemplateError for one that cannot be."""
    made = FILTERS.get(call.name)
    if made is None:
        raise TemplateError(f'names the filter "{call.name}", which does not exist{_meant(call)}')
    least, most = made.arguments
    if not least <= len(call.arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise TemplateError(f'"{call.name}" takes {wanted} arguments, not {len(call.arguments)}')
    return made.make(call, maps)


def _meant(call: Call) -> str:
    return hint(call.name, FILTERS)


def on_text(change: Callable[[str], object]) -> Filter:
    """Return a filter that changes a value's text."""

    def filtered(value: object) -> object:
        text = text_of(value)
        return None if text is None or len(text) > TEXT_MAX else change(text)

    return filtered


def on_number(change: Callable[[Decimal], object]) -> Filter:
    """Return a filter that changes an exact number."""

    def filtered(value: object) -> object:
        number = number_of(value)
        return None if number is None else change(Decimal(number))

    return filtered


def digits(text: str) -> str:
    """Return only the digits."""
    return text.encode("ascii", "ignore").translate(None, NO_DIGITS).decode()


NO_DIGITS = bytes(code for code in range(128) if not chr(code).isdecimal())


def national(text: str) -> str | None:
    """Return the ten national digits of a telephone number."""
    found = digits(text)
    if len(found) == PHONE_DIGITS + 1 and found.startswith(COUNTRY):
        found = found[1:]
    return found if len(found) == PHONE_DIGITS else None


def e164(text: str) -> str | None:
    """Return a telephone number as `+15125550123`."""
    number = national(text)
    return None if number is None else f"+{COUNTRY}{number}"


def dashes(text: str) -> str | None:
    """Return a telephone number as `512-555-0123`."""
    number = national(text)
    return None if number is None else f"{number[:3]}-{number[3:6]}-{number[6:]}"


def hashed(algorithm: str) -> Filter:
    """Return the filter that makes lower-case hex of a text's hash."""

    def digest(text: str) -> str:
        return hashlib.new(algorithm, whole(text).encode(), usedforsecurity=False).hexdigest()

    return on_text(digest)


def as_base64(text: str) -> str:
    """Return a text in base64."""
    return base64.b64encode(whole(text).encode()).decode()


def as_url(text: str) -> str:
    """Return a text as it may stand in a URL."""
    return quote(whole(text), safe="")


def rounded(places: int, mode: str = ROUND_HALF_UP) -> Callable[[Decimal], Decimal]:
    """Return what rounds to so many decimals."""
    unit = Decimal(1).scaleb(-places)

    def to_places(number: Decimal) -> Decimal | None:
        if number.adjusted() + places >= DECIMAL_DIGITS:
            return None
        return number.quantize(unit, mode)

    return to_places  # type: ignore[return-value] # an absurd number is nothing


DECIMAL_DIGITS = 27
"""What Python's exact numbers hold without rounding by themselves, less one."""


def cents(number: Decimal) -> int | None:
    """Return whole cents."""
    return whole_part(rounded(0)(number.scaleb(2)))


def whole_part(number: Decimal | None) -> int | None:
    """Return the whole part of a number."""
    return None if number is None else int(number.to_integral_value(ROUND_DOWN))


TO_CENTS = rounded(2)


@lru_cache(maxsize=4096)
def money(number: Decimal) -> str | None:
    """Return an amount with two decimals; amounts repeat, a floor is the same in all pings."""
    return text_of(TO_CENTS(number))


def _simple(filtered: Filter) -> Callable[[Call, Maps], Filter]:
    return lambda _call, _maps: filtered


def _halves(call: Call, _: Maps) -> Filter:
    true, false = HALVES[call.name]
    if call.arguments:
        mask = MASKS.get(call.arguments[0].strip())
        if mask is None:
            raise TemplateError(f'"{call.name}" takes upper, lower or title')
        true, false = mask(true), mask(false)

    def half(value: object) -> object:
        truth = bool_of(value)
        return None if truth is None else true if truth else false

    return half


def _count(call: Call, most: int) -> int:
    text = call.arguments[0].strip()
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(most)):
        raise TemplateError(f'"{call.name}" takes a whole number up to {most}')
    if (count := int(text)) > most:
        raise TemplateError(f'"{call.name}" takes a whole number up to {most}')
    return count


def _first(call: Call, _: Maps) -> Filter:
    count = _count(call, LENGTH_MAX)
    return on_text(lambda text: text[:count])


def _last(call: Call, _: Maps) -> Filter:
    count = _count(call, LENGTH_MAX)
    return on_text(lambda text: text[-count:] if count else "")


def _replace(call: Call, _: Maps) -> Filter:
    old, new = call.arguments
    if not old:
        raise TemplateError('"replace" needs a text to replace')
    growth = len(new) - len(old)

    def replaced(text: str) -> str | None:
        if growth > 0 and len(text) + text.count(old) * growth > TEXT_MAX:
            return None
        return text.replace(old, new)

    return on_text(replaced)


def _round(call: Call, _: Maps) -> Filter:
    return on_number(rounded(_count(call, PLACES_MAX)))


def _default(call: Call, _: Maps) -> Filter:
    text = call.arguments[0]
    return lambda value: text if value is None or value == "" else value


def _map(call: Call, maps: Maps) -> Filter:
    name = call.arguments[0].strip()
    table = maps.get(name)
    if table is None:
        raise TemplateError(f'names the map "{name}", which does not exist{hint(name, maps)}')
    return mapping(table)


def mapping(table: Mapping[str, object]) -> Filter:
    """Return what turns words into other words, whatever their capitals."""
    rest = table.get(ANY)
    words = {alike(word): meant for word, meant in table.items() if word != ANY}

    def mapped(value: object) -> object:
        if value is None:
            return None
        word = alike(value)
        return rest if word is None else words.get(word, rest)

    return mapped


class Made(NamedTuple):
    """How a filter is made, and how many arguments it takes."""

    make: Callable[[Call, Maps], Filter]
    arguments: tuple[int, int] = (0, 0)
    takes_nothing: bool = False
    """It also works on a value that is not known."""


TEXTS: dict[str, Callable[[str], object]] = {
    "digits": digits,
    "national": national,
    "e164": e164,
    "dashes": dashes,
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "trim": str.strip,
    "base64": as_base64,
    "url": as_url,
}
NUMBERS: dict[str, Callable[[Decimal], object]] = {
    "money": money,
    "cents": cents,
    "int": whole_part,
}
FILTERS: dict[str, Made] = {
    **{name: Made(_simple(on_text(change))) for name, change in TEXTS.items()},
    **{name: Made(_simple(on_number(change))) for name, change in NUMBERS.items()},
    **{name: Made(_simple(hashed(name))) for name in ("md5", "sha1", "sha256")},
    **dict.fromkeys(HALVES, Made(_halves, (0, 1))),
    "first": Made(_first, (1, 1)),
    "last": Made(_last, (1, 1)),
    "replace": Made(_replace, (2, 2)),
    "round": Made(_round, (1, 1)),
    "default": Made(_default, (1, 1), takes_nothing=True),
    "map": Made(_map, (1, 1)),
    "date": Made(lambda call, _: date_filter(call.arguments), (1, 2)),
    "iso": Made(_simple(iso)),
    "unix": Made(_simple(unix)),
    "unix_ms": Made(_simple(unix_ms)),
    "text": Made(_simple(text_of)),
    "number": Made(_simple(number_of)),
    "bool": Made(_simple(bool_of)),
}
