"""The first line of a CSV feed: what separates its columns, and what they are called."""

import msgspec

from exchange.intake.forms import LISTS

DELIMITERS = {"comma": b",", "semicolon": b";", "tab": b"\t", "pipe": b"|"}
"""By the names under which one can be asked for."""

COLUMNS_MAX = 500
NAME_LENGTH_MAX = 200
REPEATED = LISTS | {"consent.named_buyers"}
"""Lists: each of these columns adds to them."""

NOT_UTF8 = "the header is not UTF-8: save the file as CSV in UTF-8"
KEY_IN_FEED = "the key goes into a header of the request, not into a column"


class BadHeader(msgspec.Struct, frozen=True):
    """Why a line cannot be a header; names no name, for it may be a row, and so a person."""

    detail: str


def sniffed(line: bytes) -> bytes:
    """Return the delimiter that a header uses most outside of quotes, or a comma."""
    outside = b"".join(line.split(b'"')[::2])
    return max(DELIMITERS.values(), key=outside.count)


def read_header(fields: tuple[bytes, ...]) -> tuple[str, ...] | BadHeader:
    """Return the names of the columns, or what is wrong with them."""
    if len(fields) > COLUMNS_MAX:
        return BadHeader(f"the header has more than {COLUMNS_MAX} columns")
    try:
        names = tuple(field.decode().replace("\0", "").strip() for field in fields)
    except UnicodeDecodeError:
        return BadHeader(NOT_UTF8)
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name or len(name) > NAME_LENGTH_MAX:
            return BadHeader(f"column {place} of the header has no name, or one that is too long")
        if name == "api_key":
            return BadHeader(KEY_IN_FEED)
        if name in seen and name.removesuffix("[]") not in REPEATED:
            return BadHeader(f"column {place} of the header has the name of an earlier one")
        seen.add(name)
    return names
