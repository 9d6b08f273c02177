"""XML from outside, read without entities, within limits; what is no such XML is None."""

from itertools import islice
from xml.etree.ElementTree import Element, ParseError, XMLParser

import re2

from exchange.dialect.paths import Attribute, Step

ELEMENTS_MAX = 2_000
DEPTH_MAX = 64
ATTRIBUTES_MAX = 2_000
TEXTS_MAX = 200
"""Of an element that holds others so many texts are read."""
PIECES_MAX = 20_000
"""How many lines and references a text may be made of: the parser takes each one by itself."""

# A long namespace would be written out before the name of every element.
_LONG_NAMESPACE = re2.compile(rb"""xmlns[^=]{0,100}=\s{0,100}["'][^"']{120}""")


class XmlTree:
    """A document in which paths are found; each element's children are looked through once."""

    __slots__ = ("_children", "root")

    def __init__(self, root: Element) -> None:
        """Take the root element."""
        self.root = root
        self._children: dict[Element, dict[str, list[Element]]] = {}

    def find(self, steps: tuple[Step, ...]) -> str | None:
        """Return the text at the end of a path that begins below the root element or with it.

        Below goes first: a root may be called as one of its elements is.
        """
        found = self._walk(steps)
        if found is None and steps and steps[0] == local(self.root.tag):
            return self._walk(steps[1:])
        return found

    def _walk(self, steps: tuple[Step, ...]) -> str | None:
        element, position = self.root, 0
        while position < len(steps):
            step = steps[position]
            if isinstance(step, Attribute):
                return _attribute(element, step.name) if position == len(steps) - 1 else None
            if isinstance(step, int):
                return None
            index = 0
            if position + 1 < len(steps) and isinstance(following := steps[position + 1], int):
                index = following
                position += 1
            same = self._named(element).get(step, ())
            if index >= len(same):
                return None
            element = same[index]
            position += 1
        return text_of_element(element)

    def _named(self, element: Element) -> dict[str, list[Element]]:
        """Return an element's children by their names."""
        named = self._children.get(element)
        if named is None:
            named = self._children[element] = {}
            for child in element:
                named.setdefault(local(child.tag), []).append(child)
        return named


def read_xml(text: str) -> XmlTree | None:
    """Return the document; None for what is no XML, has a DOCTYPE, or is too much of it."""
    opened = text.count("<") - text.count("</") - text.count("<!") - text.count("<?")
    if opened > ELEMENTS_MAX or text.count("=") > ATTRIBUTES_MAX:
        return None
    if text.count("&") + text.count("\n") + text.count("\r") > PIECES_MAX:
        return None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    if "xmlns" in text and _LONG_NAMESPACE.search(text.encode(errors="replace")):
        return None
    parser = XMLParser()  # noqa: S314 - no DOCTYPE gets here, so there is no entity of its own
    try:
        parser.feed(text)
        root = parser.close()
    except (ParseError, ValueError, RecursionError):
        return None
    return None if opened > DEPTH_MAX and _too_deep(root) else XmlTree(root)


def _too_deep(root: Element) -> bool:
    layer = [root]
    for _ in range(DEPTH_MAX):
        layer = [child for element in layer for child in element]
        if not layer:
            return False
    return True


def _attribute(element: Element, name: str) -> str | None:
    found = element.get(name)
    if found is not None:
        return found
    return next((text for key, text in element.items() if local(key) == name), None)


def text_of_element(element: Element) -> str:
    """Return an element's text, with that of the first in it, without blanks around it."""
    if not len(element):
        return (element.text or "").strip()
    return "".join(islice(element.itertext(), TEXTS_MAX)).strip()


def local(tag: str) -> str:
    """Return an element's or attribute's name without its namespace."""
    return tag.rpartition("}")[2] if tag[:1] == "{" else tag
