"""A whole exchange for a test: a real worker on real stores, a market, keys, and a client.

`House` runs workers inside the test's own loop; `Process` is `exchange serve` as a user starts
it, for what must survive a kill.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import msgspec
import redis.asyncio

from exchange.app import Worker, now_us, worker
from exchange.commands.serve import bound
from exchange.configuration import store
from exchange.configuration.keys import KeyRole, create_key
from exchange.configuration.reading import read_market
from exchange.configuration.secrets import set_secret
from exchange.configuration.swapping import wait_until_swapped
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.ledger import Ledger
from exchange.ledger.sealing import Sealer
from exchange.ledger.seals import SEALS
from exchange.ledger.vault import Vault
from exchange.settings import Settings, load_settings
from exchange.stores.embedded import StoreUrls
from exchange.worker.sockets import Sockets

MASTER_KEY = b"m" * 32
ANN = {
    "first_name": "Ann",
    "last_name": "Lee",
    "phone": "(512) 555-0123",
    "email": "ann.lee@example.com",
    "zip": "78701",
    "birth_date": "1991-04-02",
    "currently_insured": True,
}
"""A lead that every filter of these tests lets pass unless the test says otherwise."""

READY_WITHIN_S = 30.0

LENIENT: Final[dict[str, float]] = {
    "loop_lag_target_ms": 2000.0,
    "ledger_wait_target_ms": 2000.0,
    "loop_lag_max_ms": 2000.0,
    "market_wait_max_ms": 10_000.0,
    "market_timeout_ms": 1000.0,
    "database_timeout_ms": 2000.0,
}
"""Workers, buyers and the test share a loop, or a busy machine: late is not overloaded, or away."""

LEAD_TABLES = (
    "moment",
    "lead",
    "lead_end",
    "submission",
    "quote",
    "record",
    "award",
    "sale_end",
    "transfer",
    "capture",
    "rejection",
)


def phone(number: int) -> str:
    """Return one of ten thousand valid numbers of Austin, Texas."""
    return f"512555{number % 10_000:04d}"


def person(number: int, **changes: Any) -> dict[str, Any]:
    """Return a lead of somebody else, by number."""
    return {**ANN, "phone": phone(number), "email": f"lead{number}@example.com", **changes}


@dataclass(frozen=True)
class Answer:
    """What the exchange answered."""

    status: int
    body: Any
    headers: Any
    seconds: float


@dataclass
class House:
    """Stores, a market and keys; workers and processes as a test wants them."""

    urls: StoreUrls
    settings: Settings
    folder: Path
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    vault: Vault
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    making_keys: asyncio.Lock = field(default_factory=asyncio.Lock)
    workers: list[Worker] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    # The market

    async def apply(self, text: str) -> None:
        """Make this TOML the market, as `exchange apply` does."""
        path = self.folder / "market.toml"
        path.write_text(text)
        reading = read_market([path])
        async with self.connection() as connection:
            applied = await store.apply(connection, reading.market, "test")
            assert not await wait_until_swapped(connection, applied.version)

    async def key(self, role: str, account: str) -> str:
        """Return a key of this account, made when first asked for, by however many at once."""
        async with self.making_keys:
            if (role, account) not in self.keys:
                async with self.connection() as connection:
                    made = await create_key(connection, self.vault, KeyRole(role), account, "test")
                    assert not await wait_until_swapped(connection, made.version)
                self.keys[role, account] = made.key
        return self.keys[role, account]

    async def secret(self, name: str, value: str) -> None:
        """Keep a named secret, as `exchange secrets set` does."""
        async with self.connection() as connection:
            version = await set_secret(connection, self.vault, name, value, "test")
            assert not await wait_until_swapped(connection, version)

    # Workers

    async def open(self, urls: StoreUrls | None = None, **changes: Any) -> Worker:
        """Start a worker in this loop; `urls` where it reaches the stores in another way."""
        settings = msgspec.structs.replace(self.settings, **changes)
        listening = bound("127.0.0.1", 0)
        port = listening.getsockname()[1]
        built = await self.stack.enter_async_context(
            worker(settings, urls or self.urls, MASTER_KEY, Sockets([listening]))
        )
        self.workers.append(built)
        self.bases.append(f"http://127.0.0.1:{port}")
        return built

    async def start(self, arguments: Sequence[str] = (), **changes: Any) -> "Process":
        """Start `exchange serve` in a process of its own, and wait until it can sell."""
        process = await Process.start(self, changes, arguments)
        self.bases.append(process.base)
        self.stack.push_async_callback(process.kill)
        return process

    # A seller's and an operator's view

    async def post(
        self,
        lead: dict[str, Any] | None = None,
        *,
        path: str = "/v1/leads",
        seller: str = "fastquotes",
        base: int = 0,
        headers: dict[str, str] | None = None,
        **control: Any,
    ) -> Answer:
        """Post a lead as this seller and return the answer."""
        body = {"campaign": "auto-us", "source": "search", "lead": ANN if lead is None else lead}
        return await self.call(
            "POST",
            path,
            key=await self.key("seller", seller),
            base=base,
            headers=headers,
            json={name: value for name, value in {**body, **control}.items() if value is not None},
        )

    async def timeline(self, lead_id: str, base: int = 0) -> list[dict[str, Any]]:
        """Return the operator's timeline of a lead."""
        return (await self.admin(lead_id, base))["timeline"]

    async def admin(self, lead_id: str, base: int = 0) -> dict[str, Any]:
        """Return all that an operator sees of a lead."""
        key = await self.key("operator", "tests")
        answer = await self.call("GET", f"/v1/admin/leads/{lead_id}", key=key, base=base)
        assert answer.status == 200, answer.body
        return answer.body

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        base: int = 0,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        """Send one request; the body of the answer is decoded where it is JSON."""
        loop = asyncio.get_running_loop()
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        began = loop.time()
        async with self.session.request(
            method, self.bases[base] + path, headers={**sent, **(headers or {})}, **body
        ) as response:
            raw = await response.read()
        seconds = loop.time() - began
        is_json = "json" in response.headers.get("Content-Type", "")
        decoded = msgspec.json.decode(raw) if is_json and raw else raw.decode()
        return Answer(response.status, decoded, response.headers, seconds)

    # The books

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a plain connection to the database."""
        connection = await asyncpg.connect(self.urls.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Return the rows of a query."""
        async with self.connection() as connection:
            return await connection.fetch(query, *arguments)

    async def written(self) -> dict[str, int]:
        """Return how many rows of each table, and keys of market state, leads have left so far."""
        counts = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in LEAD_TABLES)
        rows = await self.fetch(f"SELECT {counts}")
        # What was quoted is kept for whoever sends the same ping again, as long as it holds.
        kept = [key for key in await self.market_keys() if ":quote:" not in key]
        return {**rows[0], "market": len(kept)}

    async def market_keys(self, pattern: str = "*") -> list[str]:
        """Return which keys market state holds."""
        async with self.market() as client:
            return [key.decode() for key in await client.keys(pattern)]

    @asynccontextmanager
    async def market(self) -> AsyncIterator[Any]:
        """Lend a plain client of market state."""
        async with redis.asyncio.from_url(self.urls.market_url) as client:
            yield client

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """Lend a ledger to read from."""
        connections = Connections(self.urls.database_url, Limits())
        await connections.open()
        try:
            yield Ledger(connections, "00000000-0000-7000-8000-000000000000", self.vault)
        finally:
            await connections.close()


@dataclass
class Process:
    """`exchange serve`, as a user starts it."""

    process: asyncio.subprocess.Process
    base: str
    log: Path

    @classmethod
    async def start(
        cls, house: House, changes: dict[str, Any], arguments: Sequence[str] = ()
    ) -> "Process":
        """Start it on a free port and wait until it is ready."""
        with bound("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        said = {
            **environment(house),
            **{f"EXCHANGE_{k.upper()}": str(v) for k, v in changes.items()},
        }
        log = house.folder / f"serve-{port}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "exchange.cli",
                *arguments,
                "serve",
                "--port",
                str(port),
                env={**clean_environment(), **said},
                stderr=stderr,
                cwd=house.folder,
            )
        started = cls(process, f"http://127.0.0.1:{port}", log)
        await started.until_ready(house.session)
        return started

    async def until_ready(self, session: aiohttp.ClientSession) -> None:
        """Return once it can sell."""
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                assert self.process.returncode is None, self.log.read_text()
                try:
                    async with session.get(f"{self.base}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)  # nobody can tell us of a port that opens

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def stop(self) -> int:
        """Tell it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


def environment(house: House) -> dict[str, str]:
    """Return the settings of a house as variables."""
    import base64

    return {
        "EXCHANGE_DATABASE_URL": house.urls.database_url,
        "EXCHANGE_MARKET_URL": house.urls.market_url,
        "EXCHANGE_DATA_DIR": str(house.settings.data_dir),
        "EXCHANGE_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        "EXCHANGE_ALLOW_NETWORKS": "127.0.0.0/8",
        "EXCHANGE_LOG_LEVEL": house.settings.log_level,
        "EXCHANGE_WORKER_LEASE_S": str(house.settings.worker_lease_s),
        "EXCHANGE_HOLD_LEASE_S": str(house.settings.hold_lease_s),
        **{f"EXCHANGE_{name.upper()}": str(value) for name, value in LENIENT.items()},
    }


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}


@asynccontextmanager
async def a_house(urls: StoreUrls, folder: Path, tables: Path) -> AsyncIterator[House]:
    """Yield a house without workers; all that was started in it ends with the block.

    `tables` keeps the ZIP codes for all houses of a run.
    """
    settings = msgspec.structs.replace(
        load_settings(None, {}),
        allow_networks=("127.0.0.0/8",),
        data_dir=tables,
        **LENIENT,
    )
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        yield House(urls, settings, folder, session, stack, Vault(MASTER_KEY))


async def until(true: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Return once it is true; fail where it does not become so in time."""
    async with asyncio.timeout(within_s):
        while not await true():  # noqa: ASYNC110 - the stores tell a test nothing by themselves
            await asyncio.sleep(0.02)


async def all_is_sealed(house: House, worker: Worker) -> None:
    """Return once everything that was written is sealed."""
    sealer = Sealer(worker._books.ledger.connections, house.vault.derive(SEALS), now_us)

    async def nothing_is_left() -> bool:
        return not await sealer.seal(await sealer.high())

    await until(nothing_is_left)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
