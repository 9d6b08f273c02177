"""One value in its spellings: as a text, as JSON, as a number; never raises, whatever it is."""

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from exchange.domain.json_text import exact_number

INT_MAX = 2**64
"""No whole number beyond this is a value; nobody should write it out."""
DIGITS_MAX = 40
NUMBER_TEXT_MAX = 200
WORD_MAX = 500
"""No text beyond this is a word that anything could be alike."""
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,39})?\Z")
TRUE = frozenset({"true", "yes", "y", "1", "on", "t"})
FALSE = frozenset({"false", "no", "n", "0", "off", "f"})
SURROGATES = re.compile("[\ud800-\udfff]")

encode = msgspec.json.Encoder(decimal_format="number").encode


def text_of(value: object) -> str | None:
    """Return a value as a text: `true`, `12.50`, texts of a list parted by `, `; None for nothing.

    A number that nobody should write out, and a table, are nothing.
    """
    if type(value) is str:
        return value
    if value is None:
        return None
    if isinstance(value, int):
        if type(value) is bool:
            return "true" if value else "false"
        return str(value) if -INT_MAX < value < INT_MAX else None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, float):
        return None if value != value or value in {_INF, -_INF} else repr(value)  # noqa: PLR0124 - not a number
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, list | tuple):
        return ", ".join(text for item in value if (text := _scalar_text(item)) is not None)
    return None


_INF = float("inf")


def _scalar_text(value: object) -> str | None:
    return None if isinstance(value, list | tuple) else text_of(value)


def decimal_text(value: Decimal) -> str | None:
    """Return a number in plain digits, without an exponent; None for an absurd one."""
    if not is_sayable(value):
        return None
    return format(value, "f") if value.adjusted() > -DIGITS_MAX else "0"


def is_sayable(value: Decimal) -> bool:
    """Tell whether a number is one that somebody would write out."""
    return value.is_finite() and (not value or -DIGITS_MAX < value.adjusted() < DIGITS_MAX)


def moment_text(moment: datetime) -> str:
    """Return a moment in UTC as `2026-12-31T23:59:59Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def alike(value: object) -> str | None:
    """Return what values that mean the same have in common: `1`, `"1"` and `1.0`; `Yes` and `YES`.

    None for what is no single value.
    """
    if isinstance(value, list | tuple | dict):
        return None
    text = text_of(value)
    if text is None or len(text) > WORD_MAX:
        return None
    text = text.strip().casefold()
    if "." in text and NUMBER.match(text):
        text = text.rstrip("0").rstrip(".")
    return text


def number_of(value: object) -> int | Decimal | None:
    """Return a value as an exact number, or None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -INT_MAX < value < INT_MAX else None
    if isinstance(value, Decimal):
        return value if is_sayable(value) else None
    if isinstance(value, list | tuple):
        return None
    text = text_of(value)
    if text is None or len(text) > NUMBER_TEXT_MAX or not NUMBER.match(text := text.strip()):
        return None
    return exact_number(text) if "." in text else int(text)


def bool_of(value: object) -> bool | None:
    """Return a value as a yes or no: `yes`, `Y`, `1`, `true`; None where it is neither."""
    if isinstance(value, bool):
        return value
    text = alike(value)
    if text in TRUE:
        return True
    return False if text in FALSE else None


def to_json(value: object) -> bytes:
    """Return a value as JSON; what JSON cannot say in it is left out of it."""
    try:
        said = encode(value)
    except (ValueError, TypeError, RecursionError, InvalidOperation):
        return encode(_sayable(value, 0))
    # Of a decimal that is no number the encoder writes the name, which JSON does not know.
    return encode(_sayable(value, 0)) if b"NaN" in said or b"Infinity" in said else said


JSON_DEPTH_MAX = 64


def _sayable(value: object, depth: int) -> object:
    if depth > JSON_DEPTH_MAX:
        return None
    if isinstance(value, dict):
        return {whole(text_of(key) or ""): _sayable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(item, depth + 1) for item in value]
    if isinstance(value, str):
        return whole(value)
    if value is None or isinstance(value, bool):
        return value
    number = number_of(value)
    if number is not None:
        return number
    text = text_of(value)
    return None if text is None else whole(text)


def whole(text: str) -> str:
    """Return a text that UTF-8 can hold: halves of characters become question marks."""
    return SURROGATES.sub("?", text) if not text.isascii() else text
