"""From a market back to the file that an operator would have written, without what is default."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange.contract.market_file import MarketFile

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_INNER_TABLES = {"offer", "stage"}
"""Lists that are written as tables of their own, as the contract does."""
_OWN_TABLES = {("vertical", "fields"), ("campaign", "floors")}
"""What else of an object is written below a head of its own."""
_NAMED_TABLES = {"maps", "value", "vertical"}
_HALVES = {"ping", "post"}
"""What of a mapping is written below a head of its own: tables by name, and its two messages."""
_READ_TABLES = {"fields", "consent", "tracking"}
_NAMED_AT_DOORS = {"maps", "vertical", "answer"}
"""Likewise of a door and its calls."""
_IN_FRONT = ("id", "name", "like", "path", "methods", "does")
_FOREIGN = {"mapping", "door"}


def write_market(market: MarketFile) -> str:
    """Return the market as TOML; reading it gives the same market again."""
    content = msgspec.to_builtins(market, builtin_types=(Decimal,))
    return "\n".join(line for kind, parts in content.items() for line in _tables(kind, parts))


def inline(value: object, text: Callable[[str], str] | None = None) -> str:
    """Return a value as TOML writes it in one line, tables inside braces.

    `text` writes the texts in it, in one line where nothing else is said.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return (text or quoted)(value)
        case Decimal():
            return f"{value:f}"
        case int() | float():
            return str(value)
        case Mapping():
            pairs = ", ".join(
                f"{key_of(key)} = {inline(inner, text)}" for key, inner in value.items()
            )
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(inline(inner, text) for inner in value)}]"
    raise AssertionError(f"TOML has no {type(value).__name__}")


def quoted(text: str) -> str:
    """Return a TOML string; conditions with quotes inside stay readable."""
    is_plain = text.isprintable() and "\x7f" not in text
    if '"' in text and "'" not in text and is_plain:
        return f"'{text}'"
    return basic(text)


def lengthy(text: str) -> str:
    """Return a TOML string; what has lines, such as an XML document, keeps them."""
    if "\n" in text and "'''" not in text and not text.endswith("'"):
        lines = text.replace("\n", "").replace("\t", "")
        if lines.isprintable() and "\x7f" not in text:
            return f"'''\n{text}'''"
    return quoted(text)


def basic(text: str) -> str:
    """Return a TOML string in double quotes: JSON's, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key_of(key: str) -> str:
    """Return a key, in quotes only where TOML needs them."""
    return key if _BARE.fullmatch(key) else basic(key)


def _tables(kind: str, parts: list[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        yield f"[[{kind}]]"
        if kind in _FOREIGN:
            yield from (_mapping if kind == "mapping" else _door)(part)
            yield ""
            continue
        for key, value in part.items():
            if key not in _INNER_TABLES and (kind, key) not in _OWN_TABLES:
                yield from _pair(key, value)
        if kind == "vertical":
            yield from _fields(part["fields"])
        if kind == "campaign" and "floors" in part:
            yield from _floors(part["floors"])
        for inner in _INNER_TABLES & part.keys():
            yield from _tables(f"{kind}.{inner}", part[inner])
        if "." not in kind:
            yield ""


def _mapping(part: dict[str, Any]) -> Iterator[str]:
    for key, value in part.items():
        if key not in _NAMED_TABLES | _HALVES:
            yield f"{key} = {inline(value, lengthy)}"
    for key in sorted(_NAMED_TABLES & part.keys()):
        for name, table in part[key].items():
            yield from _table(f"mapping.{key}.{key_of(name)}", table)
    for key, value in part.items():
        if key in _HALVES:
            yield from _table(f"mapping.{key}", value)


def _door(part: dict[str, Any]) -> Iterator[str]:
    yield from _foreign(part, "door")
    for call in part.get("call", ()):
        yield "[[door.call]]"
        yield from _foreign(call, "door.call")


def _foreign(part: dict[str, Any], head: str) -> Iterator[str]:
    # What it is stands before what it reads, though the types declare it the other way round.
    in_front = {key: part[key] for key in _IN_FRONT if key in part}
    for key, value in {**in_front, **part}.items():
        if key not in _READ_TABLES | _NAMED_AT_DOORS and key != "call":
            yield f"{key} = {inline(value, lengthy)}"
    for key, value in part.items():
        if key in _READ_TABLES:
            yield from _table(f"{head}.{key}", value)
        elif key in _NAMED_AT_DOORS:
            for name, table in value.items():
                yield from _table(f"{head}.{key}.{key_of(name)}", table)


def _table(head: str, table: dict[str, Any]) -> Iterator[str]:
    yield f"[{head}]"
    for key, value in table.items():
        yield f"{key_of(key)} = {inline(value, lengthy)}"


def _pair(key: str, value: object) -> Iterator[str]:
    if isinstance(value, list) and len(value) > 1 and isinstance(value[0], dict):
        yield f"{key_of(key)} = ["
        yield from (f"    {inline(inner)}," for inner in value)
        yield "]"
    else:
        yield f"{key_of(key)} = {inline(value)}"


def _floors(floors: dict[str, Any]) -> Iterator[str]:
    """Write a table of floors with a line for each rule: there may be thousands."""
    yield "[campaign.floors]"
    for key, value in floors.items():
        if key != "values":
            yield from _pair(key, value)
    if "values" in floors:
        yield from _table("campaign.floors.values", floors["values"])


def _fields(fields: dict[str, Any]) -> Iterator[str]:
    yield "[vertical.fields]"
    width = max((len(name) for name in fields), default=0)
    for name, field in fields.items():
        yield f"{name:<{width}} = {inline(field)}"
