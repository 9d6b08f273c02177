"""Where in a request something stands, and what of a request was read: the rest is `extra`."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from exchange.domain.door import Sent
from exchange.intake.beyond import CHARACTERS_MAX, VALUES_MAX
from exchange.intake.forms import FIELDS_MAX
from exchange.intake.readers import absent

Step = str | int
Place = tuple[Step, ...]
"""First `body` or `query`, then the steps to a value."""

NAME_LENGTH_MAX = 1_000
"""A place with a longer name is told by its beginning."""
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
        """Return what stands at the top and was not read yet; of two of a name, the body's.

        Of each only as many as a form may have fields.
        """
        seen: set[str] = set()
        for where, content in (("body", self.sent.body), ("query", self.sent.query)):
            named = content.items() if isinstance(content, Mapping) else ()
            for name, value in islice(named, FIELDS_MAX):
                place, ended = ending((where, name), value)
                if name not in seen and (where, name) not in self.read and place not in self.read:
                    seen.add(name)
                    yield place, ended

    def rest(self) -> dict[str, object]:
        """Return what nobody has read and that says something, by its place.

        As much of it as is kept in the end, and what does not fit in any more: so that it is known
        that something was cut away.
        """
        found: dict[str, object] = {}
        read = tree_of(self.read)
        characters = 0
        for where, content in (("body", self.sent.body), ("query", self.sent.query)):
            for name, value in unread(content, read.get(where)):
                if name and name not in found:
                    found[name] = value
                    characters += len(name) + (len(value) if isinstance(value, str) else 0)
                if len(found) > VALUES_MAX or characters > CHARACTERS_MAX:
                    return found
        return found


Tree = dict[Step, Any]
"""Places by their steps; below one that was read there is nothing."""
Entry = tuple[str, object, Tree | None]
"""A place as a text, what stands there, and what of it was read: None for nothing."""


def tree_of(places: set[Place]) -> Tree:
    """Return places as a tree, in which one below another is not told."""
    tree: Tree = {}
    for place in sorted(places, key=len):
        node = tree
        for step in place:
            if step not in node:
                node[step] = node = {}
            elif not node[step]:
                break
            else:
                node = node[step]
    return tree


def unread(content: object, read: Tree | None) -> Iterator[tuple[str, object]]:
    """Return the values that were not read, under their places; however deep, without recursion."""
    layers = [iter([("", content, read)])]
    while layers:
        for text, value, node in layers[-1]:
            if isinstance(value, dict | list) and node != {}:
                layers.append(entries(text[:NAME_LENGTH_MAX], value, node))
                break
            if node is None:
                yield text, value
        else:
            layers.pop()


def entries(
    text: str, value: dict[str, object] | list[object], read: Tree | None
) -> Iterator[Entry]:
    """Return what stands in a table or a list and says something."""
    known = read or {}
    if isinstance(value, list):
        return (
            (f"{text}[{index}]", one, known.get(index))
            for index, one in enumerate(value)
            if not absent(one)
        )
    dotted = f"{text}." if text else ""
    return (
        (dotted + name if name != TEXT else text, one, known.get(name))
        for name, one in value.items()
        if not absent(one)
    )


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
    if isinstance(value, dict) and isinstance(value.get(TEXT), str):
        return (*place, TEXT), value[TEXT]
    return place, value
