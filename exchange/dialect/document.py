"""An answer is read by what it is, whatever its `Content-Type` claims; nothing in it can raise."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from exchange.dialect.paths import Attribute, Path, Step, parse_path
from exchange.dialect.words import INT_MAX
from exchange.dialect.xml_documents import local, read_xml
from exchange.domain.json_text import VALUES_MAX, exact_number, too_many_values

__all__ = ["Document", "Kind", "Number", "parse_path", "read_document", "settled"]

PAIRS_MAX = 1_000
ESCAPES_MAX = 5_000
NAME_LENGTH_MAX = 200
JSON_BEGINNINGS = (b"{", b"[")
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


JSON = Kind.JSON


class Document(msgspec.Struct, frozen=True):
    """A whole answer, or request, taken apart."""

    kind: Kind
    raw: bytes
    root: Any = None
    """What paths begin in: a decoded JSON value whose numbers with a fraction are `Number`s, an
    XML tree, a form's names and values; None where there are no paths."""

    @property
    def text(self) -> str:
        """Return all of it, decoded, without a BOM."""
        return decoded(self.raw)

    def find(self, path: Path) -> Found:
        """Return what stands at a path; a number of JSON that nobody should compute is nothing."""
        if self.kind is JSON:
            return find_json(self.root, path.steps)
        if self.kind is Kind.XML:
            return self.root.find(path.steps)  # type: ignore[no-any-return] # an XmlTree's
        return find_pair(self.root, path) if self.kind is Kind.FORM else None

    def __repr__(self) -> str:
        """Say what it is; it may repeat a lead."""
        return f"Document({self.kind}, {len(self.raw)} bytes)"


class Number(str):
    """A JSON number with a fraction or an exponent, as it was written."""

    __slots__ = ()


_decode = msgspec.json.Decoder(float_hook=Number).decode
# Possessive all along: what stands before the first tag is passed over once.
_HTML = re.compile(
    r"(?:<\?[^>]*+>|<!--(?:[^-]|-(?!->))*+-->|\s++)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE
)
_FORM = re.compile(r"[A-Za-z0-9_.\-\[\]%+]{1,200}=")


def read_document(raw: bytes) -> Document:
    """Return the document in a body, whatever its bytes are.

    Its size is bounded by whoever received it; 64 KiB take some milliseconds at worst.
    """
    if raw[:1] in JSON_BEGINNINGS and (document := _json(raw, raw)) is not None:
        return document
    text = decoded(raw)
    start = text.lstrip()
    if start[:1] in {"{", "["}:
        return _json(start.encode(errors="replace"), raw) or Document(Kind.TEXT, raw)
    if start[:1] == "<":
        return _marked_up(start, raw)
    if _FORM.match(start) and start.count("%") <= ESCAPES_MAX:
        return Document(Kind.FORM, raw, read_pairs(start))
    return Document(Kind.TEXT, raw)


def decoded(body: bytes) -> str:
    """Return the text of bytes: by their BOM, else UTF-8, else Latin-1."""
    marked = ((mark, encoding) for mark, encoding in MARKS if body.startswith(mark))
    mark, encoding = next(marked, (b"", "utf-8"))
    try:
        return body[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _json(utf8: bytes, raw: bytes) -> Document | None:
    # Fewer bytes than that cannot hold too many values.
    if len(utf8) > VALUES_MAX and too_many_values(utf8):
        return None
    try:
        return Document(JSON, raw, _decode(utf8))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


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
    return settled(value)


def settled(value: Any) -> Found:
    """Return a decoded JSON value with its type; None for a number that nobody should compute."""
    if type(value) is Number:
        return exact_number(value)
    if type(value) is int and not -INT_MAX < value < INT_MAX:
        return None
    return value  # type: ignore[no-any-return] # all that JSON holds


def _marked_up(start: str, raw: bytes) -> Document:
    if _HTML.match(start):
        return Document(Kind.HTML, raw)
    tree = read_xml(start)
    if tree is None:
        return Document(Kind.TEXT, raw)
    if local(tree.root.tag).lower() == "html":
        return Document(Kind.HTML, raw)
    return Document(Kind.XML, raw, tree)


def read_pairs(text: str) -> dict[str, str]:
    """Return the names and values of a form, or of lines `name=value`; the first of a name."""
    parts = text.strip().split("&", PAIRS_MAX)
    if len(parts) == 1:
        parts = text.strip().splitlines()
    pairs: dict[str, str] = {}
    for part in parts[:PAIRS_MAX]:
        name, _, value = part.partition("=")
        if len(name) <= NAME_LENGTH_MAX:
            pairs.setdefault(_unquoted(name), _unquoted(value))
    return pairs


def _unquoted(text: str) -> str:
    text = text.replace("+", " ")
    if "%" in text:
        text = unquote_to_bytes(text).decode(errors="replace")
    return text.strip()


def find_pair(pairs: dict[str, str], path: Path) -> str | None:
    """Return a form's value; a name may hold what else parts the steps of a path."""
    found = pairs.get(path.text)
    if found is None and len(path.steps) == 1 and isinstance(path.steps[0], str):
        return pairs.get(path.steps[0])
    return found
