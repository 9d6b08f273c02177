"""JSON from outside is judged by its looks, before anything is computed of it."""

import re
from decimal import Decimal

NUMBER_LENGTH_MAX = 40
EXPONENT_DIGITS_MAX = 2
VALUES_MAX = 5_000
"""How many values a JSON body may hold: what a lead, or an answer, needs stays far below."""

BOM = b"\xef\xbb\xbf"

MARKS = (b",", b"[", b"{")
# Possessive, with an optional end: it never fails and so never tries again, whatever comes.
TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def too_many_values(body: bytes) -> bool:
    """Tell whether a body holds more values than are read; what texts hold is no value."""
    if sum(map(body.count, MARKS)) <= VALUES_MAX:
        return False
    outside = TEXTS.sub(b"", body)
    return sum(map(outside.count, MARKS)) > VALUES_MAX


def exact_number(text: str) -> Decimal | None:
    """Return a JSON number exactly; None for one that no field could hold, such as `1E+999999`."""
    if len(text) > NUMBER_LENGTH_MAX:
        return None
    exponent = text.lower().partition("e")[2].lstrip("+-")
    return None if len(exponent) > EXPONENT_DIGITS_MAX else Decimal(text)
