"""Names and values as forms and URLs hold them."""

from collections.abc import Callable
from typing import Any

from exchange.contract.mapping import Empty, FieldValuePart, Pairs
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, constant
from exchange.dialect.trees import Planter
from exchange.dialect.values import scalar_template
from exchange.dialect.xml_templates import compile_xml

PAIRS_MAX = 500
NAME_LENGTH_MAX = 500

Escape = Callable[[str], str]


def compile_pairs(
    pairs: Pairs, scope: Scope, empty: Empty, escape: Escape, place: Place
) -> Template:
    """Return the template of `a=1&b=2`; what is wrong with it is kept at its place."""
    if len(pairs) > PAIRS_MAX:
        place.fault(f"has more than {PAIRS_MAX} names")
        return constant("")
    pieces: list[tuple[str, Callable[[Any], str | None] | None]] = []
    secrets: list[str] = []
    for name, value in pairs.items():
        here = place.at(name)
        if not name or len(name) > NAME_LENGTH_MAX:
            here.fault(f"a name has 1 to {NAME_LENGTH_MAX} characters")
        template = _value(value, scope, empty, here)
        secrets += template.secrets
        head = f"{escape(name)}="
        if not template.is_constant:
            pieces.append((head, template.text))
        elif (text := template.text(None)) is not None:
            pieces.append((head + escape(text), None))
        elif empty is not Empty.OMIT:
            pieces.append((head, None))
    return _filled(_merged(pieces), empty, escape, tuple(secrets))


def _value(value: object, scope: Scope, empty: Empty, place: Place) -> Template:
    if isinstance(value, FieldValuePart):
        if (value.json is None) == (value.xml is None):
            place.fault("is either json or xml")
        elif value.xml is not None:
            return compile_xml(value.xml, scope, empty, place.at("xml"))
        return Planter(scope, empty).json(value.json, place.at("json"))
    try:
        return scalar_template(value, scope)  # type: ignore[arg-type] # all that a pair holds else
    except TemplateError as error:
        place.fault(str(error))
        return constant("")


Piece = tuple[str, Callable[[Any], str | None] | None]


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with constants that stand side by side made one."""
    merged: list[Piece] = []
    for head, text in pieces:
        if text is None and merged and merged[-1][1] is None:
            merged[-1] = (f"{merged[-1][0]}&{head}", None)
        else:
            merged.append((head, text))
    return merged


def _filled(
    pieces: list[Piece], empty: Empty, escape: Escape, secrets: tuple[str, ...]
) -> Template:
    if all(text is None for _, text in pieces):
        return constant("&".join(head for head, _ in pieces), secrets)
    omit = empty is Empty.OMIT

    def filled(view: object) -> str:
        made = []
        for head, text in pieces:
            if text is None:
                made.append(head)
                continue
            value = text(view)
            if value is None:
                if not omit:
                    made.append(head)
            elif value.isascii() and value.isalnum():
                made.append(head + value)
            else:
                made.append(head + escape(value))
        return "&".join(made)

    return Template(filled, filled, secrets=secrets)
