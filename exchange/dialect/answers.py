"""One answer while it is being read: its status, its headers and its document."""

import msgspec

from exchange.dialect.document import Document, read_document
from exchange.domain.dialect import Heard

HEADER_LENGTH_MAX = 4_096
BYTES_MAX = 65_536
"""The wire reads no longer answers; of one that was kept elsewhere the rest is not read."""


class Answer(msgspec.Struct, frozen=True):
    """What came back, taken apart; nothing in it is believed yet."""

    status: int
    head: bytes
    document: Document

    def __repr__(self) -> str:
        """Say its status; an answer may repeat what it was sent."""
        return f"Answer({self.status})"

    def header(self, name: bytes) -> str | None:
        """Return the first header of this lower-case name, or None."""
        for line in self.head.split(b"\r\n"):
            found, colon, value = line.partition(b":")
            if colon and found.strip().lower() == name:
                return value.strip()[:HEADER_LENGTH_MAX].decode("latin-1")
        return None


def answer_of(heard: Heard) -> Answer:
    """Return an answer taken apart."""
    return Answer(heard.status, heard.head, read_document(heard.body[:BYTES_MAX]))
