"""From an outcome to the answer that a sender expects: its words, its status, its format."""

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec

from exchange.contract.door import AnswerPart
from exchange.contract.mapping import Empty
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Getter, Scope
from exchange.dialect.template import Template, compile_template
from exchange.dialect.words import text_of, to_json, whole
from exchange.dialect.xml_templates import compile_xml
from exchange.domain.door import Fault, Format, LegTold, Outcome, Told, Written

OK = int(HTTPStatus.OK)
SERVER_ERRORS = 500

CONTENT_TYPES: Mapping[Format, str] = {
    Format.JSON: "application/json",
    Format.XML: "application/xml; charset=utf-8",
    Format.FORM: "application/x-www-form-urlencoded",
    Format.TEXT: "text/plain; charset=utf-8",
}
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
ELEMENT = re.compile(r"@?[A-Za-z_][A-Za-z0-9_.:-]*\Z")
TEXT_KEY = "#text"
EACH = "each"
ITEM = "item"
IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
SPECIAL = re.compile(r'[&<>"\r]')


def told(name: str) -> Getter:
    """Return what finds this in what an answer may speak of."""
    return lambda view: getattr(view[0], name)


def item(name: str) -> Getter:
    """Return what finds this in the entry of a list."""
    return lambda view: getattr(view[1], name)


NAMES: Mapping[str, Getter] = {
    **{
        name: told(name)
        for name in (
            *("outcome", "does", "lead_id", "ping_id", "sale_id", "original_id", "price"),
            *("currency", "buyer", "redirect_url", "reason", "code", "message", "score"),
            *("expires_at", "expires_in_s", "retry_after_s", "test"),
        )
    },
    "http_status": told("status"),
    "errors": lambda view: [fault.sentence for fault in view[0].errors],
}
"""What every answer may name."""
LISTS: Mapping[str, tuple[Getter, Mapping[str, Getter]]] = {
    "errors": (
        told("errors"),
        {f"error.{name}": item(name) for name in ("field", "native", "code", "message")}
        | {"error.sentence": item("sentence")},
    ),
    "legs": (told("legs"), {f"leg.{name}": item(name) for name in ("id", "price", "buyer")}),
}
"""What an answer may repeat a part for, and what that part may name besides."""

View = tuple[Told, Fault | LegTold | None]
Fill = Callable[[View], object]
"""Makes a value of what is told; `GONE` where it is not known."""


class Gone:
    """What is not known, so that its key is left away."""


GONE = Gone()


class Answer(msgspec.Struct, frozen=True):
    """One answer, compiled."""

    status: int | None
    body: Fill | None
    xml: Template | None
    text: Template | None


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How one call answers."""

    answers: Mapping[Outcome | None, Answer]
    """By outcome; None: all that is not named."""
    root: str
    always_200: bool


def write(manner: Manner, told: Told, wanted: Format) -> Written:
    """Return an answer in the sender's words."""
    answer = manner.answers.get(told.outcome) or manner.answers.get(None) or NATIVE
    view: View = (told, None)
    status = status_of(manner, answer, told)
    template, kind = whole_answer(answer, wanted)
    if template is not None:
        return Written(status, CONTENT_TYPES[kind], whole(template.text(view) or "").encode())
    filled = (answer.body or NATIVE_BODY)(view)
    return Written(status, CONTENT_TYPES[wanted], WRITERS[wanted](filled, manner.root))


def whole_answer(answer: Answer, wanted: Format) -> tuple[Template | None, Format]:
    """Return the template of a whole answer, where it has one for this format or no other."""
    if wanted is Format.XML and answer.xml is not None:
        return answer.xml, Format.XML
    if wanted is Format.TEXT and answer.text is not None:
        return answer.text, Format.TEXT
    if answer.body is not None:
        return None, wanted
    return (answer.xml, Format.XML) if answer.xml is not None else (answer.text, Format.TEXT)


def status_of(manner: Manner, answer: Answer, told: Told) -> int:
    """Return the HTTP status: the answer's own, else the native one or 200."""
    if answer.status is not None:
        return answer.status
    return OK if manner.always_200 and told.status < SERVER_ERRORS else told.status


# Compiling


def compile_answer(part: AnswerPart, maps: Mapping[str, Any], empty: Empty, place: Place) -> Answer:
    """Return an answer compiled; what is wrong with it goes to `place`."""
    scope = Scope(names=NAMES, maps=maps)
    body = None
    if part.body is not None:
        body = compile_tree(part.body, scope, empty, place.at("body"))
    if part.body is None and part.xml is None and part.text is None:
        place.fault("says nothing: body, xml or text")
    return Answer(
        part.status,
        body,
        None if part.xml is None else compile_xml(part.xml, scope, empty, place.at("xml")),
        compile_text(part.text, scope, place.at("text")),
    )


def compile_text(text: str | None, scope: Scope, place: Place) -> Template | None:
    """Return a template of a whole answer."""
    template: Template | None = None
    if text is not None:
        with place.catching():
            template = compile_template(text, scope)
    return template


def compile_tree(tree: object, scope: Scope, empty: Empty, place: Place) -> Fill:
    """Return what fills in tables and lists whose texts are templates."""
    if isinstance(tree, dict):
        if EACH in tree:
            return compile_each(tree, scope, empty, place)
        return compile_table(tree, scope, empty, place)
    if isinstance(tree, list | tuple):
        items = [
            compile_tree(inner, scope, empty, place.at(index)) for index, inner in enumerate(tree)
        ]
        return lambda view: [value for fill in items if (value := fill(view)) is not GONE]
    if not isinstance(tree, str):
        return lambda _: tree
    try:
        template = compile_template(tree, scope)
    except TemplateError as error:
        place.fault(str(error))
        return lambda _: GONE
    return of_template(template, empty)


def of_template(template: Template, empty: Empty) -> Fill:
    """Return what fills in a template; one that is not known is gone, empty or null."""
    absent: object = {Empty.OMIT: GONE, Empty.EMPTY: "", Empty.NULL: None}[empty]

    def fill(view: View) -> object:
        value = template.value(view)
        return absent if value is None else value

    return fill


def compile_table(tree: Mapping[str, object], scope: Scope, empty: Empty, place: Place) -> Fill:
    """Return what fills in a table; keys of what is not known are left away."""
    fills = {key: compile_tree(inner, scope, empty, place.at(key)) for key, inner in tree.items()}

    def fill(view: View) -> object:
        filled = {key: inner(view) for key, inner in fills.items()}
        return {key: value for key, value in filled.items() if value is not GONE}

    return fill


def compile_each(tree: Mapping[str, object], scope: Scope, empty: Empty, place: Place) -> Fill:
    """Return what repeats a part for every error or leg; nothing of none."""
    found = LISTS.get(str(tree[EACH]))
    if found is None or tree.keys() != {EACH, ITEM}:
        place.fault(f'repeats "{ITEM}" for {EACH} = "errors" or "legs", and holds nothing else')
        return lambda _: GONE
    entries, names = found
    inner = Scope(names={**scope.names, **names}, maps=scope.maps)
    each = compile_tree(tree[ITEM], inner, empty, place.at(ITEM))

    def fill(view: View) -> object:
        listed: Any = entries(view)
        filled = [value for entry in listed if (value := each((view[0], entry))) is not GONE]
        return filled or GONE

    return fill


# Writing


def as_json(filled: object, _: str) -> bytes:
    """Return an answer in JSON."""
    return to_json(filled)


def as_form(filled: object, _: str) -> bytes:
    """Return an answer as a form: one field of each value, by its place."""
    pairs = [(name, text_of(value) or "") for name, value in leaves(filled, "")]
    return urlencode([(whole(name), whole(text)) for name, text in pairs]).encode()


def as_lines(filled: object, _: str) -> bytes:
    """Return an answer as lines of names and values."""
    lines = [f"{name}: {text_of(value) or ''}".strip(": ") for name, value in leaves(filled, "")]
    return whole("\n".join(lines)).encode()


def leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Return all values that are no tables, by their place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{name}[{index}]")
    else:
        yield name, value


def as_xml(filled: object, root: str) -> bytes:
    """Return an answer as one document: `@name` is an attribute, a list repeats its element."""
    return whole(DECLARATION + "".join(elements(root, filled)) + "\n").encode()


def elements(name: str, value: object) -> Iterator[str]:
    """Return the elements of one value."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from elements(name, entry)
    elif isinstance(value, dict):
        attributes = "".join(
            f' {key[1:]}="{escaped(text_of(inner) or "")}"'
            for key, inner in value.items()
            if key.startswith("@")
        )
        yield f"<{name}{attributes}>"
        for key, inner in value.items():
            if key == TEXT_KEY:
                yield escaped(text_of(inner) or "")
            elif not key.startswith("@"):
                yield from elements(key, inner)
        yield f"</{name}>"
    else:
        text = text_of(value)
        yield f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>"


def escaped(text: str) -> str:
    """Return a text as it may stand in an element or an attribute."""
    text = IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return SPECIAL.sub(lambda found: ESCAPED[found[0]], text)


WRITERS: Mapping[Format, Callable[[object, str], bytes]] = {
    Format.JSON: as_json,
    Format.XML: as_xml,
    Format.FORM: as_form,
    Format.TEXT: as_lines,
}


def check_elements(tree: object, place: Place) -> None:
    """Note keys that cannot be elements, at a door that answers in XML."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            if key != TEXT_KEY and not ELEMENT.match(key):
                place.at(key).fault(f'"{key}" cannot be an element of XML')
            check_elements(inner, place.at(key))
    elif isinstance(tree, list | tuple):
        for index, inner in enumerate(tree):
            check_elements(inner, place.at(index))


# What a door that says nothing answers


def native_body(view: View) -> object:
    """Return what a native door would say, as far as doors speak of it."""
    said = view[0]
    errors = [
        {"field": fault.field, "native": fault.native, "code": fault.code, "message": fault.message}
        for fault in said.errors
    ]
    reason = None if said.reason is None else {"code": said.code, "reason": said.reason}
    found: dict[str, object] = {
        "status": said.outcome,
        "lead_id": said.lead_id,
        "ping_id": said.ping_id,
        "price": said.price,
        "currency": said.currency,
        "reason": reason,
        "redirect_url": said.redirect_url,
        "expires_at": said.expires_at,
        "message": said.message,
        "errors": errors or None,
    }
    return {name: value for name, value in found.items() if value is not None}


NATIVE_BODY: Fill = native_body
NATIVE = Answer(None, NATIVE_BODY, None, None)
