"""The connections to one host: few, warm, last used first."""

import contextlib
from collections import deque
from typing import Any, Generic, Protocol, TypeVar

from exchange.wire.call import Call, Outcome


class Wired(Protocol):
    """What a pool needs of the transport under a connection."""

    closed: bool


class Kept(Protocol):
    """What a pool needs of a connection."""

    idle_since: float
    idle_s: float

    @property
    def transport(self) -> Wired | None:
        """None where the connection does not stand."""

    def usable(self, now: float, *, repeatable: bool) -> bool:
        """True where a call may be sent on it."""

    def stale(self, now: float) -> bool:
        """True where it has been idle for too long."""

    def shut(self) -> None:
        """Close it."""


K = TypeVar("K", bound=Kept)


class Pool(Generic[K]):
    """Idle connections, calls that wait for theirs to stand, and what its answers look like."""

    __slots__ = ("heads", "idle", "open", "waiting")

    def __init__(self) -> None:
        self.idle: list[K] = []
        self.waiting: deque[Call] = deque()
        self.heads: dict[bytes, Any] = {}  # of connections: the heads that they know again
        self.open = 0  # idle, busy and being connected

    def take(self, now: float, *, repeatable: bool) -> K | None:
        """The connection that was used last and is good for such a call, or None.

        Bad ones are closed; one that is only not fresh enough for a call that must not be
        repeated stays for those that may.
        """
        idle = self.idle
        while idle:
            connection = idle.pop()
            transport = connection.transport
            # The everyday way of `usable`.
            if repeatable and transport is not None and not transport.closed:
                if now - connection.idle_since < connection.idle_s:
                    return connection
            elif connection.usable(now, repeatable=repeatable):
                return connection
            if not repeatable and connection.usable(now, repeatable=True):
                idle.append(connection)
                return None
            connection.shut()
        return None

    def next_waiting(self, now: float) -> Call | None:
        """The call that has waited longest for a connection and still has time, or None."""
        while self.waiting:
            call = self.waiting.popleft()
            if call.outcome is Outcome.WAITING and call.line is None and call.due_at > now:
                return call
        return None

    def wait_no_more(self, call: Call) -> None:
        """Forget a call that waited; it may have been served already."""
        with contextlib.suppress(ValueError):
            self.waiting.remove(call)

    def drop_stale(self, now: float) -> None:
        """Close the connections that have been idle for too long."""
        stale = [connection for connection in self.idle if connection.stale(now)]
        self.idle = [connection for connection in self.idle if not connection.stale(now)]
        for connection in stale:
            connection.shut()
