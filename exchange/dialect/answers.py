"""One answer while it is being read: its status, its headers and its document."""

from typing import NamedTuple

from exchange.dialect.document import Document, read_document
from exchange.domain.dialect import Heard

HEADER_LENGTH_MAX = 4_096


class Answer(NamedTuple):
    """What came back, taken apart; nothing in it is believed yet."""

    status: int
    head: bytes
    document: Document

    def header(self, name: bytes) -> str | None:
        """Return the first header of this lower-case name, or None."""
        for line in self.head.split(b"\r\n"):
            found, colon, value = line.partition(b":")
            if colon and found.strip().lower() == name:
                return value.strip()[:HEADER_LENGTH_MAX].decode("latin-1")
        return None


def answer_of(heard: Heard) -> Answer:
    """Return an answer taken apart."""
    return Answer(heard.status, heard.head, read_document(heard.body))
