"""What a supervisor tells a worker that it starts, and what they say to each other later.

Between them is one socket pair. The worker is told its brief in one line, says `ready` when it can
sell and from then on `alive` whenever its event loop has gone round for a while, and may be told to
`retire`. The end of the line is the end of whoever was at its other side.
"""

import socket
from pathlib import Path
from typing import Any

import msgspec

from exchange.settings import Settings, to_path

READY = b"ready\n"
ALIVE = b"alive\n"
RETIRE = b"retire\n"
READ_BYTES = 65_536
SPEAK_EVERY_S = 0.5
"""Twice as often as the supervisor looks."""


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker needs to begin; its settings hold secrets, so it is on no command line."""

    settings: Settings
    worker_id: str
    slot: int
    doors: tuple[int, ...]
    """Descriptors of listening sockets, as are the next; the worker's by inheritance."""
    operations: tuple[int, ...]
    crowd: int
    """The descriptor of the memory in which connections are counted."""
    metrics: Path
    """The folder in which all workers count together."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that the worker inherits."""
        return (*self.doors, *self.operations, self.crowd)

    def __repr__(self) -> str:
        return f"Brief(slot={self.slot}, worker_id={self.worker_id!r})"


def tell(line: socket.socket, brief: Brief) -> None:
    """Write a brief; it is short enough for the socket to take it whole."""
    line.sendall(msgspec.json.encode(brief, enc_hook=str) + b"\n")


def read(line: socket.socket) -> Brief:
    """Return the brief, once it is there. Errors: EOFError where the supervisor is gone."""
    text = b""
    while not text.endswith(b"\n"):
        more = line.recv(READ_BYTES)
        if not more:
            raise EOFError
        text += more
    return msgspec.json.decode(text, type=Brief, dec_hook=decoded)


def decoded(wanted: type, value: Any) -> Any:
    """Return a path of a text, as msgspec asks for types that it does not know."""
    return to_path(wanted, value)
