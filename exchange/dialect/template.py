"""A template is compiled once into functions that fill it in."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from exchange.dialect.dates import iso
from exchange.dialect.filters import FILTERS, Filter, make_filter
from exchange.dialect.placeholders import Placeholder, parse_template
from exchange.dialect.scope import UNTOLD, Getter, Scope, source_of
from exchange.dialect.words import text_of

NOW = "now"


class Template(msgspec.Struct, frozen=True):
    """A text with placeholders, compiled; filling it in never raises.

    A view is whatever the names of its scope are found in.
    """

    value: Callable[[Any], object]
    """The value, of a single placeholder with its type, else the text; None: absent."""
    text: Callable[[Any], str | None]
    """The text; None where the template is one placeholder whose value is not known."""
    is_constant: bool = False
    constant: object = None
    """The value that is always the same."""
    secrets: tuple[str, ...] = ()
    """What must not be shown: secrets, and what filters made of them."""
    is_single: bool = False
    """It is one placeholder and nothing else."""
    lead_name: str | None = None
    """Which of the lead's values it is, as it stands; None where it is more."""

    def __repr__(self) -> str:
        """Say what kind it is; it may hold a secret."""
        return f"Template({'constant' if self.is_constant else 'filled in'})"


def compile_template(text: str, scope: Scope) -> Template:
    """Return the template; raise TemplateError, in one sentence, where it cannot be."""
    parts = parse_template(text)
    if not parts:
        return constant("")
    if len(parts) == 1:
        part = parts[0]
        return constant(part) if isinstance(part, str) else compile_placeholder(part, scope)
    pieces = [
        constant(part) if isinstance(part, str) else compile_placeholder(part, scope)
        for part in parts
    ]
    return joined(pieces)


def constant(value: object, secrets: tuple[str, ...] = (), *, is_single: bool = False) -> Template:
    """Return the template that is always the same."""
    text = text_of(value)
    return Template(lambda _: value, lambda _: text, True, value, secrets, is_single)


def compile_placeholder(placeholder: Placeholder, scope: Scope) -> Template:
    """Return the template that is one placeholder; what is always the same is worked out now."""
    source = source_of(placeholder.name, scope)
    filters = [
        (make_filter(call, scope.maps), FILTERS[call.name].takes_nothing)
        for call in placeholder.calls
    ]
    if source.getter is None:
        value = source.constant
        for filtered, takes_nothing in filters:
            value = filtered(value) if value is not None or takes_nothing else None
        made = text_of(value)
        shown = () if source.secret is None else (source.secret, made or "")
        return constant(value, tuple(filter(None, shown)), is_single=True)
    if placeholder.name == NOW and not filters:
        filters = [(iso, False)]
    if placeholder.name in scope.masked:
        return from_getter(masking(source.getter, filters))
    template = from_getter(piped(source.getter, filters))
    return template if filters else msgspec.structs.replace(template, lead_name=source.lead_name)


def masking(getter: Getter, filters: Iterable[tuple[Filter, bool]]) -> Getter:
    """Return what shows of a value only whether there is one, whatever filters make of it.

    That a filter makes nothing of it would tell something, too: of digits that they begin with 0.
    """
    of_nothing = piped(lambda _: None, filters)
    return lambda view: of_nothing(view) if getter(view) is None else UNTOLD


def from_getter(getter: Getter) -> Template:
    """Return the template whose value a function finds."""

    def text(view: object) -> str | None:
        value = getter(view)
        return value if type(value) is str or value is None else text_of(value)

    return Template(getter, text, is_single=True)


def piped(getter: Getter, filters: Iterable[tuple[Filter, bool]]) -> Getter:
    """Return what finds a value and sends it through filters."""
    for filtered, takes_nothing in filters:
        getter = _open(getter, filtered) if takes_nothing else _through(getter, filtered)
    return getter


def _through(getter: Getter, filtered: Filter) -> Getter:
    def found(view: object) -> object:
        value = getter(view)
        return None if value is None else filtered(value)

    return found


def _open(getter: Getter, filtered: Filter) -> Getter:
    return lambda view: filtered(getter(view))


def joined(pieces: Iterable[Template]) -> Template:
    """Return the text of templates one behind the other; what is not known is nothing in it."""
    pieces = list(pieces)
    secrets = tuple(secret for piece in pieces for secret in piece.secrets)
    if all(piece.is_constant for piece in pieces):
        return constant("".join(piece.text(None) or "" for piece in pieces), secrets)
    texts = [piece.text for piece in pieces]

    def text(view: object) -> str:
        return "".join([part(view) or "" for part in texts])

    return Template(text, text, secrets=secrets)
