"""A cable between a worker and its stores, which a test can cut, clamp and mend.

Cut is a server that is gone: nobody listens, all connections break. Clamped is one that hangs:
connections stand, and new ones come about, but no byte passes until it is mended.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, quote, urlsplit

from exchange.stores.embedded import StoreUrls

READ_MAX = 65_536
POSTGRES_SOCKET = ".s.PGSQL.5432"


class Cable:
    """One store's unix socket, as seen at the other end of a cable."""

    def __init__(self, store: Path, socket: Path) -> None:
        self.store = store
        self.socket = socket
        self.flowing = asyncio.Event()
        self.held: list[bytes] = []
        """What was clamped off since it was clamped."""
        self.caught = asyncio.Event()
        self.server: asyncio.Server | None = None
        self.plugged: set[asyncio.Task[None]] = set()
        self.ways: set[asyncio.Task[None]] = set()

    async def mend(self) -> None:
        """Let everything pass, again; what was clamped off comes through now."""
        self.flowing.set()
        self.held.clear()
        if self.server is None:
            self.server = await asyncio.start_unix_server(self.plug, self.socket)

    def clamp(self) -> None:
        """Let nothing pass any more."""
        self.flowing.clear()

    async def holds(self, words: bytes) -> None:
        """Return once something that says these words has been clamped off."""
        while not any(words in data for data in self.held):
            self.caught.clear()
            await self.caught.wait()

    async def cut(self) -> None:
        """Break all connections and take no new ones."""
        server, self.server = self.server, None
        if server is not None:
            server.close()
            self.socket.unlink(missing_ok=True)
        for way in self.ways:
            way.cancel()
        await asyncio.gather(*self.plugged)

    async def plug(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on in both directions until one side hangs up."""
        task = asyncio.current_task()
        assert task is not None, "a connection has a task of its own"
        self.plugged.add(task)
        there, back = await asyncio.open_unix_connection(self.store)
        ways = {
            asyncio.ensure_future(self.passing(reader, back)),
            asyncio.ensure_future(self.passing(there, writer)),
        }
        self.ways |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self.ways -= ways
        for end in (writer, back):
            end.transport.abort()
        self.plugged.discard(task)

    async def passing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side says, as long as it does."""
        while data := await reader.read(READ_MAX):
            if not self.flowing.is_set():
                self.held.append(data)
                self.caught.set()
                await self.flowing.wait()
            writer.write(data)
            await writer.drain()


@dataclass(frozen=True)
class Cables:
    """Both stores at the end of a cable each."""

    urls: StoreUrls
    database: Cable
    market: Cable


@asynccontextmanager
async def cables(urls: StoreUrls) -> AsyncIterator[Cables]:
    """Yield the same stores at the end of two whole cables."""
    database, market = urlsplit(urls.database_url), urlsplit(urls.market_url)
    host = Path(parse_qs(database.query)["host"][0])
    with TemporaryDirectory(prefix="cables-") as folder:
        near = Path(folder)
        both = Cables(
            StoreUrls(
                database._replace(query=f"host={quote(folder, safe='')}").geturl(),
                market._replace(path=str(near / "market")).geturl(),
            ),
            Cable(host / POSTGRES_SOCKET, near / POSTGRES_SOCKET),
            Cable(Path(market.path), near / "market"),
        )
        await both.database.mend()
        await both.market.mend()
        try:
            yield both
        finally:
            await both.database.cut()
            await both.market.cut()
