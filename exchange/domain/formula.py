"""A number that follows from a lead: arithmetic in the words of conditions, compiled once.

Where a field that it asks for is absent, or holds another type than declared, it is 0.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import floor
from typing import Any

import msgspec

from exchange.domain.condition import parsed
from exchange.domain.condition_code import Kind, Name, Writer
from exchange.domain.condition_text import ConditionError
from exchange.domain.lead import Facts

LARGEST = 1_000_000_000
_BUILTINS = (type, str, int, len, floor, Decimal, ArithmeticError, TypeError)


class Formula(msgspec.Struct, frozen=True):
    """A text such as `2 * vehicle_year - 4000`, and its value; `value` never raises."""

    text: str
    value: Callable[[Facts], int]
    """Rounded down to a whole number, within a thousand million of zero."""


def compile_formula(text: str, names: Mapping[str, Name]) -> Formula:
    """Return the formula; raise ConditionError, in one sentence, for what is none."""
    line, tree = parsed(text)
    writer = Writer(line, names)
    term = writer.term(tree, 0)
    if term.kind is not Kind.NUMBER:
        raise ConditionError(f"`{text.strip()}` is {term.kind}, not a number")
    return Formula(text, _function(term.code, term.guards, writer.constants))


def _function(
    code: str, guards: tuple[str, ...], constants: Mapping[str, object]
) -> Callable[[Facts], int]:
    known = " and ".join(guards) or "1"
    # Numbers that are none or without end, which no door lets in, make it 0 like an absent field.
    source = (
        f"def value(facts):\n get = facts.get\n try:\n  found = ({code}) if {known} else 0\n"
        f"  return floor(found) if -{LARGEST} <= found <= {LARGEST} else 0\n"
        " except (ArithmeticError, TypeError):\n  return 0"
    )
    namespace: dict[str, Any] = {
        "__builtins__": {builtin.__name__: builtin for builtin in _BUILTINS},
        **constants,
    }
    # As for conditions: the source is made of a whitelist, no word of the market file is in it but
    # known field names inside quotes.
    exec(compile(source, "<formula>", "exec"), namespace)  # noqa: S102 - see above
    value: Callable[[Facts], int] = namespace["value"]
    return value
