"""Takes connections from a socket, on which several workers may listen, each its share.

All of them wake for a new connection. Whoever has more than another lets it have this one; where
the other is busy, it takes it after a moment all the same.

The loop's own servers take one connection in each of the loop's turns. Where turns are long, for
there is much to do, the socket's queue runs over, and callers hear nothing for seconds: here all
that wait are taken, so that they can at least be told that there is too much to do.
"""

import asyncio
import socket
from collections.abc import Callable

import structlog

from exchange.web.crowd import Crowd

logger = structlog.get_logger()

YIELD_S = 0.002
"""How long a connection is left to those who have fewer."""
TAKEN_AT_ONCE = 64
"""In one turn of the loop, which has other things to do, too."""
FULL_PAUSE_S = 1.0
"""Without a free descriptor: until it is tried again."""


class Acceptor:
    """Accepts connections from a socket that others may listen on, too."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        crowd: Crowd | None = None,
        slot: int = 0,
    ) -> None:
        """Accept for this protocol from now on; `crowd`: others listen, too, this is its slot."""
        self.listening = listening
        self.protocol = protocol
        self.crowd = crowd
        self.slot = slot
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None
        self.beginning: set[asyncio.Task[None]] = set()
        self.watch()

    def close(self) -> None:
        """Accept no more; what waits in the socket is for the others."""
        if self.timer is not None:
            self.timer.cancel()
        if self.listening.fileno() >= 0:
            self.loop.remove_reader(self.listening)
            self.listening.close()

    def watch(self) -> None:
        """Be woken by connections that wait."""
        self.loop.add_reader(self.listening, self.woken)

    def woken(self) -> None:
        """Take a connection, or leave it to who has fewer."""
        if self.is_ahead():
            self.take_later(YIELD_S)
        else:
            self.take()

    def is_ahead(self) -> bool:
        """Tell whether another worker has fewer connections."""
        return self.crowd is not None and self.crowd.is_ahead(self.slot)

    def take_later(self, pause_s: float) -> None:
        """Look away for a moment, then take what still waits."""
        self.loop.remove_reader(self.listening)
        self.timer = self.loop.call_later(pause_s, self.take_and_watch)

    def take_and_watch(self) -> None:
        """Take a connection though others have fewer, and be woken again."""
        self.watch()
        self.take()

    def take(self) -> None:
        """Take what waits, but no more than a turn's worth, and not more than others have."""
        for _ in range(TAKEN_AT_ONCE):
            try:
                connection, _address = self.listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # nothing is left, another worker was faster, or the caller hung up
            except OSError as error:
                logger.warning("connections wait", error=str(error))
                self.take_later(FULL_PAUSE_S)
                return
            self.serve(connection)
            if self.is_ahead():
                return

    def serve(self, connection: socket.socket) -> None:
        """Serve a connection that was taken."""
        connection.setblocking(False)
        self.count(1)
        task = self.loop.create_task(self.begin(connection))
        self.beginning.add(task)
        task.add_done_callback(self.beginning.discard)

    def count(self, change: int) -> None:
        """Count a connection that came or went, where others do so, too."""
        if self.crowd is not None:
            self.crowd.add(self.slot, change)

    async def begin(self, connection: socket.socket) -> None:
        """Serve a connection from now on."""
        try:
            await self.loop.connect_accepted_socket(self.protocol, connection)
        except OSError:  # it was closed before it began
            self.count(-1)
