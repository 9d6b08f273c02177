"""The ledger as a worker sees it, on simulated books: the contract of exchange.ledger."""

import asyncio
from collections import deque
from functools import partial
from typing import Any

import msgspec

from exchange.domain.ids import LeadId
from exchange.domain.moment import Moment
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LeaseLost, LedgerUnavailable, MomentRefused
from exchange.ledger.stored import OpenLead, Part, StoredLead
from exchange.ledger.unheard import Unheard
from tests.simulation.books import Refused
from tests.simulation.connections import asked
from tests.simulation.loop import Process
from tests.simulation.server import Server

FSYNC_S = 0.001


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
        self,
        process: Process,
        server: Server,
        worker_id: str,
        limits: Limits | None = None,
        unheard: Unheard | None = None,
    ) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.flushes = 0
        self._process = process
        self._server = server
        self._worker_id = worker_id
        self._limits = limits or Limits()
        self._unheard = unheard or Unheard()
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
            write = self._unheard.count()
            if moment.lead_end is not None:
                self._unheard.ends(moment.lead_id, write)
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

    async def merged(self, lead_id: LeadId) -> tuple[Part, ...]:
        return await self._read("merged", lead_id)

    async def quote(self, lead_id: LeadId) -> Any:
        return await self._read("quote", lead_id)

    async def is_used(self, lead_id: LeadId) -> bool:
        return await self._read("is_used", lead_id)

    async def records(self, lead_id: LeadId) -> list[bytes | None]:
        return await self._read("records", lead_id)

    async def record(self, lead_id: LeadId) -> bytes | None:
        records = await self.records(lead_id)
        return records[-1] if records else None

    async def owe(self, lead_id: LeadId, message: Any) -> None:
        await self._read("owe", lead_id, message)

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
