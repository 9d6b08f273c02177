"""What a worker is given by whoever started it: its sockets, and its place among others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from socket import socket

from exchange.telemetry.shared import SharedFolder
from exchange.web.crowd import Crowd


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where a worker listens: sockets that are bound already, inherited from whoever owns them."""

    doors: Sequence[socket]
    operations: Sequence[socket] = ()
    """For health and metrics alone; none: they stand beside the doors."""
    addresses: tuple[str, ...] = field(init=False)
    """The doors' addresses, as they are registered; known after the sockets were closed, too."""

    def __post_init__(self) -> None:
        """Read the addresses while the sockets are ours."""
        object.__setattr__(self, "addresses", tuple(map(address_of, self.doors)))


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker is given that is one of several on the same sockets."""

    worker_id: str
    shared: SharedFolder
    """Where this process counts already."""
    crowd: Crowd


def address_of(bound: socket) -> str:
    """Return where a socket is bound, as it stands in a URL."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
