"""Two workers on one real Valkey, and a Valkey of one's own to kill."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest

from exchange.market.function import FUNCTIONS
from exchange.market.link import Link
from exchange.market.market import Market, Terms
from exchange.stores.binaries import valkey_program
from tests.integration.market.making import until
from tests.making import NOW_US
from tests.places import store_folder

PATIENT_S = 20.0
"""For tests in which nothing is late: a busy machine is no outage."""

TERMS = Terms(lease_s=30, ended_s=120, rooms_interval_s=0.05)


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


class Server:
    """A Valkey of one's own: started, stopped, killed and started again on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{quote(str(self.socket))}?db=0"
        self._command = [
            str(valkey_program()),
            *("--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--logfile", ""),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            # What a killed server leaves behind refuses connections like one that never was.
            self.socket.unlink(missing_ok=True)
            self._process = None

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_market(clock: Clock) -> AsyncIterator[Callable]:
    """Opens a worker's market on a URL; it is closed with the test."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str, worker: str = "w1", timeout_s: float = PATIENT_S) -> Market:
            link = Link(url, timeout_s=timeout_s)
            market = Market(link, worker=worker, clock=clock, terms=TERMS)
            await stack.enter_async_context(link)
            return await stack.enter_async_context(market)

        yield open_one


@pytest.fixture
async def market(open_market: Callable, market_url: str) -> Market:
    return await open_market(market_url, "w1")


@pytest.fixture
async def other(open_market: Callable, market_url: str) -> Market:
    """The market as another worker sees it."""
    return await open_market(market_url, "w2")


@pytest.fixture
async def link(market_url: str) -> AsyncIterator[Link]:
    async with Link(market_url, timeout_s=PATIENT_S) as link:
        yield link


@pytest.fixture
async def started(open_market: Callable) -> Callable:
    """Opens a market on a server of one's own, and waits until that serves."""

    async def open_started(server: Server, worker: str = "w1", timeout_s: float = 0.5) -> Market:
        market = await open_market(server.url, worker, timeout_s)
        await until(lambda: market.is_up)
        return market

    return open_started


@pytest.fixture
def server() -> Iterator[Server]:
    # A socket's path is short, and pytest's folders are not.
    with store_folder() as folder:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def forwarder() -> "type[Forwarder]":
    return Forwarder


GREETED = FUNCTIONS[-1].digest
"""The end of a greeting: the server knows the last function."""


class Forwarder:
    """A wire to a server that can be cut, and that can swallow what the server answers."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.swallows = 0
        """How many more answers are lost; greetings are not."""
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._folder = tempfile.mkdtemp(prefix="wire-")
        self.url = f"unix://{self._folder}/wire.sock"
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, f"{self._folder}/wire.sock")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        shutil.rmtree(self._folder)

    def cut(self) -> None:
        """Break all connections, whatever is under way."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_unix_connection(self.target)
        self._writers += [writer, far_writer]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._pump(reader, far_writer, from_server=False),
                self._pump(far_reader, writer, from_server=True),
            )

    async def _pump(self, reader, writer, *, from_server: bool) -> None:
        is_greeted = False
        while data := await reader.read(65536):
            if is_greeted and self.swallows:
                # The server has done it, and nobody hears of it.
                self.swallows -= 1
                self.cut()
                return
            is_greeted = is_greeted or (from_server and GREETED in data)
            writer.write(data)
