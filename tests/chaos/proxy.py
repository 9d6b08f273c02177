"""A small proxy on a line between two processes, which can cut, clamp and slow it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

READ_MAX = 65_536
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Line:
    """Passes bytes on, both ways, as it is told to; `listen` begins it, `close` ends it.

    Cut: all connections break, and new ones break at once. Clamped: connections stand, no byte
    passes. Slowed: every piece is late by so much.
    """

    def __init__(self, there: Callable[[], Awaitable[Streams]]) -> None:
        self.there = there
        self.is_cut = False
        self.delay_s = 0.0
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.plugged: set[asyncio.Task[None]] = set()
        self.server: asyncio.Server | None = None
        self.port = 0

    async def listen(self, where: Path | None = None) -> None:
        """Listen on this unix socket, or on any free port of this machine."""
        if where is None:
            self.server = await asyncio.start_server(self.plug, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]
        else:
            self.server = await asyncio.start_unix_server(self.plug, where)

    async def close(self) -> None:
        """Break everything, for good."""
        assert self.server is not None, "the line was opened"
        self.server.close()
        self.cut()
        await asyncio.gather(*self.plugged, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections, and new ones as they come."""
        self.is_cut = True
        for task in self.plugged:
            task.cancel()

    def clamp(self) -> None:
        """Let nothing pass."""
        self.flowing.clear()

    def slow(self, delay_s: float) -> None:
        """Let every piece be late by so much."""
        self.delay_s = delay_s

    def mend(self) -> None:
        """Let everything pass again; what was clamped off comes through now."""
        self.is_cut = False
        self.delay_s = 0.0
        self.flowing.set()

    async def plug(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on in both directions until one side hangs up, or the line is cut."""
        task = asyncio.current_task()
        assert task is not None, "a connection has a task of its own"
        self.plugged.add(task)
        ends = [writer]
        with suppress(asyncio.CancelledError, OSError):
            if not self.is_cut:
                there, back = await self.there()
                ends.append(back)
                await both(self.passing(reader, back), self.passing(there, writer))
        self.plugged.discard(task)
        for end in ends:
            end.transport.abort()

    async def passing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side says, as long as it does."""
        while data := await reader.read(READ_MAX):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()


async def both(*ways: Awaitable[None]) -> None:
    """Return when the first of two ways has ended; the other ends with it."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
