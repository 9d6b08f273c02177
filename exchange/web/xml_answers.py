"""Answers in XML: the same names as in JSON, made of the JSON, so that both always say the same.

A null and an empty list have no element, a list has one element of its name for each entry. Numbers
keep the very digits that JSON has.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=str)

ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
SPECIAL = re.compile(r"[&<>\r]")
IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that no XML document may hold, in whatever spelling."""


def as_xml(answer: bytes) -> bytes:
    """Return a JSON answer as a `<response>` in UTF-8."""
    fields = DECODER.decode(answer)
    inside = "".join(element for name, value in fields.items() for element in written(name, value))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<response>{inside}</response>\n'.encode()


def written(name: str, value: Any) -> Iterator[str]:
    """Return the elements of one value."""
    if isinstance(value, list):
        for entry in value:
            yield from written(name, entry)
    elif isinstance(value, dict):
        yield f"<{name}>"
        for inner, part in value.items():
            yield from written(inner, part)
        yield f"</{name}>"
    elif value is not None:
        yield f"<{name}>{text_of(value)}</{name}>"


def text_of(value: str | int) -> str:
    """Return a scalar as the text of an element."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return SPECIAL.sub(
        lambda found: ESCAPED[found[0]], IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", value)
    )
