"""Takes connections from a socket on which several workers listen, each its share.

All of them wake for a new connection. Whoever has more than another lets it have this one; where
the other is busy, it takes it after a moment all the same. The loop's own servers take all that
waits at once: of 32 keep-alive connections opened together one worker got 30, and so did the work.
"""

import asyncio
import socket
from collections.abc import Callable

import structlog

from exchange.web.crowd import Crowd

logger = structlog.get_logger()

YIELD_S = 0.002
"""How long a connection is left to those who have fewer."""
FULL_PAUSE_S = 1.0
"""Without a free descriptor: until it is tried again."""


class Acceptor:
    """Accepts one connection at a time from a socket that others listen on, too."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        crowd: Crowd,
        slot: int,
    ) -> None:
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
        if self.crowd.is_ahead(self.slot):
            self.take_later(YIELD_S)
        else:
            self.take()

    def take_later(self, pause_s: float) -> None:
        """Look away for a moment, then take what still waits."""
        self.loop.remove_reader(self.listening)
        self.timer = self.loop.call_later(pause_s, self.take_and_watch)

    def take_and_watch(self) -> None:
        """Take a connection though others have fewer, and be woken again."""
        self.watch()
        self.take()

    def take(self) -> None:
        """Take one connection if one is there."""
        try:
            connection, _address = self.listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the caller hung up
        except OSError as error:
            logger.warning("connections wait", error=str(error))
            self.take_later(FULL_PAUSE_S)
            return
        connection.setblocking(False)
        self.crowd.add(self.slot, 1)
        task = self.loop.create_task(self.begin(connection))
        self.beginning.add(task)
        task.add_done_callback(self.beginning.discard)

    async def begin(self, connection: socket.socket) -> None:
        """Serve a connection from now on."""
        try:
            await self.loop.connect_accepted_socket(self.protocol, connection)
        except OSError:  # it was closed before it began
            self.crowd.add(self.slot, -1)
