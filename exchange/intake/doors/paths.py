"""Where in a request something stands, and what of a request was read: the rest is `extra`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from exchange.domain.door import Sent
from exchange.intake.readers import absent

Step = str | int
Place = tuple[Step, ...]
"""First `body` or `query`, then the steps to a value."""

TEXT = ""
"""Under which an element's own text stands beside its attributes."""

STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^.\[\]"]|\[(?!\d{1,6}\])[^\]]*\])+)')
INDEX = re.compile(r"\[(\d{1,6})\]")


class PathError(ValueError):
    """A path that leads nowhere."""


class Path(msgspec.Struct, frozen=True):
    """Steps to a value; a text that is a name as a whole, such as `Lead.Zip` of a form, is one."""

    text: str
    steps: Place


def path_of(text: str) -> Path:
    """Return a path as it is written: `a.b[0].@c`, `"a.b".c`. Errors: PathError."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        if steps and text[position] == ".":
            position += 1
        elif steps and not INDEX.match(text, position):
            raise PathError(f"cannot be read from {text[position:]!r} on")
        found = STEP.match(text, position)
        if found is not None:
            quoted = found[1]
            steps.append(found[2] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
            position = found.end()
        elif not INDEX.match(text, position):
            raise PathError("has an empty step")
        while index := INDEX.match(text, position):
            steps.append(int(index[1]))
            position = index.end()
    if not steps:
        raise PathError("is empty")
    return Path(text, tuple(steps))


def place_text(place: Place) -> str:
    """Write a place as a path is written, less where it stood."""
    text = ""
    for step in place[1:]:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step != TEXT:
            text += f".{step}" if text else step
    return text


class Reading:
    """One request while it is read."""

    __slots__ = ("read", "sent", "silent")

    def __init__(self, sent: Sent) -> None:
        self.sent = sent
        self.read: set[Place] = set()
        """Places that a rule has read."""
        self.silent: set[Place] = set()
        """Of these, those that say nothing."""

    def find(self, path: Path) -> tuple[object, str] | None:
        """Return what stands there and under which name, or None where nothing is said."""
        for where, content in (("body", self.sent.body), ("query", self.sent.query)):
            for place, value in self.found(where, content, path):
                self.read.add(place)
                if not absent(value):
                    return value, place_text(place)
                self.silent.add(place)
        return None

    def found(self, where: str, content: object, path: Path) -> Iterator[tuple[Place, object]]:
        """Return what a path may mean here, the likeliest first."""
        if isinstance(content, dict) and path.text in content and len(path.steps) > 1:
            yield ending((where, path.text), content[path.text])
        there = walk(content, path.steps, (where,))
        if there is not None:
            yield there
        elif where == "body" and self.sent.root is not None and path.steps[0] == self.sent.root:
            below = walk(content, path.steps[1:], (where,))
            if below is not None:
                yield below

    def header(self, name: str) -> str | None:
        """Return a header's text, or None where nothing is said."""
        text = self.sent.headers.get(name.lower(), "").strip()
        return text or None

    def tops(self) -> Iterator[tuple[Place, object]]:
        """Return what stands at the top and was not read yet; of two of a name, the body's."""
        seen: set[str] = set()
        for where, content in (("body", self.sent.body), ("query", self.sent.query)):
            for name, value in content.items() if isinstance(content, Mapping) else ():
                place, ended = ending((where, name), value)
                if name not in seen and (where, name) not in self.read and place not in self.read:
                    seen.add(name)
                    yield place, ended

    def rest(self) -> dict[str, object]:
        """Return all that nobody has read and that says something, by its place."""
        found: dict[str, object] = {}
        for where, content in (("body", self.sent.body), ("query", self.sent.query)):
            for place, value in self.leaves((where,), content):
                found.setdefault(place_text(place), value)
        found.pop("", None)
        return found

    def leaves(self, place: Place, value: object) -> Iterator[tuple[Place, object]]:
        """Return the values below a place that were not read."""
        if place in self.read:
            return
        if isinstance(value, Mapping):
            for name, inner in value.items():
                yield from self.leaves((*place, name), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from self.leaves((*place, index), inner)
        elif not absent(value):
            yield place, value


def walk(content: object, steps: Place, place: Place) -> tuple[Place, object] | None:
    """Return where the steps lead and what stands there, or None.

    A step into a list without an index means its first; the index 0 of what is no list is itself.
    """
    value: Any = content
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list):
                if step:
                    return None
                continue
            if step >= len(value):
                return None
        elif isinstance(value, list) and value:
            value, place = value[0], (*place, 0)
        if isinstance(step, str) and not (isinstance(value, Mapping) and step in value):
            return None
        value, place = value[step], (*place, step)
    return ending(place, value)


def ending(place: Place, value: Any) -> tuple[Place, object]:
    """Return what a place says in the end: an element's text, the only entry of a list."""
    if isinstance(value, list) and len(value) == 1:
        return ending((*place, 0), value[0])
    if isinstance(value, Mapping) and isinstance(value.get(TEXT), str):
        return (*place, TEXT), value[TEXT]
    return place, value
