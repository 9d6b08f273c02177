"""One value in the notation of each language; whatever stands in it stays a value there."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

INDENT = "    "
WIDTH = 88
"""A table or list stays on one line up to this many characters."""


class Expression(msgspec.Struct, frozen=True):
    """Code of the language in question, in place of a value."""

    code: str


class Notation(msgspec.Struct, frozen=True):
    """How a language writes tables, lists and scalars."""

    table: tuple[str, str]
    arrow: str
    scalar: Callable[[object], str]
    sequence: tuple[str, str] = ("[", "]")


def python_scalar(value: object) -> str:
    """Return a scalar in Python."""
    if isinstance(value, str):
        return json_text(value) if value.isprintable() else repr(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def json_scalar(value: object) -> str:
    """Return a scalar in JSON, which is JavaScript, too."""
    if isinstance(value, str):
        return json_text(value)
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)


def json_text(text: str) -> str:
    """Return a text between double quotes, in ASCII: line separators end no line anywhere."""
    return json.dumps(text) if not text.isprintable() else json.dumps(text, ensure_ascii=False)


def php_scalar(value: object) -> str:
    """Return a scalar in PHP; between single quotes only those and backslashes mean anything."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json_scalar(value)


JSON = Notation(("{", "}"), ": ", json_scalar)
JAVASCRIPT = JSON
PYTHON = Notation(("{", "}"), ": ", python_scalar)
PHP = Notation(("[", "]"), " => ", php_scalar)


def written(value: object, notation: Notation, depth: int = 0) -> str:
    """Return a value as code that people read, its further lines indented by `depth`."""
    if isinstance(value, Expression):
        return value.code
    if isinstance(value, Mapping):
        parts = [
            notation.scalar(name) + notation.arrow + written(part, notation, depth + 1)
            for name, part in value.items()
        ]
        return together(parts, notation.table, depth)
    if isinstance(value, list | tuple):
        parts = [written(part, notation, depth + 1) for part in value]
        return together(parts, notation.sequence, depth)
    return notation.scalar(value)


def together(parts: list[str], brackets: tuple[str, str], depth: int) -> str:
    """Return the parts between brackets, on one line where they fit."""
    begin, end = brackets
    line = begin + ", ".join(parts) + end
    if len(line) + len(INDENT) * depth <= WIDTH and "\n" not in line:
        return line
    inner = "\n" + INDENT * (depth + 1)
    return begin + inner + f",{inner}".join(parts) + "\n" + INDENT * depth + end
