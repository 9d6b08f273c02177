"""The line between a seller and the exchange, which loses answers and counts what went over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

READ_MAX = 65_536


@dataclass
class Line:
    """Passes everything on, but breaks where the next answers of `losing` would come back."""

    far: tuple[str, int]
    base: str = ""
    losing: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def plug(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the seller."""
        task = asyncio.current_task()
        assert task is not None, "a connection has a task of its own"
        self.tasks.add(task)
        self.connections += 1
        there, back = await asyncio.open_connection(*self.far)
        ways = [
            asyncio.ensure_future(self.forth(reader, back)),
            asyncio.ensure_future(self.home(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, back):
                end.transport.abort()
            self.tasks.discard(task)

    async def forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on requests."""
        while data := await reader.read(READ_MAX):
            self.requests.append(data)
            writer.write(data)
            await writer.drain()

    async def home(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on answers, or break."""
        while data := await reader.read(READ_MAX):
            if self.losing:
                self.losing -= 1
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def line_to(base: str) -> AsyncIterator[Line]:
    """Yield a line to an exchange at this address."""
    parts = urlsplit(base)
    assert parts.hostname is not None, "an address has a host"
    assert parts.port is not None, "and a port"
    line = Line((parts.hostname, parts.port))
    server = await asyncio.start_server(line.plug, "127.0.0.1", 0)
    line.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        server.close()
        for task in [*line.tasks]:
            task.cancel()
        await asyncio.gather(*line.tasks, return_exceptions=True)
