"""Forms, urlencoded or multipart, become the same request that JSON would have been.

The lead's fields stand flat beside `campaign` and `source`; consent and tracking are dotted,
`consent.url`. Of a name that comes twice the last counts, as with a checkbox behind a hidden
field; only lists take all.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from exchange.intake.request import Parsed, Request, Unparsable
from exchange.intake.spellings import BOOLS

FIELDS_MAX = 1000
"""How many fields a form may have: what a browser or a seller sends stays far below."""

INVALID_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
WHOLE = re.compile(r"-?\d{1,18}\Z", re.ASCII)
NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,20})?\Z", re.ASCII)

CONTROLS = frozenset(
    {
        "campaign",
        "source",
        "seller_ref",
        "ping_id",
        "min_price",
        "timeout_ms",
        "test",
        "already_sold",
        "exclude_buyers",
        "legs",
    }
)
GROUPS = frozenset({"lead", "consent", "tracking"})
LISTS = frozenset({"exclude_buyers", "legs"})

OTHER_FORMATS = frozenset({b"{", b"[", b"<"})
"""How JSON and XML begin: whoever forgets their content type often sends that of a form."""

Pairs = Iterable[tuple[str, str]]


def read_urlencoded(body: bytes) -> Parsed | Unparsable:
    """Return the request in an urlencoded form."""
    if body.lstrip()[:1] in OTHER_FORMATS:
        return Unparsable(400, NOT_A_FORM)
    if body.count(b"&") >= FIELDS_MAX:
        return Unparsable(400, TOO_MANY)
    if INVALID_PERCENT.search(body):
        return Unparsable(400, "the form holds a % that begins no escape")
    try:
        pairs = [(decoded(name), decoded(value)) for name, value in raw_pairs(body)]
    except UnicodeDecodeError:
        return Unparsable(400, NOT_UTF8)
    return gathered(pairs)


TOO_MANY = f"the form has more than {FIELDS_MAX} fields"
NOT_UTF8 = "the form is not UTF-8"
NOT_A_FORM = (
    "the body looks like JSON or XML, and its content type says a form:"
    " send `Content-Type: application/json` or `application/xml`"
)


def raw_pairs(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the still escaped names and values of an urlencoded form."""
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield name, value


def decoded(escaped: bytes) -> str:
    """Return an escaped text in clear; raises UnicodeDecodeError where it is not UTF-8."""
    plain = escaped.replace(b"+", b" ")
    return (unescaped(plain) if b"%" in plain else plain).decode()


def unescaped(escaped: bytes) -> bytes:
    """Return what percent escapes stand for; every % begins one.

    They are quoted-printable with another sign, and that decoder is ten times as fast as one
    that goes through a table: a body full of escapes must not hold up the others.
    """
    return binascii.a2b_qp(escaped.replace(b"=", b"=3D").replace(b"%", b"="))


def read_multipart(body: bytes, boundary: str) -> Parsed | Unparsable:
    """Return the request in a multipart form; files are not taken."""
    try:
        pairs = multipart_pairs(body, boundary)
    except UnicodeError:
        return Unparsable(400, NOT_UTF8)
    except MultipartError:
        # The parser's words may quote the body; ours do not.
        return Unparsable(400, "the body is not a multipart form, or has too many parts")
    return Unparsable(400, "files are not taken") if pairs is None else gathered(pairs)


def multipart_pairs(body: bytes, boundary: str) -> list[tuple[str, str]] | None:
    """Return names and values of all parts, or None where one of them is a file."""
    pairs: list[tuple[str, str]] = []
    name = ""
    value: list[bytes] = []
    parser = PushMultipartParser(boundary, len(body), max_segment_count=FIELDS_MAX, strict=True)
    for event in parser.parse(body):
        if isinstance(event, MultipartSegment):
            if event.filename is not None:
                return None
            name, value = event.name, []
        elif event is None:
            pairs.append((name, b"".join(value).decode()))
        else:
            value.append(bytes(event))
    parser.close()  # raises where the end is missing
    return pairs


def gathered(pairs: Pairs) -> Parsed:
    """Return the request that these names and values make together; NULs are stripped."""
    fields: dict[str, object] = {}
    groups: dict[str, dict[str, object]] = {"lead": {}, "consent": {}, "tracking": {}}
    lists: dict[str, list[str]] = {}
    api_key: str | None = None
    for raw_name, raw_value in pairs:
        name, value = raw_name.replace("\0", "").removesuffix("[]"), raw_value.replace("\0", "")
        group, dot, rest = name.partition(".")
        if name == "api_key":
            api_key = value
        elif name in LISTS or name == "consent.named_buyers":
            lists.setdefault(name, []).append(value)
        elif name in CONTROLS:
            fields[name] = control(name, value)
        elif dot and group in GROUPS:
            groups[group][rest] = value
        else:
            groups["lead"][name] = value
    for name, values in lists.items():
        if name in LISTS:
            parts = [part.strip() for value in values for part in value.split(",")]
            fields[name] = [part for part in parts if part]
        else:
            groups["consent"]["named_buyers"] = [value for value in values if value.strip()]
    fields.update(groups)
    return Parsed(Request(fields), api_key or None)


def control(name: str, text: str) -> object:
    """Return a control field with the type that JSON would give it; a text it cannot be stays."""
    plain = text.strip()
    if not plain:
        return None
    if name == "min_price" and NUMBER.match(plain):
        return Decimal(plain)
    if name in {"timeout_ms", "already_sold"} and WHOLE.match(plain):
        return int(plain)
    if name == "test":
        return BOOLS.get(plain.casefold(), plain)
    return plain
