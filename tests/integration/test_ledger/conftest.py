"""A ledger on a database of its own, moments to write, and a wire that can be cut."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest

from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId, uuid7
from exchange.domain.moment import (
    AwardRow,
    LeadEnd,
    LeadRow,
    Moment,
    MomentKind,
    SaleEnd,
    Transfer,
)
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.connections import Connections, Limits, prepare
from exchange.ledger.ledger import Ledger
from exchange.ledger.vault import Vault
from exchange.ledger.worker import Leases

NOW_US = 1_790_000_000_123_457
MASTER_KEY = bytes(range(32))
UNIT = 1_000_000


class Story:
    """Writes down what happens to leads, as moments."""

    lead = LeadRow(
        seller_id="fastquotes",
        campaign_id="auto-us",
        source_id="fb-tx-01",
        channel="facebook",
        source_declared=True,
        vertical_id="auto_insurance",
        seller_ref="A-1",
        test=False,
        version=7,
        received_at_us=NOW_US,
        answer_by_us=NOW_US + 30_000_000,
        idempotency_key=b"\x01\x02",
        claim=b"\x03",
        state="TX",
        score=71,
    )
    award = AwardRow(
        sale_id=SaleId(""),
        offer_id="acme-tx",
        buyer_id="acme",
        price=Micros(12_500_000),
        payout=Micros(10_620_000),
        currency="USD",
        held_at_us=NOW_US + 5,
        bid_id="b-1",
        ping_id="p-1",
        stage=1,
        post=b'{"lead": {"phone": "+15125550100"}}',
    )

    def new_id(self) -> str:
        return uuid7(NOW_US, os.urandom(10))

    def moment(self, lead_id: str, number: int, kind: MomentKind, **rows: Any) -> Moment:
        rows.setdefault("at_us", NOW_US + number)
        rows.setdefault("events", ())
        return Moment(lead_id=LeadId(lead_id), number=number, kind=kind, **rows)

    def event(self, name: EventName, **what: Any) -> Event:
        return Event(at_us=NOW_US, event=name, **what)

    def received(self, lead_id: str, **changes: Any) -> Moment:
        return self.moment(
            lead_id,
            1,
            MomentKind.LEAD,
            lead=msgspec.structs.replace(self.lead, **changes),
            record=b'{"phone": "+15125550100"}',
            events=(self.event(EventName.RECEIVED),),
        )

    def merged(self, lead_id: str, first: str, number: int = 1, **changes: Any) -> Moment:
        """Another post of the first lead's person: of that nothing is kept."""
        none = {"claim": None, "state": None, "score": None}
        return self.moment(
            lead_id,
            number,
            MomentKind.MERGED,
            lead=msgspec.structs.replace(self.lead, **none, **changes),
            lead_end=LeadEnd(
                status=LeadStatus.DUPLICATE, reason=Reason.DUPLICATE, original=LeadId(first)
            ),
            events=(self.event(EventName.RECEIVED),),
        )

    def awarded(self, lead_id: str, sale_id: str, number: int = 2, **changes: Any) -> Moment:
        award = msgspec.structs.replace(self.award, sale_id=SaleId(sale_id), **changes)
        events = (self.event(EventName.AWARDED, sale_id=sale_id),)
        return self.moment(lead_id, number, MomentKind.AWARD, award=award, events=events)

    def sold(self, lead_id: str, sale_id: str, number: int = 3, **rows: Any) -> Moment:
        end = SaleEnd(
            sale_id=SaleId(sale_id),
            state=SaleState.ACCEPTED,
            reference="r-1",
            redirect_url="https://acme.example/thanks",
        )
        return self.moment(
            lead_id,
            number,
            MomentKind.OUTCOME,
            **{
                "sale_end": end,
                "lead_end": LeadEnd(status=LeadStatus.SOLD, price=Micros(10_620_000)),
                "transfers": self.transfers(sale_id),
                "capture": b"POST /post HTTP/1.1",
                "events": (
                    self.event(EventName.POSTED, sale_id=sale_id),
                    self.event(EventName.ACCEPTED, sale_id=sale_id, price=Micros(12_500_000)),
                    self.event(EventName.SOLD, sale_id=sale_id),
                ),
                **rows,
            },
        )

    def transfers(
        self, sale_id: str, payout: int = 10_620_000, margin: int = 1_880_000
    ) -> tuple[Transfer, ...]:
        buyer, sale = "buyer/acme", SaleId(sale_id)
        return (
            Transfer("payout", buyer, "seller/fastquotes", Micros(payout), "USD", sale),
            Transfer("margin", buyer, "margin/auto-us", Micros(margin), "USD", sale),
        )

    def unsold(self, lead_id: str, number: int = 2) -> Moment:
        end = LeadEnd(status=LeadStatus.UNSOLD)
        return self.moment(lead_id, number, MomentKind.OUTCOME, lead_end=end)


class Wire:
    """Stands between a ledger and its server: forwards, swallows answers, falls silent, breaks."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        self._target = str(Path(query["host"][0]) / ".s.PGSQL.5432")
        self._path = str(folder / ".s.PGSQL.5432")
        query["host"] = [str(folder)]
        self.dsn = urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._speaks = asyncio.Event()
        self._speaks.set()
        self.swallows = False
        self.swallowed = asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    def silence(self) -> None:
        """Take everything, pass nothing on."""
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    def cut(self) -> None:
        """Break all connections; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Break all connections; new ones are refused."""
        assert self._server is not None
        self._server.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108 - a socket of this loop, gone in no time
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        far = None
        try:
            far_reader, far = await asyncio.open_unix_connection(self._target)
            self._writers.add(far)
            await asyncio.gather(
                self._pass(reader, far, answers=False), self._pass(far_reader, writer, answers=True)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await reader.read(65536):
            await self._speaks.wait()
            if answers and self.swallows:
                self.swallowed.set()
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


MakeLedger = Callable[..., Awaitable[Ledger]]
MakeLeases = Callable[..., Awaitable[Leases]]


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def vault() -> Vault:
    return Vault(MASTER_KEY)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def make_connections(database_url: str, closing: AsyncExitStack) -> Callable[..., Any]:
    async def make(dsn: str = "", limits: Limits | None = None) -> Connections:
        connections = Connections(dsn or database_url, limits or Limits())
        await connections.open()
        closing.push_async_callback(connections.close)
        return connections

    return make


@pytest.fixture
def make_leases(make_connections: Any, vault: Vault) -> MakeLeases:
    async def make(*, lease_s: float = 60.0, register: bool = True) -> Leases:
        leases = Leases(
            await make_connections(), str(uuid.uuid4()), vault, lambda: NOW_US, lease_s=lease_s
        )
        if register:
            await leases.register("1", ["127.0.0.1:8080"])
        return leases

    return make


@pytest.fixture
def make_ledger(
    make_connections: Any, make_leases: MakeLeases, vault: Vault, closing: AsyncExitStack
) -> MakeLedger:
    async def make(
        dsn: str = "", limits: Limits | None = None, leases: Leases | None = None
    ) -> Ledger:
        leases = leases or await make_leases()
        ledger = Ledger(
            await make_connections(dsn, limits), leases.worker_id, vault, leases.unheard
        )
        await ledger.open()
        closing.push_async_callback(ledger.close)
        return ledger

    return make


@pytest.fixture
async def ledger(make_ledger: MakeLedger) -> Ledger:
    return await make_ledger()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(database_url)
    await prepare(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def watcher(database_url: str) -> AsyncIterator[Any]:
    """Another one, for a look at what the others are doing while one is in a transaction."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def blocked() -> Callable[[Any], Awaitable[list[int]]]:
    """Return the server's processes that wait for a lock, once there is one."""

    async def wait(watcher: Any) -> list[int]:
        async with asyncio.timeout(10):
            while True:
                rows = await watcher.fetch(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if rows:
                    return [row["pid"] for row in rows]

    return wait


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    folder = Path(tempfile.mkdtemp(prefix="wire"))  # a socket's path must be short
    wire = Wire(database_url, folder)
    await wire.open()
    yield wire
    await wire.close()
    shutil.rmtree(folder)
