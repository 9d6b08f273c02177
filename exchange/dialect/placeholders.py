"""A template's text, taken apart: constant texts and placeholders with their filters."""

import re
from typing import NamedTuple

from exchange.dialect.faults import TemplateError

TEXT_MAX = 65_536
PLACEHOLDERS_MAX = 500
FILTERS_MAX = 12
ARGUMENT_MAX = 200
NEAR_CHARACTERS = 30

_NAME = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*(?:[.:][A-Za-z0-9_-]+)*)\s*")
_CONSTANT = re.compile(r"[^{}]+")
_ESCAPED = frozenset(",)|}\\(")


class Call(NamedTuple):
    """A filter and its arguments."""

    name: str
    arguments: tuple[str, ...] = ()


class Placeholder(NamedTuple):
    """A name whose value is filled in after its filters."""

    name: str
    calls: tuple[Call, ...] = ()


def parse_template(text: str) -> list[str | Placeholder]:
    """Return constant texts and placeholders in their order; raise TemplateError.

    No two constant texts stand beside each other, and none is empty.
    """
    if len(text) > TEXT_MAX:
        raise TemplateError(f"is longer than {TEXT_MAX} characters")
    parts: list[str | Placeholder] = []
    constant: list[str] = []
    position = 0
    while position < len(text):
        if (run := _CONSTANT.match(text, position)) is not None:
            constant.append(run.group())
            position = run.end()
        elif text.startswith(("{{", "}}"), position):
            constant.append(text[position])
            position += 2
        elif text[position] == "}":
            raise TemplateError(
                f"has a }} that opens nowhere{near(text, position)}; }}}} is a brace"
            )
        else:
            if constant:
                parts.append("".join(constant))
                constant = []
            placeholder, position = _placeholder(text, position + 1)
            parts.append(placeholder)
    if constant:
        parts.append("".join(constant))
    if sum(isinstance(part, Placeholder) for part in parts) > PLACEHOLDERS_MAX:
        raise TemplateError(f"has more than {PLACEHOLDERS_MAX} placeholders")
    return parts


def near(text: str, position: int) -> str:
    """Return ` near "…"`: what stands at a position of a template."""
    return f' near "{text[position : position + NEAR_CHARACTERS]}"'


def _placeholder(text: str, start: int) -> tuple[Placeholder, int]:
    found = _NAME.match(text, start)
    if found is None:
        raise TemplateError(
            f"has no name after its brace{near(text, start - 1)}; write {{{{ for a brace"
        )
    position = found.end()
    calls: list[Call] = []
    while text.startswith("|", position):
        call, position = _call(text, position + 1)
        calls.append(call)
    if not text.startswith("}", position):
        raise TemplateError(f"has a placeholder that does not end{near(text, start - 1)}")
    if len(calls) > FILTERS_MAX:
        raise TemplateError(f"has more than {FILTERS_MAX} filters{near(text, start - 1)}")
    return Placeholder(found[1], tuple(calls)), position + 1


def _call(text: str, start: int) -> tuple[Call, int]:
    found = _NAME.match(text, start)
    if found is None:
        raise TemplateError(f"has no filter after |{near(text, start - 1)}")
    if not text.startswith("(", found.end()):
        return Call(found[1]), found.end()
    arguments, position = _arguments(text, found.end() + 1)
    while text.startswith(" ", position):
        position += 1
    return Call(found[1], arguments), position


def _arguments(text: str, position: int) -> tuple[tuple[str, ...], int]:
    arguments: list[str] = []
    argument: list[str] = []
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and position < len(text) and text[position] in _ESCAPED:
            argument.append(text[position])
            position += 1
        elif character in ",)":
            arguments.append("".join(argument))
            argument = []
            if len(arguments[-1]) > ARGUMENT_MAX:
                raise TemplateError(f"has an argument of more than {ARGUMENT_MAX} characters")
            if character == ")":
                return tuple(arguments), position
        else:
            argument.append(character)
    raise TemplateError("has brackets that do not close")
