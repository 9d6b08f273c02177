"""All the ways in which what was read does not fit the market file's types, at once.

msgspec stops at the first misfit; whoever writes a market wants to hear of all of them, in words
of the file. The types themselves stay the only place where a key is declared.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any

import msgspec
from msgspec import inspect

from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.domain.counting import counted
from exchange.domain.money import MoneyError, from_decimal
from exchange.domain.nearest import hint

Extra = dict[str, Any]
"""What a type says beyond msgspec: a rule in words, limits of money."""

PATH_MAX = 40
"""Steps to a value at most: no format that anybody speaks is nested deeper."""
WHOLE_MAX = 2**63 - 1
FREE = inspect.CustomType(object)
"""What a type says that is any JSON; no other custom type is in a market file."""

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
    taken = [option for option in options if isinstance(value, _TAKES[_bare(option)])]
    if isinstance(value, bool):
        taken = [option for option in taken if _bare(option) is inspect.BoolType]
    if len(options) == 1 or taken:
        yield from misfits(value, (taken or options)[0], path)
    else:
        words = dict.fromkeys(_NAMED[_bare(option)] for option in options)
        yield Problem(path, f"must be {_or(list(words))}, is {_is(value)}")


def _bare(shape: inspect.Type) -> type[inspect.Type]:
    while isinstance(shape, inspect.Metadata):
        shape = shape.type
    return type(shape)


def _tree(value: object, _: inspect.CustomType, __: Extra, path: Path) -> Iterator[Problem]:
    """Tell what of a free value JSON cannot hold."""
    if len(path) > PATH_MAX:
        yield Problem(path, "is nested too deeply")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _text(key, inspect.StrType(), {}, (*path, key))
            yield from _tree(inner, FREE, {}, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _tree(inner, FREE, {}, (*path, index))
    elif isinstance(value, str):
        yield from _text(value, inspect.StrType(), {}, path)
    elif isinstance(value, int | float | Decimal):
        yield from _number(value, inspect.FloatType(), {}, path)
    else:
        yield Problem(path, f"must be what JSON can hold, is {_is(value)}")


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


def _word(value: object, shape: inspect.EnumType, _: Extra, path: Path) -> Iterator[Problem]:
    words = [str(member.value) for member in shape.cls]
    if not isinstance(value, str):
        yield _wrong(value, str, path)
    elif value not in words:
        yield Problem(path, f"must be {_one_of(words)}{hint(value, words)}")


def _text(value: object, shape: inspect.StrType, extra: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong(value, str, path)
    elif shape.pattern and not re.search(shape.pattern, value):
        yield Problem(path, f'"{_shortened(value)}" is malformed: {extra["rule"]}')
    elif not (shape.min_length or 0) <= len(value) <= (shape.max_length or len(value)):
        limits = [f"at least {shape.min_length}"] if shape.min_length else []
        limits += [f"at most {counted(shape.max_length, 'character')}"] if shape.max_length else []
        yield Problem(path, f"must have {' and '.join(limits)}")
    elif "\0" in value:
        yield Problem(path, "holds a NUL character")


def _whole(value: object, shape: inspect.IntType, _: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield _wrong(value, int, path)
    elif shape.ge is not None and value < shape.ge:
        yield Problem(path, f"must be at least {shape.ge}")
    elif shape.le is not None and value > shape.le:
        yield Problem(path, f"must be at most {shape.le}")
    elif abs(value) > WHOLE_MAX:
        yield Problem(path, "is a number without end")


def _flag(value: object, _: inspect.BoolType, __: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield _wrong(value, bool, path)


def _number(value: object, _: inspect.FloatType, __: Extra, path: Path) -> Iterator[Problem]:
    if not isinstance(value, int | float | Decimal):
        yield Problem(path, f"must be a number, is {_is(value)}")
    elif abs(value) > WHOLE_MAX if isinstance(value, int) else not isfinite(value):
        yield Problem(path, "is a number without end")


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
    return _or([f'"{word}"' for word in words])


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


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
    inspect.FloatType: _number,
    inspect.CustomType: _tree,
}

_TABLE, _LIST, _STRING = (dict,), (list,), (str,)
_TAKES: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.StructType: _TABLE,
    inspect.DictType: _TABLE,
    inspect.VarTupleType: _LIST,
    inspect.EnumType: _STRING,
    inspect.StrType: _STRING,
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (float, Decimal),
    inspect.DecimalType: (int, float, Decimal),
}
"""What of a file an option of a union takes up: by its kind, whatever else is wrong with it."""
_NAMED: dict[type[inspect.Type], str] = {
    inspect.StructType: "a table",
    inspect.DictType: "a table",
    inspect.VarTupleType: "a list",
    inspect.EnumType: "a text",
    inspect.StrType: "a text",
    inspect.BoolType: "true, false",
    inspect.IntType: "a number",
    inspect.FloatType: "a number",
    inspect.DecimalType: "a number",
}
