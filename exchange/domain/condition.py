"""The one condition language: a safe subset of Python expressions, compiled once.

Filters, price rules and qualification rules are written in it. A comparison that asks for a field
which is absent, or holds another type than declared, is false and raises nothing; `not` turns it
around like any other: `not age < 25` holds for a lead without an age, `age >= 25` does not.
"""

import ast
import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange.domain.condition_code import Kind, Name, Writer
from exchange.domain.condition_text import ConditionError, screen
from exchange.domain.lead import Facts

__all__ = ["Condition", "ConditionError", "Kind", "Name", "check_syntax", "compile_condition"]


_BUILTINS = (type, str, int, bool, len, Decimal, ArithmeticError)
NEAR_CHARACTERS = 20
_ONE_LINE = str.maketrans("\r\n\t", "   ")


class Condition(msgspec.Struct, frozen=True):
    """A filter, parsed against a whitelist and compiled once.

    `holds` never raises: a field that is absent makes a comparison false.
    `explain` names the first clause that failed, in the words of the market file, never a value.
    """

    text: str
    holds: Callable[[Facts], bool]
    explain: Callable[[Facts], str]


def compile_condition(text: str, names: Mapping[str, Name]) -> Condition:
    """Return the condition; raise ConditionError, in one sentence, for what is not in the language.

    `explain` returns the empty string for a lead for which the condition holds.
    """
    line, tree = parsed(text)
    writer = Writer(line, names)
    code = writer.clause(tree, 0)
    holds = _function(f"  return {code}", writer.constants)

    @functools.cache
    def first_failing() -> Callable[[Facts], Any]:
        parts = [(ast.get_source_segment(line, part), part) for part in conjuncts(tree)]
        single = Writer(line, names)
        body = "\n".join(
            f"  if not {single.clause(part, 0)}: return {single.constant(segment)}"
            for segment, part in parts
        )
        return _function(body, single.constants)

    def explain(facts: Facts) -> str:
        return first_failing()(facts) or ""

    return Condition(text, holds, explain)


def parsed(text: str) -> tuple[str, ast.expr]:
    """Return a condition in one line, and its tree; raise ConditionError where it is none."""
    screen(text)
    # One line for the parser, so that a condition may be written over several.
    line = text.translate(_ONE_LINE).strip()
    try:
        return line, ast.parse(line, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ConditionError(_syntax(error, text)) from None


def check_syntax(text: str) -> None:
    """Raise ConditionError for a text that is no condition, whatever its names mean."""
    parsed(text)


def conjuncts(node: ast.expr) -> list[ast.expr]:
    """Return what must all hold: the parts of an `and`, of its parts, or the clause itself."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in conjuncts(value)]
    return [node]


def _syntax(error: BaseException, text: str) -> str:
    """Say where in the text, as its author wrote it, the parser stumbled, and over what."""
    if not isinstance(error, SyntaxError):
        return "cannot be read"
    line = text.lstrip()
    # The parser has no place for an end that comes too early.
    start = len(text) - len(line) + (error.offset or len(line.rstrip()) + 1) - 1
    rest = " ".join(text[start : start + NEAR_CHARACTERS].split())
    near = f"near `{rest}`" if rest else "at its end"
    return f"cannot be read from character {start + 1} on, {near}: {error.msg}"


def _function(body: str, constants: dict[str, object]) -> Callable[[Facts], Any]:
    # Only a number that is none, which no door lets in, could raise: it holds nowhere.
    source = (
        f"def test(facts):\n get = facts.get\n try:\n{body}\n"
        " except ArithmeticError:\n  return False"
    )
    namespace: dict[str, Any] = {
        "__builtins__": {builtin.__name__: builtin for builtin in _BUILTINS},
        **constants,
    }
    # The source is this module's own, made of a whitelist; no word of the market file is in it but
    # known field names inside quotes.
    exec(compile(source, "<condition>", "exec"), namespace)  # noqa: S102 - see above
    test: Callable[[Facts], Any] = namespace["test"]
    return test
