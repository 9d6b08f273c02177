"""One normalizer for every field: whatever spelling came, one value or one reason.

Texts and JSON values are read alike, so that a lead means the same from every format. What a
normalizer returned it returns again for itself.
"""

import re
from collections.abc import Callable, Container, Mapping
from decimal import Decimal

from exchange.domain.counting import counted
from exchange.domain.lead import Value
from exchange.domain.vertical import Field, FieldType
from exchange.intake.errors import Bad, bad_value
from exchange.intake.readers import (
    A_SCALAR,
    A_TEXT,
    URL_LENGTH_MAX,
    boolean,
    day,
    email,
    exact,
    ip,
    line,
    lines,
    name,
    phone,
    scalar_text,
    url,
    us_state,
    whole,
)
from exchange.intake.spellings import choices, plain

LENGTH_SLACK = 400
"""How many blanks, beyond its length again, a text may have before it is cleaned."""

Normalizer = Callable[[object], Value | Bad]
"""Takes a value that is there (not null, not an empty text)."""

TEXTS: Mapping[FieldType, Callable[[object], str | Bad]] = {
    FieldType.NAME: name,
    FieldType.CITY: name,
    FieldType.TEXT: lines,
    FieldType.ADDRESS: line,
    FieldType.PHONE: phone,
    FieldType.EMAIL: email,
    FieldType.URL: url,
    FieldType.IP: ip,
}
CLEANED = frozenset({FieldType.NAME, FieldType.CITY, FieldType.TEXT, FieldType.ADDRESS})
NUMBERS: Mapping[FieldType, Callable[[object], int | Decimal | Bad]] = {
    FieldType.INT: whole,
    FieldType.DECIMAL: exact,
}
FIXED: Mapping[FieldType, Normalizer] = {
    FieldType.US_STATE: us_state,
    FieldType.DATE: day,
    FieldType.BOOL: boolean,
}


def normalizer(field: Field, zip_codes: Container[str]) -> Normalizer:
    """Return the one function that reads this field's values."""
    if field.type in TEXTS:
        return checked(field, TEXTS[field.type])
    if field.type in NUMBERS:
        return bounded(field, NUMBERS[field.type])
    if field.type is FieldType.CHOICE:
        return choice_reader(field)
    if field.type is FieldType.US_ZIP:
        return zip_reader(zip_codes)
    return FIXED[field.type]


def checked(field: Field, read: Callable[[object], str | Bad]) -> Normalizer:
    """Return a reader of texts that keeps to the field's length and pattern."""
    long_max = max(field.length_max, URL_LENGTH_MAX if field.type is FieldType.URL else 0)
    too_long = bad_value(f"must have at most {counted(long_max, 'character')}")
    is_cleaned = field.type in CLEANED
    pattern = None if field.pattern is None else re.compile(field.pattern)
    mismatch = bad_value(f"must match the pattern {field.pattern}")

    def normalize(raw: object) -> Value | Bad:
        # Far too long is not even cleaned: a megabyte takes a while. The others look first.
        if is_cleaned and isinstance(raw, str) and len(raw) > 2 * long_max + LENGTH_SLACK:
            return too_long
        value = read(raw)
        if isinstance(value, Bad):
            return value
        if len(value) > long_max:
            return too_long
        return value if pattern is None or pattern.fullmatch(value) else mismatch

    return normalize


def bounded(field: Field, read: Callable[[object], int | Decimal | Bad]) -> Normalizer:
    """Return a reader of numbers that keeps to the field's bounds."""
    least: Decimal | int | None = field.minimum
    most: Decimal | int | None = field.maximum
    too_low, too_high = bad_value(f"must be at least {least}"), bad_value(f"must be at most {most}")
    least, most = quick(least), quick(most)

    def normalize(raw: object) -> Value | Bad:
        value = read(raw)
        if isinstance(value, Bad):
            return value
        if least is not None and value < least:
            return too_low
        return too_high if most is not None and value > most else value

    return normalize


def quick(bound: Decimal | int | None) -> Decimal | int | None:
    """Return a bound as an `int` where it is whole: comparing with that is far cheaper."""
    if bound is None or bound != int(bound):
        return bound
    return int(bound)


ZIP = re.compile(r"(\d{5})(?:[- ]?\d{4})?\Z", re.ASCII)
ZIP_DIGITS = 5
A_ZIP = bad_value("must be a ZIP code of the United States, with five digits or ZIP+4")


def zip_reader(zip_codes: Container[str]) -> Normalizer:
    """Return a reader of ZIP codes that are in use."""

    def normalize(raw: object) -> Value | Bad:
        if type(raw) is str and len(raw) == ZIP_DIGITS and raw in zip_codes:
            return raw
        text = scalar_text(raw)
        if text is None or isinstance(raw, bool):
            return A_TEXT
        match = ZIP.match(text)
        return match[1] if match is not None and match[1] in zip_codes else A_ZIP

    return normalize


def choice_reader(field: Field) -> Normalizer:
    """Return a reader of the field's declared values and their other spellings."""
    table = choices(field.values, field.aliases)
    mismatch = bad_value(f"must be one of {', '.join(field.values)}")

    def normalize(raw: object) -> Value | Bad:
        text = scalar_text(raw)
        if text is None:
            return A_SCALAR
        return table.get(text) or table.get(plain(text)) or mismatch

    return normalize
