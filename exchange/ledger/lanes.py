"""Group commit: what gathers while one flush is being written is the next flush.

A lane is one connection and one flush at a time. An entry is written once, whatever becomes of
connections meanwhile: a flush whose connection broke is sent again on another one, and finds by the
worker's id and its count of writes what had arrived. A flush that was refused for its data is
halved until the entry to blame stands alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog

from exchange.ledger import sql
from exchange.ledger.connections import (
    Limits,
    connect,
    disconnect,
    is_refusal,
    problem,
)
from exchange.ledger.entry import Entry, arguments, order
from exchange.ledger.errors import LeaseLost, LedgerUnavailable

STATEMENTS = sql.read("commit.sql")

LANE_SETTINGS = {
    "synchronous_commit": "on",
    # The plan for arrays of any length; a planner that guesses ten rows would loop over pairs.
    "plan_cache_mode": "force_generic_plan",
    "enable_nestloop": "off",
}

STATEMENT_TIMEOUTS = 2
"""So many times a call's limit a statement may run on in the server once its connection was cut."""

logger = structlog.get_logger(__name__)


class Refused(Exception):  # noqa: N818 - raised and caught in this module only
    """The server, or the driver, refuses something in this flush."""


class GroupCommit:
    """Writes entries in as few statements as the traffic allows."""

    def __init__(self, dsn: str, worker_id: str, limits: Limits) -> None:
        self.dsn = dsn
        self.worker_id = worker_id
        self.limits = limits
        self.queue: deque[Entry] = deque()
        self.closing = False
        self.flushes = 0
        """How many statements were sent so far."""
        self.up = asyncio.Event()
        """Set while an entry would be taken."""
        self._lanes = [Lane(self) for _ in range(limits.lanes)]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_up(self) -> bool:
        """Tell whether an entry would be taken now."""
        return self.up.is_set()

    @property
    def waiting_s(self) -> float:
        """For how long the oldest entry has waited that no lane has taken yet."""
        if not self.queue:
            return 0.0
        return asyncio.get_running_loop().time() - self.queue[0].queued_at

    async def open(self) -> None:
        """Connect all lanes; raise LedgerUnavailable where that fails."""
        try:
            await asyncio.gather(*(lane.connect(self.limits.timeout_s) for lane in self._lanes))
        except LedgerUnavailable as error:
            for lane in self._lanes:
                lane.cut()
            if isinstance(error.__cause__, Exception) and is_refusal(error.__cause__):
                raise error.__cause__ from None  # no outage: these are not our tables
            raise
        self._tasks = [asyncio.create_task(lane.run()) for lane in self._lanes]

    async def close(self) -> None:
        """Write what still waits, or fail it within the limit of every call; then disconnect."""
        self.closing = True
        self.up.clear()
        for lane in self._lanes:
            lane.wake()
        await asyncio.gather(*self._tasks)
        self.fail_waiting()
        for lane in self._lanes:
            await lane.disconnect()

    def put(self, entry: Entry) -> "asyncio.Future[bool]":
        """Queue the entry; the future tells whether it was written. Raises LedgerUnavailable."""
        if not self.is_up or len(self.queue) >= self.limits.waiting_max:
            raise LedgerUnavailable
        loop = asyncio.get_running_loop()
        entry.queued_at = loop.time()
        entry.waiter = loop.create_future()
        self.queue.append(entry)
        if len(self.queue) == 1:
            self._wake_one()
        return entry.waiter

    def take(self) -> list[Entry]:
        """Return the next batch, oldest first."""
        queue = self.queue
        batch = [queue.popleft() for _ in range(min(len(queue), self.limits.batch_max))]
        if queue:
            self._wake_one()
        return batch

    def fail_waiting(self) -> None:
        """Fail what waits if no lane is left to write it; none of it was ever sent."""
        if any(lane.is_up for lane in self._lanes):
            return
        self.up.clear()
        while self.queue:
            self.queue.popleft().fail(LedgerUnavailable())

    def _wake_one(self) -> None:
        for lane in self._lanes:
            if lane.wake():
                return


class Lane:
    """One connection that writes one flush at a time."""

    def __init__(self, group: GroupCommit) -> None:
        self._group = group
        self._limits = group.limits
        self._connection: Any = None
        self._commit: Any = None
        self._idle: asyncio.Future[None] | None = None
        self._statement_timeout_ms = round(STATEMENT_TIMEOUTS * self._limits.timeout_s * 1000)
        self.is_up = False
        """It is connected, or has not given up yet."""

    def wake(self) -> bool:
        """Wake the lane if it sleeps for want of work; tell whether it did."""
        idle, self._idle = self._idle, None
        if idle is None or idle.done():
            return False
        idle.set_result(None)
        return True

    def cut(self) -> None:
        """Drop the connection without a word."""
        if self._connection is not None:
            self._connection.terminate()

    async def connect(self, timeout_s: float) -> None:
        """Replace the connection; raise LedgerUnavailable where that fails."""
        self.cut()
        self._connection = None
        settings = {**LANE_SETTINGS, "statement_timeout": str(self._statement_timeout_ms)}
        connection = await connect(self._group.dsn, timeout_s, **settings)
        try:
            async with asyncio.timeout(timeout_s):
                self._commit = await connection.prepare(STATEMENTS["commit"])
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):
                raise LedgerUnavailable from error
            raise
        connection.add_termination_listener(self._terminated)
        self._connection = connection
        self.is_up = True
        if not self._group.closing:
            self._group.up.set()

    async def disconnect(self) -> None:
        """Say good-bye to the server, or cut the connection where that takes long."""
        if self._connection is None or self._connection.is_closed():
            return
        self._connection.remove_termination_listener(self._terminated)
        await disconnect(self._connection)

    async def run(self) -> None:
        """Write whatever gathers, through outages, until the group closes."""
        group = self._group
        while True:
            if not self._is_connected():
                if group.closing:
                    self.is_up = False
                    return
                await self._recover()
            elif group.queue:
                await self._write(group.take())
            elif group.closing:
                return
            else:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle

    def _is_connected(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    def _terminated(self, connection: Any) -> None:
        if connection is self._connection:
            self.wake()

    async def _recover(self) -> None:
        """Connect again, however long it takes; what waits fails after the first vain attempt."""
        pause_s = self._limits.retry_s
        while not self._group.closing:
            try:
                await self.connect(self._limits.timeout_s)
            except LedgerUnavailable as error:
                self._give_up(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._limits.retry_max_s)
            else:
                logger.info("ledger connected again")
                return

    def _give_up(self, error: LedgerUnavailable) -> None:
        if self.is_up:
            logger.warning("ledger unavailable", cause=type(error.__cause__).__name__)
        self.is_up = False
        self._group.fail_waiting()

    async def _write(self, batch: list[Entry]) -> None:
        """Write the batch; every entry of it is settled or failed before its time is over."""
        until = batch[0].queued_at + self._limits.timeout_s
        # In one order everywhere, so that two flushes never wait for each other.
        batch.sort(key=order)
        parts = [batch]
        pause_s = 0.0
        while parts:
            part = parts.pop()
            try:
                await self._flush(part, until)
            except Refused as refused:
                if len(part) == 1:
                    part[0].refuse(str(refused))
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
            except LedgerUnavailable as error:
                parts.append(part)
                if not await self._reconnect(until, pause_s):
                    self._fail_all(parts, error)
                    return
                pause_s = max(self._limits.retry_s, 2 * pause_s)

    async def _reconnect(self, until: float, pause_s: float) -> bool:
        """Connect again before `until`, not sooner than the pause; False where the time is over."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(pause_s, max(0.0, until - loop.time())))
            if (left_s := until - loop.time()) <= 0:
                return False
            try:
                await self.connect(left_s)
            except LedgerUnavailable:
                pause_s = max(self._limits.retry_s, 2 * pause_s)
            else:
                return True

    def _fail_all(self, parts: list[list[Entry]], error: LedgerUnavailable) -> None:
        self.cut()
        for part in parts:
            for entry in part:
                entry.fail(LedgerUnavailable())
        self._give_up(error)

    async def _flush(self, part: list[Entry], until: float) -> None:
        """Send one statement and settle its entries; raise Refused or LedgerUnavailable."""
        connection = self._connection
        timer = asyncio.get_running_loop().call_at(until, connection.terminate)
        self._group.flushes += 1
        try:
            answer = await self._commit.fetchrow(self._group.worker_id, *arguments(part))
            written = set(answer["written"])
            doubtful = [e for e in part if e.sent and e.moment and e.write not in written]
            if doubtful:
                written |= await self._own(doubtful)
        except Exception as error:
            if is_refusal(error):
                raise Refused(problem(error)) from None
            for entry in part:
                entry.sent = True
            raise LedgerUnavailable from error
        finally:
            timer.cancel()
        self._settle(part, written, leased=answer["leased"])

    async def _own(self, entries: Sequence[Entry]) -> set[int]:
        """Return which of these an earlier flush of ours had written."""
        keys = [order(entry) for entry in entries]
        rows = await self._connection.fetch(
            STATEMENTS["own"],
            self._group.worker_id,
            [lead_id for lead_id, _ in keys],
            [number for _, number in keys],
            [entry.write for entry in entries],
        )
        return {row["write"] for row in rows}

    def _settle(self, part: list[Entry], written: set[int], *, leased: bool) -> None:
        for entry in part:
            if entry.write in written or (leased and entry.moment is None):
                entry.settle(written=True)
            elif leased:
                entry.settle(written=False)
            else:
                entry.fail(LeaseLost(worker_id=self._group.worker_id))
