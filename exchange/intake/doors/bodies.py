"""Whatever was sent becomes tables, lists and texts: JSON, XML, a form, or what the address holds.

A body is read by what it is, not by what its content type claims; a multipart form alone needs its
boundary from there. Bytes that are not UTF-8 are taken for Latin-1.
"""

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.parsers import expat  # bounded, and a document type ends the reading

import msgspec
from multipart import MultipartError, parse_options_header

from exchange.domain.door import Sent
from exchange.domain.json_text import BOM, VALUES_MAX, exact_number, too_many_values
from exchange.intake.doors.paths import TEXT
from exchange.intake.forms import FIELDS_MAX, multipart_pairs, raw_pairs, unescaped
from exchange.intake.request import ABSURD, Unparsable

DEPTH_MAX = 64
ELEMENTS_MAX = FIELDS_MAX
ATTRIBUTES_MAX = 4 * ELEMENTS_MAX
INVALID_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
BLANK = b" \t\r\n"
DECLARATION = re.compile(rb"<\?xml\b[^>]{0,300}\?>")
ESCAPED_NUL = re.compile(r"&#(?:0+|x0+);")
WESTERN = bytes(range(256)).decode("cp1252", errors="replace")
"""Latin-1 as Windows has it. A table, for what it lacks is slow to be replaced one by one."""

TOO_MANY = f"the request has more than {FIELDS_MAX} fields"
TOO_DEEP = f"the body nests deeper than {DEPTH_MAX} levels"
NO_JSON = "the body is not JSON"
NO_XML = "the body is not XML"
NO_FORM = "the body is not a multipart form, or has too many parts"
NO_FILES = "files are not taken"


class UnreadableError(Exception):
    """The body cannot be read; the message is the sentence to answer with."""


class Content(msgspec.Struct, frozen=True):
    """What a body says."""

    body: object = None
    root: str | None = None
    """The document element's name, of XML."""


def sent_of(
    body: bytes, content_type: str, query: bytes, headers: Mapping[str, str], inside: str | None
) -> Sent | Unparsable:
    """Return a request taken apart, or the status and sentence to answer with; never raises."""
    try:
        content = content_of(body, content_type)
        if inside is not None:
            content = unwrapped(content, inside)
        behind = table_of(form_pairs(query))
    except UnreadableError as error:
        return Unparsable(400, str(error))
    return Sent(body=content.body, root=content.root, query=behind, headers=headers)


def content_of(body: bytes, content_type: str = "") -> Content:
    """Return what a body says, by what it is. Errors: UnreadableError."""
    plain = body.removeprefix(BOM).strip(BLANK)
    if not plain:
        return Content()
    if plain.startswith((b"{", b"[")):
        return Content(json_value(plain))
    if plain.startswith(b"<"):
        return xml_value(plain)
    kind, options = parse_options_header(content_type)
    if plain.startswith(b"--") and kind == "multipart/form-data":
        return Content(parts_of(body, options.get("boundary", "")))
    return Content(table_of(form_pairs(plain)))


def unwrapped(content: Content, name: str) -> Content:
    """Return the request that a field holds as JSON or XML; as it came where it holds none."""
    if not isinstance(content.body, dict):
        return content
    text = content.body.get(name)
    if not isinstance(text, str) or not text.strip().startswith(("{", "[", "<")):
        return content
    inner = content_of(text.encode(errors="replace"))
    if not isinstance(inner.body, dict):
        return inner
    beside = {key: value for key, value in content.body.items() if key != name}
    return Content({**beside, **inner.body}, inner.root)


# JSON


def json_value(body: bytes) -> object:
    """Return a JSON value; numbers stay exact, NULs are gone."""
    text = utf8(body)
    if too_many_values(text):
        raise UnreadableError(f"the body holds more than {VALUES_MAX} values")
    try:
        value = DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableError(NO_JSON) from None
    except RecursionError:
        raise UnreadableError(TOO_DEEP) from None
    return bounded(value, DEPTH_MAX)


def number(text: str) -> object:
    """Return a JSON number exactly, or `ABSURD`."""
    exact = exact_number(text)
    return ABSURD if exact is None else exact


DECODER = msgspec.json.Decoder(float_hook=number)


def bounded(value: Any, depth_left: int) -> object:
    """Return a decoded value without NULs; it may not nest deeper than this."""
    if isinstance(value, str):
        return value.replace("\0", "") if "\0" in value else value
    if isinstance(value, dict | list) and depth_left <= 0:
        raise UnreadableError(TOO_DEEP)
    if isinstance(value, dict):
        return {
            name.replace("\0", ""): bounded(item, depth_left - 1) for name, item in value.items()
        }
    if isinstance(value, list):
        return [bounded(item, depth_left - 1) for item in value]
    return value


# Forms


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return names and values of an urlencoded form; a `%` that begins no escape is itself."""
    if body.count(b"&") >= FIELDS_MAX:
        raise UnreadableError(TOO_MANY)
    return [(decoded(name), decoded(value)) for name, value in raw_pairs(body)]


def decoded(escaped: bytes) -> str:
    """Return an escaped text in clear."""
    plain = escaped.replace(b"+", b" ")
    if b"%" in plain:
        # A % before another one begins nothing; of a run the first pass leaves every second.
        plain = plain.replace(b"%%", b"%25%").replace(b"%%", b"%25%")
        plain = unescaped(INVALID_PERCENT.sub(b"%25", plain))
    return text_of(plain)


def parts_of(body: bytes, boundary: str) -> dict[str, object]:
    """Return the fields of a multipart form; files are not taken."""
    try:
        pairs = multipart_pairs(body, boundary)
    except (MultipartError, UnicodeError):
        # The parser's words may quote the body; ours do not.
        raise UnreadableError(NO_FORM) from None
    if pairs is None:
        raise UnreadableError(NO_FILES)
    return table_of(pairs)


def table_of(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return pairs as a table: of a name that comes twice the last counts, but `name[]` lists all.

    That is what a checkbox behind a hidden field means.
    """
    table: dict[str, object] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.replace("\0", ""), raw_value.replace("\0", "")
        if name.endswith("[]"):
            listed = table.setdefault(name.removesuffix("[]"), [])
            if isinstance(listed, list):
                listed.append(value)
        else:
            table[name] = value
    return table


# XML


class Element:
    """An element while it is read."""

    __slots__ = ("children", "name", "texts")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.texts: list[str] = []
        self.children: dict[str, Any] = {f"@{local(key)}": text for key, text in attributes.items()}

    def value(self) -> object:
        """Return a text, or a table of attributes and elements; lists where names repeat."""
        text = "".join(self.texts).strip()
        if not self.children:
            return text
        return {**self.children, TEXT: text} if text else self.children

    def add(self, name: str, value: object) -> None:
        """Take a child; of a name that comes twice a list is made."""
        if name not in self.children:
            self.children[name] = value
        elif isinstance(self.children[name], Repeated):
            self.children[name].append(value)
        else:
            self.children[name] = Repeated([self.children[name], value])


class Repeated(list[object]):
    """Elements of one name, side by side."""


class Reader:
    """Takes the parser's events and keeps what they make together, within bounds."""

    def __init__(self) -> None:
        self.root = ""
        self.body: object = None
        self.open: list[Element] = []
        self.elements = 0
        self.attributes = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self.elements += 1
        self.attributes += len(attributes)
        if self.elements > ELEMENTS_MAX or self.attributes > ATTRIBUTES_MAX:
            raise UnreadableError(f"the body has more than {ELEMENTS_MAX} elements")
        if len(self.open) >= DEPTH_MAX:
            raise UnreadableError(TOO_DEEP)
        named = {key: text for key, text in attributes.items() if key.partition(":")[0] != "xmlns"}
        self.open.append(Element(local(tag), named))

    def text(self, text: str) -> None:
        """Take a part of an element's text."""
        self.open[-1].texts.append(text)

    def end(self, _tag: str) -> None:
        """Finish an element and give it to the one around it."""
        element = self.open.pop()
        if self.open:
            self.open[-1].add(element.name, element.value())
        else:
            self.root, self.body = element.name, element.value()

    def doctype(self, *_: object) -> None:
        """End the reading: nothing good begins so."""
        raise UnreadableError("a document type is not taken")


def xml_value(body: bytes) -> Content:
    """Return what stands below the document element, without namespaces."""
    declared = DECLARATION.match(body)
    text = text_of(body if declared is None else body[declared.end() :]).replace("\0", "")
    if "&#" in text:
        text = ESCAPED_NUL.sub("", text)
    reader = Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(text.encode(errors="replace"), True)
    except expat.ExpatError:
        raise UnreadableError(NO_XML) from None
    return Content(reader.body, reader.root)


def local(tag: str) -> str:
    """Return a name without its namespace's prefix."""
    return tag.rpartition(":")[2]


# Texts


def text_of(raw: bytes) -> str:
    """Return a text in UTF-8 or, where it is not, in Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return codecs.charmap_decode(raw, "strict", WESTERN)[0]


def utf8(raw: bytes) -> bytes:
    """Return bytes as UTF-8, whichever of the two they were."""
    return raw if raw.isascii() else text_of(raw).encode()
