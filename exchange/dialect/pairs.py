"""Names and values as forms and URLs hold them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from exchange.contract.mapping import Empty, FieldValuePart, Pairs
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, constant
from exchange.dialect.trees import Planter
from exchange.dialect.values import scalar_template
from exchange.dialect.words import text_of
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
    pieces: list[Piece] = []
    secrets: list[str] = []
    for name, value in pairs.items():
        here = place.at(name)
        if not name or len(name) > NAME_LENGTH_MAX:
            here.fault(f"a name has 1 to {NAME_LENGTH_MAX} characters")
        template = _value(value, scope, empty, here)
        secrets += template.secrets
        head = f"{escape(name)}="
        if not template.is_constant:
            pieces.append(Piece(head, template.text, template.lead_name))
        elif (text := template.text(None)) is not None:
            pieces.append(Piece(head + escape(text)))
        elif empty is not Empty.OMIT:
            pieces.append(Piece(head))
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


class Piece(NamedTuple):
    """A name with its value."""

    head: str
    """All that is always the same."""
    text: Callable[[Any], str | None] | None = None
    """None: there is nothing else."""
    lead_name: str | None = None
    """Which of the lead's values it is, where it is one as it stands."""


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with constants that stand side by side made one."""
    merged: list[Piece] = []
    for piece in pieces:
        if piece.text is None and merged and merged[-1].text is None:
            merged[-1] = Piece(f"{merged[-1].head}&{piece.head}")
        else:
            merged.append(piece)
    return merged


def _filled(
    pieces: list[Piece], empty: Empty, escape: Escape, secrets: tuple[str, ...]
) -> Template:
    if all(piece.text is None for piece in pieces):
        return constant("&".join(piece.head for piece in pieces), secrets)
    omit = empty is Empty.OMIT
    has_lead = any(piece.lead_name is not None for piece in pieces)

    def filled(view: Any) -> str:
        made = []
        known = view.lead.get if has_lead else None
        for head, text, lead_name in pieces:
            if text is None:
                made.append(head)
                continue
            # Most are the lead's values as they stand: two calls less for each.
            value = text(view) if lead_name is None or known is None else known(lead_name)
            if type(value) is not str and (value := text_of(value)) is None:
                if not omit:
                    made.append(head)
            elif value.isascii() and value.isalnum():
                made.append(head + value)
            else:
                made.append(head + escape(value))
        return "&".join(made)

    return Template(filled, filled, secrets=secrets)
