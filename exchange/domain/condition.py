"""The one condition language: a safe subset of Python expressions, compiled once.

Filters, price rules and qualification rules are written in it. A comparison that asks for a field
which is absent, or holds another type than declared, is false and raises nothing; `not` turns it
around like any other: `not age < 25` holds for a lead without an age, `age >= 25` does not.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange.domain.condition_code import Kind, Name, Writer
from exchange.domain.condition_text import ConditionError, screen
from exchange.domain.lead import Facts

__all__ = [
    "Clause",
    "Condition",
    "ConditionError",
    "Kind",
    "Name",
    "check_syntax",
    "compile_condition",
]

_BUILTINS = (type, str, int, bool, len, Decimal, ArithmeticError, TypeError)
NEAR_CHARACTERS = 20
_ONE_LINE = str.maketrans("\r\n\t", "   ")


class Clause(msgspec.Struct, frozen=True):
    """A part of a condition that must hold by itself: what stands between its `and`s."""

    text: str
    holds: Callable[[Facts], bool]
    """Never raises: of a field that is absent a comparison is false."""
    names: frozenset[str]
    """All that it asks for."""
    equals: frozenset[str] = frozenset()
    """Where not empty: it holds of these texts and of nothing else."""
    begins: frozenset[str] = frozenset()
    """Where not empty: it holds of the texts that begin like one of these, and of nothing else."""


class Condition(msgspec.Struct, frozen=True):
    """A filter, parsed against a whitelist and compiled once.

    `holds` never raises: a field that is absent makes a comparison false.
    `explain` names the first clause that failed, in the words of the market file, never a value.
    """

    text: str
    holds: Callable[[Facts], bool]
    explain: Callable[[Facts], str]
    clauses: tuple[Clause, ...] = ()
    """It holds where all of them do; empty: of a condition that no text was compiled to."""


def compile_condition(
    text: str, names: Mapping[str, Name], known: MutableMapping[str, Clause] | None = None
) -> Condition:
    """Return the condition; raise ConditionError, in one sentence, for what is not in the language.

    `explain` returns the empty string for a lead for which the condition holds. `known` are
    clauses compiled before for the same names, by text: thousands of filters share some hundred.
    """
    line, tree = parsed(text)
    known = {} if known is None else known
    written = line.encode()
    clauses = []
    for part, depth in conjuncts(tree):
        words = written[part.col_offset : part.end_col_offset].decode()
        if words not in known:
            known[words] = _clause(words, part, Writer(line, names), depth)
        clauses.append(known[words])
    return _together(text, tuple(clauses))


def _clause(words: str, part: ast.expr, writer: Writer, depth: int) -> Clause:
    code = writer.clause(part, depth)
    equals, begins = listed(part)
    holds = _function(code, writer.constants)
    return Clause(words, holds, frozenset(writer.asked), equals, begins)


def _together(text: str, clauses: tuple[Clause, ...]) -> Condition:
    tests = tuple((clause.holds, clause.text) for clause in clauses)

    def holds(facts: Facts) -> bool:
        for test, _ in tests:  # noqa: SIM110 - a generator costs more than its clauses
            if not test(facts):
                return False
        return True

    def explain(facts: Facts) -> str:
        return next((words for test, words in tests if not test(facts)), "")

    return Condition(text, clauses[0].holds if len(clauses) == 1 else holds, explain, clauses)


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


def conjuncts(node: ast.expr, depth: int = 0) -> Iterator[tuple[ast.expr, int]]:
    """Yield what must all hold, with its depth: the parts of an `and`, or the clause itself."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from conjuncts(value, depth + 1)
    else:
        yield node, depth


def listed(part: ast.expr) -> tuple[frozenset[str], frozenset[str]]:
    """Return the texts of which alone a clause holds, and those with which they may begin.

    Both are empty for every clause that says more, or something else, of a field than that.
    """
    none: frozenset[str] = frozenset()
    match part:
        case ast.Compare(left=ast.Name(), ops=[ast.In()], comparators=[ast.List() | ast.Tuple()]):
            return _texts(part.comparators), none
        case ast.Compare(left=ast.Name(), ops=[ast.Eq()], comparators=[ast.Constant()]):
            return _texts(part.comparators), none
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr="startswith")):
            return none, _texts(part.args)
    return none, none


def _texts(nodes: list[ast.expr]) -> frozenset[str]:
    """Return all these texts, or nothing where anything else is among them."""
    texts: set[str] = set()
    for node in nodes:
        for one in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
            if not isinstance(one, ast.Constant) or not isinstance(one.value, str):
                return frozenset()
            texts.add(one.value)
    return frozenset(texts)


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


def _function(code: str, constants: dict[str, object]) -> Callable[[Facts], bool]:
    # Only a number that is none, which no door lets in, could raise, in a list for want of a hash:
    # it holds nowhere.
    source = (
        f"def test(facts):\n get = facts.get\n try:\n  return {code}\n"
        " except (ArithmeticError, TypeError):\n  return False"
    )
    namespace: dict[str, Any] = {
        "__builtins__": {builtin.__name__: builtin for builtin in _BUILTINS},
        **constants,
    }
    # The source is this module's own, made of a whitelist; no word of the market file is in it but
    # known field names inside quotes.
    exec(compile(source, "<condition>", "exec"), namespace)  # noqa: S102 - see above
    test: Callable[[Facts], bool] = namespace["test"]
    return test
