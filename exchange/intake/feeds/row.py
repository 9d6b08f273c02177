"""What a feed is made of: rows, each the body of a post by itself, and what is no row."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Row(msgspec.Struct, frozen=True):
    """One lead of a feed: the body that `POST /v1/leads` would take; its repr shows no value."""

    number: int
    """From 1; headers and blank lines are not counted."""
    line: int
    """Where it begins, from 1, as an editor counts."""
    body: bytes
    content_type: str

    def __repr__(self) -> str:
        """Say where it is, not what: it is a person."""
        return f"Row({self.number}, line {self.line}, {len(self.body)} bytes)"


class Fault(msgspec.Struct, frozen=True):
    """A row that cannot be read: the HTTP status that it alone gets, a sentence without values."""

    number: int
    line: int
    status: int
    detail: str


class Halt(msgspec.Struct, frozen=True):
    """The feed as a whole cannot be read, such as one without a header; nothing follows."""

    status: int
    detail: str


class Blank(msgspec.Struct, frozen=True):
    """A line that says nothing; told so that whoever reads thousands of them may take a breath."""


BLANK = Blank()

Part = Row | Fault | Halt | Blank


class Limits(msgspec.Struct, frozen=True):
    """How large a row may be; what does not fit is a fault, and the next row is read."""

    row_max_bytes: int

    def too_long(self, number: int, line: int) -> Fault:
        """Return the fault of a row over the limit."""
        return Fault(number, line, 413, f"a row has {self.row_max_bytes} bytes at most")


class Splitter(Protocol):
    """Turns a stream into rows; however it was cut into chunks, they are the same."""

    def take(self, chunk: bytes) -> None:
        """Take what came next."""

    def end(self) -> None:
        """Know that nothing more comes: what is left is the last row."""

    def parts(self) -> Iterator[Part]:
        """Return what can be read by now, one after the other, each split only when asked for."""
