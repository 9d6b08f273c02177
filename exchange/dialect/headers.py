"""Headers that are filled in: one line each, whatever the values are."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from exchange.contract.mapping import Empty
from exchange.dialect.escaping import HEADER_LENGTH_MAX, in_header
from exchange.dialect.faults import Place
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, compile_template

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
HEADERS_MAX = 50
NAME_LENGTH_MAX = 100

OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"}
)
"""The wire says these itself, from the URL and the body."""
ELSEWHERE = {
    "content-type": "write it as content_type",
    "soapaction": "write it as soap_action",
}


class Headers(msgspec.Struct, frozen=True):
    """A message's headers, compiled."""

    fixed: Mapping[str, str]
    """Those that never change and hold no secret."""
    proving: bytes
    """Ready lines that never change and hold a secret."""
    render: Callable[[Any], bytes]
    """Makes the ready lines of the others."""
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show the names of those that hold no secret."""
        return f"Headers({', '.join(self.fixed)})"


def is_header_name(name: str) -> bool:
    """Tell whether a text can be the name of a header."""
    return 0 < len(name) <= NAME_LENGTH_MAX and TOKEN.issuperset(name)


def check_name(name: str, place: Place) -> None:
    """Keep what is wrong with a header that a mapping sends."""
    lowered = name.lower()
    if not is_header_name(name):
        place.fault("is no header's name")
    elif lowered in OWN_HEADERS:
        place.fault(f"{name} is set by the exchange itself")
    elif lowered in ELSEWHERE:
        place.fault(ELSEWHERE[lowered])


def compile_headers(parts: Mapping[str, str], scope: Scope, empty: Empty, place: Place) -> Headers:
    """Return the headers; what is wrong with them is kept at its place."""
    if len(parts) > HEADERS_MAX:
        place.fault(f"has more than {HEADERS_MAX} headers")
    fixed: dict[str, str] = {}
    lines: dict[str, Template] = {}
    proving = b""
    secrets: list[str] = []
    for name, text in parts.items():
        here = place.at(name)
        check_name(name, here)
        if name.lower() in {other.lower() for other in (*fixed, *lines)}:
            here.fault(f"{name} stands twice")
        with here.catching():
            template = compile_template(text, scope)
            secrets += template.secrets
            value = template.text(None) if template.is_constant else None
            if not template.is_constant:
                lines[name] = template
            elif value is not None or empty is not Empty.OMIT:
                _check_value(value or "", here)
                if template.secrets or not (value or "").isascii():
                    proving += header_line(name, value or "")
                else:
                    fixed[name] = value or ""
    return Headers(fixed, proving, _rendering(lines, empty), tuple(secrets))


def _check_value(value: str, place: Place) -> None:
    if len(value) > HEADER_LENGTH_MAX:
        place.fault(f"has more than {HEADER_LENGTH_MAX} characters")
    if any(character < " " or character == "\x7f" for character in value):
        place.fault("holds a character that no header may hold, such as a line break")


def header_line(name: str, value: str) -> bytes:
    """Return a ready line."""
    return b"%b: %b\r\n" % (name.encode(), in_header(value))


def _rendering(lines: Mapping[str, Template], empty: Empty) -> Callable[[Any], bytes]:
    if not lines:
        return lambda _: b""
    heads = [(f"{name}: ".encode(), template.text) for name, template in lines.items()]
    nothing = None if empty is Empty.OMIT else ""

    def render(view: object) -> bytes:
        made = b""
        for head, text in heads:
            value = text(view)
            value = nothing if value is None else value
            if value is not None:
                made += head + in_header(value) + b"\r\n"
        return made

    return render
