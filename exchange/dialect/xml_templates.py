"""XML that is filled in: well-formed whatever the values are, for it is checked with probes."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.parsers import expat

from exchange.contract.mapping import Empty
from exchange.dialect.escaping import in_cdata, in_xml_attribute, in_xml_text
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.placeholders import Placeholder, parse_template
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, compile_placeholder, constant
from exchange.dialect.xml_places import ATTRIBUTES, Scanner, Spot

PROBE = "1"
"""Stands for every placeholder while a document is checked; it may stand wherever one may."""
ENCODINGS = frozenset({None, "utf-8", "utf8", "us-ascii", "ascii"})

_START = re.compile(r"<([^\s<>/!?\"'=]+)(?:\s[^<>]*)?>(<!\[CDATA\[)?\Z")
_ATTRIBUTE = re.compile(r"\s+[^\s<>=\"']+\s*=\s*([\"'])\Z")

ESCAPES: dict[Spot, Callable[[str], str]] = {
    Spot.TEXT: in_xml_text,
    Spot.CDATA: in_cdata,
    Spot.DOUBLE: in_xml_attribute,
    Spot.SINGLE: in_xml_attribute,
}


class Gap(NamedTuple):
    """A placeholder where it stands in its document."""

    placeholder: Placeholder
    spot: Spot
    depth: int


class Filling(NamedTuple):
    """A placeholder's text, between what stands and falls with it."""

    head: str
    text: Callable[[Any], str | None]
    escape: Callable[[str], str]
    tail: str
    is_left_away: bool
    """Where its value is not known, head and tail are left away with it."""


def compile_xml(text: str, scope: Scope, empty: Empty, place: Place) -> Template:
    """Return the template of a document; what is wrong with it is kept at its place."""
    try:
        parts = parse_template(text.lstrip())
        pieces = located(parts)
        check_well_formed("".join(piece if isinstance(piece, str) else PROBE for piece in pieces))
    except TemplateError as error:
        place.fault(str(error))
        return constant("")
    above = text.count("\n", 0, len(text) - len(text.lstrip()))
    return _compiled(pieces, scope, empty, (place, above))


def located(parts: list[str | Placeholder]) -> list[str | Gap]:
    """Return the parts with each placeholder's spot; raise TemplateError where none may stand."""
    scanner = Scanner()
    pieces: list[str | Gap] = []
    for index, part in enumerate(parts):
        if isinstance(part, str):
            scanner.feed(part)
            pieces.append(part)
            continue
        rest = "".join(other for other in parts[index + 1 : index + 2] if isinstance(other, str))
        spot = scanner.at_placeholder(rest)
        before = parts[index - 1] if index else ""
        if spot is Spot.CDATA and isinstance(before, str) and before.endswith("]"):
            raise TemplateError("has a ] right before a placeholder in a CDATA section")
        pieces.append(Gap(part, spot, scanner.depth))
    return pieces


def check_well_formed(document: str) -> None:
    """Raise TemplateError for a document that no XML parser takes."""
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = _check_encoding
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise TemplateError(f"is not well-formed XML, line {error.lineno}: {words}") from None


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if (encoding and encoding.lower()) not in ENCODINGS:
        raise TemplateError(f"declares {encoding}, and is sent as UTF-8: say so or leave it away")


def _refuse_doctype(*_: object) -> None:
    raise TemplateError("may have no DOCTYPE")


def _compiled(
    pieces: list[str | Gap], scope: Scope, empty: Empty, where: tuple[Place, int]
) -> Template:
    place, line = where
    texts, gaps, fillings = [""], [], []
    secrets: tuple[str, ...] = ()
    for piece in pieces:
        if isinstance(piece, str):
            texts[-1] += piece
            line += piece.count("\n")
            continue
        with place.catching(line):
            template = compile_placeholder(piece.placeholder, scope)
            secrets += template.secrets
            if template.is_constant:
                texts[-1] += ESCAPES[piece.spot](template.text(None) or "")
            else:
                gaps.append((piece, template))
                texts.append("")
    for index, (gap, template) in enumerate(gaps):
        head, tail = _around(gap, texts[index], texts[index + 1]) if empty is OMIT else ("", "")
        texts[index] = texts[index].removesuffix(head)
        texts[index + 1] = texts[index + 1].removeprefix(tail)
        fillings.append(Filling(head, template.text, ESCAPES[gap.spot], tail, bool(head)))
    return _filled(texts, fillings, secrets)


OMIT = Empty.OMIT
ROOT = 1


def _around(gap: Gap, before: str, after: str) -> tuple[str, str]:
    """Return the tags of an element, or the sides of an attribute, that hold only this gap.

    The root element stays whatever it holds.
    """
    if gap.spot in ATTRIBUTES:
        side = _ATTRIBUTE.search(before)
        return (side.group(), side[1]) if side and after.startswith(side[1]) else ("", "")
    start = _START.search(before)
    if start is None or gap.depth == ROOT:
        return "", ""
    section = r"\]\]>" if start[2] else ""
    end = re.match(rf"{section}</{re.escape(start[1])}\s*>", after)
    return (start.group(), end.group()) if end else ("", "")


def _filled(texts: list[str], fillings: list[Filling], secrets: tuple[str, ...]) -> Template:
    if not fillings:
        return constant(texts[0], secrets)
    pairs = list(zip(texts, fillings, strict=False))
    last = texts[-1]

    def filled(view: object) -> str:
        made = []
        for before, (head, text, escape, tail, is_left_away) in pairs:
            made.append(before)
            value = text(view)
            if value is not None:
                made += (head, escape(value), tail)
            elif not is_left_away:
                made += (head, tail)
        made.append(last)
        return "".join(made)

    return Template(filled, filled, secrets=secrets)
