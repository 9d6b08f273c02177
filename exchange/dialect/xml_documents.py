"""XML from outside, read without entities, within limits; what is no such XML is None."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, XMLParser

import re2

from exchange.dialect.paths import Attribute, Step

ELEMENTS_MAX = 5_000
DEPTH_MAX = 64
ATTRIBUTES_MAX = 2_000
PIECES_MAX = 20_000
"""How many lines and references a text may be made of: the parser takes each one by itself."""

# A long namespace would be written out before the name of every element.
_LONG_NAMESPACE = re2.compile(rb"""xmlns[^=]{0,100}=\s{0,100}["'][^"']{120}""")


def read_xml(text: str) -> Element | None:
    """Return the root element; None for what is no XML, has a DOCTYPE, or is too much of it."""
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
    return None if opened > DEPTH_MAX and _too_deep(root) else root


def _too_deep(root: Element) -> bool:
    layer = [root]
    for _ in range(DEPTH_MAX):
        layer = [child for element in layer for child in element]
        if not layer:
            return False
    return True


def find_xml(root: Element, steps: tuple[Step, ...]) -> str | None:
    """Return the text at the end of a path that begins below the root element or with it.

    Below goes first: a root may be called as one of its elements is.
    """
    found = _walk(root, steps)
    if found is None and steps and steps[0] == local(root.tag):
        return _walk(root, steps[1:])
    return found


def _walk(element: Element, steps: tuple[Step, ...]) -> str | None:
    position = 0
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
        child = _child(element, step, index)
        if child is None:
            return None
        element = child
        position += 1
    return text_of_element(element)


def _child(element: Element, name: str, index: int) -> Element | None:
    for child in element:
        if local(child.tag) == name:
            if not index:
                return child
            index -= 1
    return None


def _attribute(element: Element, name: str) -> str | None:
    found = element.get(name)
    if found is not None:
        return found
    return next((text for key, text in element.items() if local(key) == name), None)


def text_of_element(element: Element) -> str:
    """Return an element's text, with that of all in it, without blanks around it."""
    if not len(element):
        return (element.text or "").strip()
    return "".join(element.itertext()).strip()


def local(tag: str) -> str:
    """Return an element's or attribute's name without its namespace."""
    return tag.rpartition("}")[2] if tag[:1] == "{" else tag


def leaves(root: Element) -> Iterator[Element]:
    """Yield every element that holds no other."""
    return (element for element in root.iter() if not len(element))
