"""What is wrong with a mapping: every fault at once, each with its place."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

Path = tuple[str | int, ...]
"""The way to a value: `("ping", "body", "form", "zip")`."""


class Fault(msgspec.Struct, frozen=True):
    """Something wrong at one place of a mapping, and a sentence about it."""

    path: Path
    message: str
    below: int = 0
    """How many lines below its beginning, in a text of several."""


class DialectError(Exception):
    """A mapping that cannot be compiled: all its faults."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{key_text(fault.path)} {fault.message}" for fault in faults))
        self.faults = faults


class TemplateError(ValueError):
    """What is wrong with a template, in a sentence for whoever wrote it."""


class Place:
    """Where a compiler is in a mapping, and the faults that it has found so far."""

    __slots__ = ("faults", "path")

    def __init__(self, faults: list[Fault] | None = None, path: Path = ()) -> None:
        self.faults: list[Fault] = [] if faults is None else faults
        self.path = path

    def at(self, *steps: str | int) -> "Place":
        """Return a place below this one; its faults are found here, too."""
        return Place(self.faults, (*self.path, *steps))

    def fault(self, message: str, below: int = 0) -> None:
        """Keep what is wrong here, or so many lines below."""
        self.faults.append(Fault(self.path, message, below))

    @contextmanager
    def catching(self, below: int = 0) -> Iterator[None]:
        """Keep what is wrong with a template, and go on."""
        try:
            yield
        except TemplateError as error:
            self.fault(str(error), below)

    def close(self) -> None:
        """Raise DialectError where anything was wrong."""
        if self.faults:
            raise DialectError(tuple(self.faults))


def key_text(path: Path) -> str:
    """Write a path as people do: `ping.yes[1].path`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
