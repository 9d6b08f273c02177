"""An answer is read by what it is, whatever its `Content-Type` claims; nothing in it can raise."""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from exchange.dialect.paths import Attribute, Path, Step, parse_path
from exchange.dialect.words import INT_MAX
from exchange.dialect.xml_documents import find_xml, local, read_xml
from exchange.domain.json_text import exact_number, too_many_values

__all__ = ["Document", "Kind", "parse_path", "read_document"]

BYTES_MAX = 65_536
PAIRS_MAX = 1_000
NAME_LENGTH_MAX = 200
MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

Found = str | int | bool | Decimal | dict[str, Any] | list[Any] | None
"""What stands at the end of a path; None: nothing, or null."""


class Kind(StrEnum):
    """What a document is."""

    JSON = "json"
    XML = "xml"
    HTML = "html"
    FORM = "form"
    TEXT = "text"


class Document(msgspec.Struct, frozen=True):
    """A whole answer, or request, taken apart."""

    kind: Kind
    text: str
    """All of it, decoded, without a BOM."""
    find_steps: Callable[[Path], Found]

    def find(self, path: Path) -> Found:
        """Return what stands at a path; a number of JSON that nobody should compute is nothing."""
        return self.find_steps(path)

    def __repr__(self) -> str:
        """Say what it is; it may repeat a lead."""
        return f"Document({self.kind}, {len(self.text)} characters)"


class Number(str):
    """A JSON number with a fraction or an exponent, as it was written."""

    __slots__ = ()


_decode = msgspec.json.Decoder(float_hook=Number).decode
# Possessive all along: what stands before the first tag is passed over once.
_HTML = re.compile(
    r"(?:<\?[^>]*+>|<!--(?:[^-]|-(?!->))*+-->|\s++)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE
)
_FORM = re.compile(r"[A-Za-z0-9_.\-\[\]%+]{1,200}=")


def read_document(body: bytes) -> Document:
    """Return the document in a body, whatever its bytes are; what is beyond 64 KiB is cut off."""
    text = decoded(body[:BYTES_MAX])
    start = text.lstrip()
    first = start[:1]
    if first in {"{", "["}:
        return _json(text)
    if first == "<":
        return _marked_up(text, start)
    if _FORM.match(start):
        return _form(text, start)
    return plain(text)


def decoded(body: bytes) -> str:
    """Return the text of bytes: by their BOM, else UTF-8, else Latin-1."""
    for mark, encoding in MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, errors="replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def plain(text: str, kind: Kind = Kind.TEXT) -> Document:
    """Return a document without paths."""
    return Document(kind, text, _nowhere)


def _nowhere(_: Path) -> None:
    return None


def _json(text: str) -> Document:
    raw = text.encode(errors="replace")
    if too_many_values(raw):
        return plain(text)
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return plain(text)
    return Document(Kind.JSON, text, lambda path: find_json(value, path.steps))


def find_json(value: Any, steps: tuple[Step, ...]) -> Found:
    """Return what stands in a decoded JSON value at these steps."""
    for step in steps:
        if type(step) is str:
            if type(value) is not dict:
                return None
            value = value.get(step)
        elif type(step) is int:
            if type(value) is not list or step >= len(value):
                return None
            value = value[step]
        else:
            assert isinstance(step, Attribute), "there is no other kind of step"
            value = value.get(f"@{step.name}") if type(value) is dict else None
    if type(value) is Number:
        return exact_number(value)
    if type(value) is int and not -INT_MAX < value < INT_MAX:
        return None
    return value  # type: ignore[no-any-return] # all that JSON holds


def _marked_up(text: str, start: str) -> Document:
    if _HTML.match(start):
        return plain(text, Kind.HTML)
    root = read_xml(start)
    if root is None:
        return plain(text)
    if local(root.tag).lower() == "html":
        return plain(text, Kind.HTML)
    return Document(Kind.XML, text, lambda path: find_xml(root, path.steps))


def _form(text: str, start: str) -> Document:
    pairs: dict[str, str] = {}
    parts = start.strip().split("&", PAIRS_MAX)
    if len(parts) == 1:
        parts = start.strip().splitlines()[:PAIRS_MAX]
    for part in parts[:PAIRS_MAX]:
        name, _, value = part.partition("=")
        if len(name) <= NAME_LENGTH_MAX:
            pairs.setdefault(unquote_plus(name).strip(), unquote_plus(value).strip())

    def find(path: Path) -> str | None:
        step = path.steps[0] if len(path.steps) == 1 else None
        return pairs.get(step if isinstance(step, str) else path.text)

    return Document(Kind.FORM, text, find)
