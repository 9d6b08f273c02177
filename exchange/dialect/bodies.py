"""What a message carries: a form, a query, JSON, XML or a text, filled in from a view."""

from collections.abc import Callable
from typing import Any

import msgspec

from exchange.contract.mapping import BodyPart, Empty, Pairs
from exchange.dialect.escaping import in_form, in_query
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.pairs import compile_pairs
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, compile_template, constant
from exchange.dialect.trees import Planter
from exchange.dialect.words import to_json, whole
from exchange.dialect.xml_templates import compile_xml

KINDS = ("json", "form", "query", "xml", "text")
CONTENT_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "query": None,
    "xml": "application/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}

Rendered = tuple[bytes, bytes]
"""What stands behind the URL's `?`, escaped, and the body."""


class Body(msgspec.Struct, frozen=True):
    """A message's content, compiled."""

    render: Callable[[Any], Rendered]
    """Makes query and body from a view; never raises."""
    content_type: str | None = None
    """None: there is no body."""
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say what kind it is; it may hold a secret."""
        return f"Body({self.content_type})"


EMPTY_BODY = Body(lambda _: (b"", b""))


def place_body(part: BodyPart, scope: Scope, empty: Empty, place: Place) -> Body:
    """Return the body; what is wrong with it is kept at its place."""
    named = [kind for kind in KINDS if getattr(part, kind) is not None]
    if len(named) != 1:
        place.fault(f"is exactly one of {', '.join(KINDS)}")
        return EMPTY_BODY
    kind = named[0]
    content = getattr(part, kind)
    here = place.at(kind)
    if kind == "json":
        return _json(content, scope, empty, here)
    if kind == "query":
        return with_query(EMPTY_BODY, content, scope, empty, here)
    if kind == "form":
        template = compile_pairs(content, scope, empty, in_form, here)
    elif kind == "xml":
        template = compile_xml(content, scope, empty, here)
    else:
        template = _text(content, scope, here)
    return Body(_encoded(template), CONTENT_TYPES[kind], template.secrets)


def with_query(body: Body, query: Pairs, scope: Scope, empty: Empty, place: Place) -> Body:
    """Return the body with names and values behind the URL."""
    template = compile_pairs(query, scope, empty, in_query, place)
    behind, render = template.text, body.render

    def rendered(view: object) -> Rendered:
        return (behind(view) or "").encode(), render(view)[1]

    return Body(rendered, body.content_type, (*body.secrets, *template.secrets))


def _json(tree: object, scope: Scope, empty: Empty, place: Place) -> Body:
    node = Planter(scope, empty).node(tree, place, 0)
    if node.fill is None:
        fixed = (b"", to_json(node.constant))
        return Body(lambda _: fixed, CONTENT_TYPES["json"], node.secrets)
    fill = node.fill
    return Body(lambda view: (b"", to_json(fill(view))), CONTENT_TYPES["json"], node.secrets)


def _text(text: str, scope: Scope, place: Place) -> Template:
    try:
        return compile_template(text, scope)
    except TemplateError as error:
        place.fault(str(error))
        return constant("")


def _encoded(template: Template) -> Callable[[Any], Rendered]:
    if template.is_constant:
        fixed = (b"", whole(template.text(None) or "").encode())
        return lambda _: fixed
    text = template.text
    return lambda view: (b"", whole(text(view) or "").encode())
