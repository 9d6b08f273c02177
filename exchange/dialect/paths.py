"""A path says where in an answer something stands: `bids[0].price`, `response.lead.@id`."""

import re

import msgspec

from exchange.dialect.faults import TemplateError

STEPS_MAX = 20
TEXT_MAX = 500

_STEP = re.compile(
    r"""\s*(?:"(?P<quoted>[^"]+)"|@(?P<attribute>[^.\[\]"@\s]+)|(?P<key>[^.\[\]"@]+))?"""
    r"""(?P<indexes>(?:\[[0-9]{1,6}\])*)\s*"""
)


class Attribute(msgspec.Struct, frozen=True):
    """A step to an element's attribute; in JSON a key that begins with `@`."""

    name: str


Step = str | int | Attribute


class Path(msgspec.Struct, frozen=True):
    """A path, read once."""

    text: str
    steps: tuple[Step, ...]


def parse_path(text: str) -> Path:
    """Return the path; raise TemplateError where it is none."""
    if len(text) > TEXT_MAX:
        raise TemplateError(f"is a path of more than {TEXT_MAX} characters")
    steps: list[Step] = []
    position = 0
    while True:
        found = _STEP.match(text, position)
        assert found is not None, "every part of a step may be missing"
        step = _named(found)
        if step is not None:
            steps.append(step)
        indexes = [int(index) for index in found["indexes"][1:-1].split("][") if index]
        if step is None and (not indexes or steps):
            raise TemplateError(f'is no path from character {position + 1} on: "{text}"')
        steps += indexes
        position = found.end()
        if position == len(text):
            break
        if text[position] != "." or (isinstance(step, Attribute) and not indexes):
            raise TemplateError(f'is no path from character {position + 1} on: "{text}"')
        position += 1
    if len(steps) > STEPS_MAX:
        raise TemplateError(f"is a path of more than {STEPS_MAX} steps")
    return Path(text, tuple(steps))


def _named(found: re.Match[str]) -> Step | None:
    if found["attribute"] is not None:
        return Attribute(found["attribute"])
    key = found["quoted"] or (found["key"] or "").strip()
    return key or None
