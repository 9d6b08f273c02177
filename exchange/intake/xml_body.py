"""A body in XML becomes the same request that JSON would have been: its elements are the names.

Only what a request needs is taken of the language: no document type, so no entities but the five
and nothing from outside, no values in attributes. Namespaces are read over.
"""

import re
from collections.abc import Iterable, Mapping
from xml.parsers import expat  # bounded, and a document type ends the reading

from exchange.intake.forms import CONTROLS, GROUPS, LISTS, control
from exchange.intake.request import Parsed, Request, Unparsable

ROOT = "request"
ELEMENTS_MAX = 1000
"""As many as a form may have fields."""
DEPTH_MAX = 64
ATTRIBUTES_MAX = 20
"""Of one element; they are read over."""

ESCAPED_NUL = re.compile(r"&#(?:0+|x0+);")
DECLARED = re.compile(r"""<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["']([^"'>]{0,40})["']""")
ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
"""What a body in UTF-8 may say of itself."""

Children = list[tuple[str, "Content"]]
Content = str | Children
"""What an element holds: its text, or other elements by their local names."""


class UnusableError(Exception):
    """The document is XML, and no request; the message is the sentence to answer with."""


def read_xml(body: bytes) -> Parsed | Unparsable:
    """Return the request in an XML document; 415 for an encoding other than UTF-8."""
    try:
        text = body.decode("utf-8-sig").replace("\0", "").lstrip()
    except UnicodeDecodeError:
        return Unparsable(400, "the body is not UTF-8")
    declared = DECLARED.match(text)
    if declared is not None and declared[1].lower() not in ENCODINGS:
        return Unparsable(415, "the encoding must be UTF-8")
    if "&#" in text:
        text = ESCAPED_NUL.sub("", text)
    try:
        return request_of(children_of(text))
    except UnusableError as error:
        return Unparsable(400, str(error))
    except expat.ExpatError as error:
        # The parser's words name a place, never what stood there.
        return Unparsable(400, f"the body is not XML: {error}")


class Reader:
    """Takes the parser's events and keeps what they make together, within bounds."""

    def __init__(self) -> None:
        self.root: tuple[str, Content] = ("", "")
        self.open: list[tuple[Children, list[str]]] = []
        self.count = 0

    def start(self, _tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self.count += 1
        if self.count > ELEMENTS_MAX:
            raise UnusableError(f"the body has more than {ELEMENTS_MAX} elements")
        if len(self.open) >= DEPTH_MAX:
            raise UnusableError(f"the body nests deeper than {DEPTH_MAX} levels")
        if len(attributes) > ATTRIBUTES_MAX:
            raise UnusableError(f"an element has more than {ATTRIBUTES_MAX} attributes")
        if any(":" not in name and name != "xmlns" for name in attributes):
            raise UnusableError("a value stands in an attribute; it belongs into an element")
        self.open.append(([], []))

    def text(self, text: str) -> None:
        """Take a part of an element's text."""
        self.open[-1][1].append(text)

    def end(self, tag: str) -> None:
        """Finish an element and give it to the one around it."""
        children, texts = self.open.pop()
        text = "".join(texts)
        if children and text.strip():
            raise UnusableError("a text stands beside elements; it belongs into one of its own")
        element = (tag.rpartition(":")[2], children or text)
        if self.open:
            self.open[-1][0].append(element)
        else:
            self.root = element

    def doctype(self, *_: object) -> None:
        """End the reading: nothing good begins so."""
        raise UnusableError("a document type is not taken")


def children_of(text: str) -> Children:
    """Return what stands in the document element.

    Errors: ExpatError for what is no XML, UnusableError for what is out of bounds.
    """
    reader = Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    parser.Parse(text, True)
    name, content = reader.root
    if name != ROOT:
        raise UnusableError(f"the document element must be <{ROOT}>")
    if isinstance(content, str):
        if content.strip():
            raise UnusableError(f"<{ROOT}> holds a text in place of elements")
        return []
    return content


def request_of(children: Children) -> Parsed:
    """Return the request that these elements make; control fields are typed as a form's.

    Of a name that comes twice the last counts, as everywhere; lists take all, and a second lead
    is an error: nobody's lead is dropped unseen.
    """
    fields: dict[str, object] = {}
    groups: dict[str, object] = {}
    lists: dict[str, list[object]] = {}
    api_key: str | None = None
    for name, content in children:
        if name == "api_key":
            api_key = content.strip() if isinstance(content, str) else None
        elif name in LISTS:
            lists.setdefault(name, []).extend(names(content))
        elif name in GROUPS:
            if name in groups:
                raise UnusableError(f"<{name}> comes twice; a request is one lead")
            groups[name] = consent(content) if name == "consent" else grouped(content)
        elif name in CONTROLS and isinstance(content, str):
            fields[name] = control(name, content)
        else:
            fields[name] = value(content)
    empty: dict[str, object] = {"lead": {}, "consent": {}, "tracking": {}}
    return Parsed(Request({**fields, **lists, **empty, **groups}), api_key or None)


def grouped(content: Content) -> object:
    """Return what a group says: an object, unless a text stands where elements should."""
    return content if isinstance(content, str) and content.strip() else fields_of(content)


def consent(content: Content) -> object:
    """Return a consent, the companies that it names as a list."""
    told = grouped(content)
    if isinstance(content, str) or not isinstance(told, dict) or "named_buyers" not in told:
        return told
    listed = [entry for name, part in content if name == "named_buyers" for entry in entries(part)]
    return {**told, "named_buyers": listed}


def entries(content: Content) -> Iterable[object]:
    """Return the entries of a list: each child element, or the text of the element itself."""
    if isinstance(content, str):
        return [content] if content.strip() else []
    return [value(part) for _, part in content if part if not isinstance(part, str) or part.strip()]


def names(content: Content) -> Iterable[object]:
    """Return the ids in a list of the request; as in a form, commas part them too."""
    for entry in entries(content):
        if isinstance(entry, str):
            yield from (part.strip() for part in entry.split(",") if part.strip())
        else:
            yield entry


def value(content: Content) -> object:
    """Return an element's value: its text, or an object of its elements."""
    return content if isinstance(content, str) else fields_of(content)


def fields_of(content: Content) -> dict[str, object]:
    """Return elements as an object; blanks alone are an empty one."""
    if isinstance(content, str):
        return {}
    return {name: value(part) for name, part in content}
