"""One answer while it is being read: its status, its headers and its document."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from exchange.dialect.document import Document, Kind, read_document
from exchange.domain.dialect import Heard

HEADER_LENGTH_MAX = 4_096
HEADERS_MAX = 200
BYTES_MAX = 65_536
"""The wire reads no longer answers; of one that was kept elsewhere the rest is not read."""

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What came back, taken apart; nothing in it is believed yet."""

    status: int
    head: bytes
    document: Document
    memory: dict[object, Any] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """Say its status; an answer may repeat what it was sent."""
        return f"Answer({self.status})"

    def once(self, key: object, work: Callable[[], T]) -> T:
        """Return what this work gives; however many rules ask for it, it is done once."""
        if key not in self.memory:
            self.memory[key] = work()
        return self.memory[key]  # type: ignore[no-any-return] # as it was put there

    def header(self, name: bytes) -> str | None:
        """Return the first header of this lower-case name, or None."""
        value = self.once("headers", self._headers).get(name)
        return None if value is None else value[:HEADER_LENGTH_MAX].decode("latin-1")

    def _headers(self) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        for line in self.head.split(b"\r\n", HEADERS_MAX)[:HEADERS_MAX]:
            name, colon, value = line.partition(b":")
            if colon:
                headers.setdefault(name.strip().lower(), value.strip())
        return headers

    def text(self, *, pages: bool) -> str | None:
        """Return all of it; of an HTML page, which may say anything, nothing unless asked."""
        if self.document.kind is Kind.HTML and not pages:
            return None
        return self.once("text", lambda: whole_text(self.document))


def whole_text(document: Document) -> str:
    """Return all of a document, without blanks around it."""
    return document.text.strip()


def answer_of(heard: Heard) -> Answer:
    """Return an answer taken apart."""
    return Answer(heard.status, heard.head, read_document(heard.body[:BYTES_MAX]))
