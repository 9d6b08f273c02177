"""The ledger as a worker sees it, on simulated books: the contract of exchange.ledger, in memory.

Leases are the product's own (`exchange.ledger.worker.Leases`): here are the connections under
them, which know the statements of worker.sql by their text.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import msgspec

from exchange.domain.ids import LeadId
from exchange.domain.moment import LeadRow, Moment
from exchange.ledger import worker
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LeaseLost, LedgerUnavailable, MomentRefused
from exchange.ledger.stored import OpenLead, StoredLead
from tests.simulation.books import Refused, Registered, Server
from tests.simulation.loop import Process

FSYNC_S = 0.001
STATEMENTS = {text: name for name, text in worker.STATEMENTS.items()}
OPEN_LEADS = worker.READING["open_leads"]


class OpenVault:
    """Seals nothing: nobody but the auditor looks into these books."""

    def open(self, sealed: Any, aad: bytes) -> bytes:
        del aad
        return sealed.sealed

    def derive(self, name: str) -> bytes:
        return name.encode().ljust(32, b".")


class Entry(msgspec.Struct, eq=False):
    """A moment on its way, and who waits for it."""

    write: int
    moment: Moment
    waiter: "asyncio.Future[bool]"
    queued_at: float
    sent: bool = False


class SimulatedLedger:
    """Writes moments in flushes, reads them back; each call succeeds or fails in its time."""

    def __init__(
        self, process: Process, server: Server, worker_id: str, limits: Limits | None = None
    ) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.flushes = 0
        self._process = process
        self._server = server
        self._worker_id = worker_id
        self._limits = limits or Limits()
        self._writes = count(1)
        self._queue: deque[Entry] = deque()
        self._doubtful: dict[tuple[LeadId, int], tuple[Moment, int]] = {}
        self._lanes = 0
        self._planned = False
        self._closing = False
        self._rests = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self.up.is_set()

    async def until_up(self) -> None:
        await self.up.wait()

    async def open(self) -> None:
        return

    async def close(self) -> None:
        """Finish all commits under way."""
        self._closing = True
        while self._queue or self._lanes:
            self._rests.clear()
            await self._rests.wait()

    def commit(self, moment: Moment) -> "asyncio.Future[bool]":
        """See exchange.ledger.ledger.Ledger."""
        waiter = self._process.create_future()
        full = len(self._queue) >= self._limits.waiting_max
        if not self.is_up or self._closing or full:
            waiter.set_exception(LedgerUnavailable())
            return waiter
        tried, write = self._doubtful.pop((moment.lead_id, moment.number), (None, 0))
        if tried is not moment:
            write = next(self._writes)
        self._queue.append(Entry(write, moment, waiter, self._process.time(), tried is moment))
        self._plan()
        return waiter

    # Flushes

    def _plan(self) -> None:
        if not self._planned and self._lanes < self._limits.lanes and self._queue:
            self._planned = True
            self._process.call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = False
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), self._limits.batch_max))]
        if batch:
            batch.sort(key=lambda entry: (entry.moment.lead_id, entry.moment.number))
            self._lanes += 1
            Flush(self, batch).send()
        self._plan()

    def ended(self) -> None:
        """Take the lane of a flush back."""
        self._lanes -= 1
        self._plan()
        self._rests.set()

    def give_up(self) -> None:
        """Fail what waits, and be away until the server answers again."""
        while self._queue:
            self.fail(self._queue.popleft(), LedgerUnavailable())
        if self.is_up:
            self.up.clear()
            self._process.call_later(self._limits.retry_s, self._try, self._limits.retry_s)

    def _try(self, pause_s: float) -> None:
        next_s = min(2 * pause_s, self._limits.retry_max_s)
        self._server.ask(
            self._process, int, self._came_up,
            lambda: self._process.call_later(next_s, self._try, next_s),
        )  # fmt: skip

    def _came_up(self, _answer: object) -> None:
        self._process.call_soon(self.up.set)

    def fail(self, entry: Entry, error: Exception) -> None:
        if not entry.waiter.done():
            if entry.sent and isinstance(error, LedgerUnavailable):
                key = entry.moment.lead_id, entry.moment.number
                self._doubtful[key] = entry.moment, entry.write
            entry.waiter.set_exception(error)

    def settle(self, entry: Entry, outcome: Any) -> None:
        if isinstance(outcome, Refused):
            moment = entry.moment
            self.fail(entry, MomentRefused(
                lead_id=moment.lead_id, number=moment.number, problem=str(outcome)
            ))  # fmt: skip
        elif not entry.waiter.done():
            entry.waiter.set_result(outcome)

    # What was written, read back

    async def lead(self, lead_id: LeadId) -> StoredLead | None:
        return await self._read("lead", lead_id)

    async def open_lead(self, lead_id: LeadId) -> OpenLead | None:
        leads = await self._read("open_leads", [lead_id])
        return leads[0] if leads else None

    async def timeline(self, lead_id: LeadId) -> list[Any]:
        return await self._read("timeline", lead_id)

    async def quote(self, lead_id: LeadId) -> Any:
        return await self._read("quote", lead_id)

    async def records(self, lead_id: LeadId) -> list[bytes | None]:
        return await self._read("records", lead_id)

    async def record(self, lead_id: LeadId) -> bytes | None:
        records = await self.records(lead_id)
        return records[-1] if records else None

    async def captures(self, lead_id: LeadId) -> list[Any]:
        del lead_id
        return []

    async def ping(self) -> None:
        await asked(self._process, self._server, int, self._limits.timeout_s)

    async def _read(self, name: str, *arguments: Any) -> Any:
        do = partial(getattr(self._server.books, name), *arguments)
        return await asked(self._process, self._server, do, self._limits.timeout_s)


class Flush:
    """One statement that writes a batch: sent again where its connection broke, in its time."""

    def __init__(self, ledger: SimulatedLedger, batch: list[Entry]) -> None:
        self._ledger = ledger
        self._batch = batch
        self._until = min(entry.queued_at for entry in batch) + ledger._limits.timeout_s
        self._pause_s = 0.0
        self._is_over = False
        self._has_locked = False
        process = ledger._process
        self._timer = process.call_at(self._until, self._overdue)

    def send(self) -> None:
        ledger = self._ledger
        ledger.flushes += 1
        for entry in self._batch:
            entry.sent = True
        written = [(entry.write, entry.moment) for entry in self._batch]
        ledger._server.ask(
            ledger._process,
            partial(self._commit, ledger._worker_id, written),
            self._answered,
            self._broken,
            locked=ledger._worker_id,
            takes_s=FSYNC_S,
        )

    def _commit(self, worker_id, written):
        """Run at the server, where nobody is left to tell either."""
        server = self._ledger._server
        outcomes = server.books.commit(worker_id, written)
        for (_, moment), outcome in zip(written, outcomes or (), strict=False):
            if outcome is True and moment.announce:
                server.announce(moment.lead_id)
        return outcomes

    def _answered(self, outcomes: Any) -> None:
        if self._is_over:
            return
        self._end()
        if outcomes is None:
            for entry in self._batch:
                self._ledger.fail(entry, LeaseLost(worker_id=self._ledger._worker_id))
        else:
            for entry, outcome in zip(self._batch, outcomes, strict=True):
                self._ledger.settle(entry, outcome)
        self._ledger.ended()

    def _broken(self) -> None:
        if self._is_over:
            return
        limits, process = self._ledger._limits, self._ledger._process
        self._pause_s = max(limits.retry_s, 2 * self._pause_s)
        if not self._ledger._server.is_up and self._pause_s > limits.retry_s:
            self._overdue()  # nobody listens: what waits fails after the first vain attempt
        elif process.time() + self._pause_s < self._until:
            process.call_later(self._pause_s, self._again)

    def _again(self) -> None:
        if not self._is_over:
            self.send()

    def _overdue(self) -> None:
        if not self._is_over:
            self._end()
            for entry in self._batch:
                self._ledger.fail(entry, LedgerUnavailable())
            self._ledger.give_up()
            self._ledger.ended()

    def _end(self) -> None:
        self._is_over = True
        self._timer.cancel()


async def asked(process: Process, server: Server, do: Any, timeout_s: float) -> Any:
    """Return what the server answers to one statement; raise LedgerUnavailable."""
    answer: asyncio.Future[Any] = process.create_future()

    def answered(value: Any) -> None:
        if not answer.done():
            if isinstance(value, Exception):
                answer.set_exception(value)
            else:
                answer.set_result(value)

    server.ask(process, do, answered, partial(answered, LedgerUnavailable()))
    timer = process.call_later(timeout_s, answered, LedgerUnavailable())
    try:
        return await answer
    finally:
        timer.cancel()


class SimulatedConnections:
    """What exchange.ledger.worker asks of its connections."""

    def __init__(self, process: Process, server: Server, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._process = process
        self._server = server

    @asynccontextmanager
    async def use(self, timeout_s: float | None = None) -> AsyncIterator["Connection"]:
        until = self._process.time() + (timeout_s or self.limits.timeout_s)
        connection = Connection(self._process, self._server, until)
        try:
            yield connection
        finally:
            connection.terminate()


class Connection:
    """One connection; in a transaction nothing counts before its end."""

    def __init__(self, process: Process, server: Server, until: float) -> None:
        self.process = process
        self._server = server
        self._until = until
        self._staged: list[Any] | None = None
        self._taker = ""
        self._is_over = False
        self._has_locked = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._staged = []
        yield
        staged, self._staged = self._staged, None
        await self._ask(partial(self._commit, staged))

    def _commit(self, staged: list[Any]) -> None:
        if self._has_locked and self not in self._server.locks.values():
            raise LedgerUnavailable  # a restart of the server rolled it back
        for do in staged:
            do()
        self._server.unlock(self)

    def terminate(self) -> None:
        """Leave; what is not committed never happened, what is still on its way locks nothing."""
        self._is_over = True
        self._server.world.call_later(self._server.delay_s(), self._server.unlock, self)

    async def execute(self, statement: str, *arguments: Any) -> Any:
        return await self._ask(partial(self._do, statement, arguments))

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return await self.execute(statement, *arguments)

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.execute(statement, *arguments)

    async def _ask(self, do: Any) -> Any:
        return await asked(self.process, self._server, do, self._until - self.process.time())

    def _do(self, statement: str, arguments: tuple[Any, ...]) -> Any:
        if statement == OPEN_LEADS:
            leads = self._server.books.open_leads(*arguments, self._taker or None)
            return [row for lead in leads for row in rows_of(lead)]
        return getattr(self, f"_{STATEMENTS[statement]}")(*arguments)

    def _later(self, do: Any, *arguments: Any) -> None:
        if self._staged is None:
            do(*arguments)
        else:
            self._staged.append(partial(do, *arguments))

    # The statements of worker.sql

    def _register(self, worker_id, lease_s, open_since_us, version, addresses):
        books = self._server.books
        known = books.workers.get(worker_id)
        books.workers[worker_id] = Registered(
            worker_id,
            known.started_at_us if known else books.now_us(),
            books.now_us() + int(lease_s * 1e6),
            open_since_us,
            version,
            tuple(addresses),
        )

    def _renew(self, worker_id, lease_s, open_since_us):
        known = self._server.books.workers.get(worker_id)
        if known is None:
            return None
        known.lease_until_us = self._server.books.now_us() + int(lease_s * 1e6)
        known.open_since_us = open_since_us
        return worker_id

    def _leave(self, worker_id):
        self._later(self._server.books.workers.pop, worker_id, None)

    def _abandon(self, worker_id, open_since_us):
        known = self._server.books.workers.get(worker_id)
        if known is not None:
            known.lease_until_us, known.open_since_us = self._server.books.now_us(), open_since_us

    def _expire(self, worker_id):
        known = self._server.books.workers.get(worker_id)
        if known is not None:
            known.lease_until_us = min(known.lease_until_us, self._server.books.now_us())

    def _workers(self):
        now_us = self._server.books.now_us()
        return [
            {
                "id": one.id,
                "started_at": one.started_at_us,
                "lease_until": one.lease_until_us,
                "open_since": one.open_since_us,
                "version": one.version,
                "addresses": one.addresses,
                "is_dead": one.lease_until_us <= now_us,
            }
            for one in sorted(
                self._server.books.workers.values(), key=lambda one: (one.started_at_us, one.id)
            )
        ]

    def _seize(self, worker_id):
        known = self._server.books.workers.get(worker_id)
        if known is None or known.lease_until_us > self._server.books.now_us():
            return None
        if self._is_over or self.process.is_dead:
            return None
        if not self._server.lock(worker_id, self):
            return None
        self._has_locked = True
        return known.open_since_us

    def _answer_for(self, worker_id, since_us):
        known = self._server.books.workers.get(worker_id)
        if known is None:
            return None

        def lower():
            known.open_since_us = min(known.open_since_us, since_us)

        self._later(lower)
        return worker_id

    def _relabel(self, dead_id, worker_id, since_us):
        lead_ids = self._server.books.left_by(dead_id, since_us)
        self._taker = worker_id

        def relabel():
            for lead_id in lead_ids:
                self._server.books.leads[lead_id].worker_id = worker_id

        self._later(relabel)
        return [{"lead_id": lead_id} for lead_id in lead_ids]


def rows_of(lead: OpenLead) -> list[dict[str, Any]]:
    """Return the rows of the statement `open_leads`, one for each award, at least one."""
    common = {
        **lead_columns(lead.row),
        "lead_id": lead.lead_id,
        "worker": lead.worker_id,
        "last_number": lead.last_number,
        "pending": lead.pending,
        "sale_id": None,
    }
    awards = [
        {
            "sale_id": award.sale_id,
            "offer": award.offer_id,
            "buyer": award.buyer_id,
            "award_price": award.price,
            "payout": award.payout,
            "currency": award.currency,
            "held_at": award.held_at_us,
            "bid_id": award.bid_id,
            "ping_id": award.ping_id,
            "stage": award.stage,
            "post": award.post,
            "wrapped_key": b"",
        }
        for award in lead.awards
    ]
    return [{**common, **award} for award in awards] or [common]


def lead_columns(row: LeadRow) -> dict[str, Any]:
    """Return a lead's row under the names of its columns."""
    renamed = {"seller_id": "seller", "campaign_id": "campaign", "source_id": "source",
               "vertical_id": "vertical", "received_at_us": "received_at",
               "answer_by_us": "answer_by"}  # fmt: skip
    return {renamed.get(name, name): value for name, value in msgspec.structs.asdict(row).items()}
