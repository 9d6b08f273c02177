"""All the ways in which what was read does not fit the market file's types, at once.

msgspec stops at the first misfit; whoever writes a market wants to hear of all of them, in words
of the file. The types themselves stay the only place where a key is declared.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.domain.money import MoneyError, from_decimal
from exchange.domain.nearest import hint

Extra = dict[str, Any]
"""What a type says beyond msgspec: a rule in words, words that are for later, limits of money."""

_WORDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    Decimal: "a number with decimals",
    float: "a number with decimals",
    list: "a list",
    dict: "a table",
}


@cache
def shape_of(part: type[msgspec.Struct]) -> inspect.Type:
    """Return the described form of a type of the market file."""
    return inspect.type_info(part)


def misfits(value: object, shape: inspect.Type, path: Path) -> Iterator[Problem]:
    """Tell every place at which a value does not fit its type."""
    extra: Extra = {}
    while isinstance(shape, inspect.Metadata):
        extra |= shape.extra or {}
        shape = shape.type
    yield from _CHECKS[type(shape)](value, shape, extra, path)


def _union(value: object, shape: inspect.UnionType, _: Extra, path: Path) -> Iterator[Problem]:
    options = [option for option in shape.types if not isinstance(option, inspect.NoneType)]
    if value is None and len(options) < len(shape.types):
        return
    if len(options) > 1:
        wants_table = isinstance(value, dict)
        options = [option for option in options if _is_table(option) is wants_table]
        if not wants_table and not isinstance(value, str):
            yield Problem(path, f"must be a text or a table, is {_is(value)}")
            return
    yield from misfits(value, options[0], path)


def _is_table(shape: inspect.Type) -> bool:
    while isinstance(shape, inspect.Metadata):
        shape = shape.type
    return isinstance(shape, inspect.StructType | inspect.DictType)


def _struct(value: object, shape: inspect.StructType, _: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong(value, dict, path)
        return
    fields = {field.encode_name: field for field in shape.fields}
    for key, inner in value.items():
        if key in fields:
            yield from misfits(inner, fields[key].type, (*path, key))
        else:
            yield Problem((*path, key), f"unknown key{hint(key, fields)}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield Problem((*path, name), "is missing")


def _dict(value: object, shape: inspect.DictType, _: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong(value, dict, path)
        return
    for key, inner in value.items():
        yield from misfits(key, shape.key_type, (*path, key))
        yield from misfits(inner, shape.value_type, (*path, key))


def _list(value: object, shape: inspect.VarTupleType, _: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _wrong(value, list, path)
        return
    for index, inner in enumerate(value):
        yield from misfits(inner, shape.item_type, (*path, index))


def _word(value: object, shape: inspect.EnumType, extra: Extra, path: Path) -> Iterator[Problem]:
    words = [str(member.value) for member in shape.cls]
    later = extra.get("later", ())
    now = [word for word in words if word not in later]
    if not isinstance(value, str):
        yield _wrong(value, str, path)
    elif value in later:
        yield Problem(path, f'"{value}" is not supported yet; {_one_of(now)} is')
    elif value not in words:
        yield Problem(path, f"must be {_one_of(now)}{hint(value, now)}")


def _text(value: object, shape: inspect.StrType, extra: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong(value, str, path)
    elif shape.pattern and not re.search(shape.pattern, value):
        yield Problem(path, f'"{_shortened(value)}" is malformed: {extra["rule"]}')
    elif not (shape.min_length or 0) <= len(value) <= (shape.max_length or len(value)):
        limit = f" and at most {shape.max_length} characters" if shape.max_length else ""
        yield Problem(path, f"must have at least {shape.min_length}{limit}")
    elif "\0" in value:
        yield Problem(path, "holds a NUL character")


def _whole(value: object, shape: inspect.IntType, extra: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield _wrong(value, int, path)
    elif shape.ge is not None and value < shape.ge:
        yield Problem(path, f"must be at least {shape.ge}")
    elif shape.le is not None and value > shape.le:
        yield Problem(path, f"must be at most {shape.le}")
    elif value > extra.get("most_yet", value):
        yield Problem(path, f"more than {extra['most_yet']} is not supported yet")


def _flag(value: object, _: inspect.BoolType, __: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield _wrong(value, bool, path)


def _decimal(value: object, _: inspect.DecimalType, extra: Extra, path: Path) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield Problem(path, f"must be a number, is {_is(value)}")
        return
    try:
        from_decimal(Decimal(value))
    except MoneyError:
        yield Problem(path, "must have at most six decimals and be within a thousand million")
        return
    if "least" in extra and value < extra["least"]:
        yield Problem(path, f"must be at least {extra['least']}")
    elif "most" in extra and value > extra["most"]:
        yield Problem(path, f"must be at most {extra['most']}")


def _wrong(value: object, wanted: type, path: Path) -> Problem:
    return Problem(path, f"must be {_WORDS[wanted]}, is {_is(value)}")


def _is(value: object) -> str:
    return _WORDS.get(type(value), "a date or time" if value is not None else "null")


def _one_of(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 - what fits on a line


_CHECKS: dict[type[inspect.Type], Callable[[Any, Any, Extra, Path], Iterator[Problem]]] = {
    inspect.UnionType: _union,
    inspect.StructType: _struct,
    inspect.DictType: _dict,
    inspect.VarTupleType: _list,
    inspect.EnumType: _word,
    inspect.StrType: _text,
    inspect.IntType: _whole,
    inspect.BoolType: _flag,
    inspect.DecimalType: _decimal,
}
