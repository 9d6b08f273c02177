"""Connections under the product's own leases: they know the statements of worker.sql by text."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from exchange.domain.message import MessageRow
from exchange.domain.moment import LeadRow
from exchange.ledger import worker
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import OpenLead
from tests.simulation.books import Registered
from tests.simulation.loop import Process
from tests.simulation.server import Server

STATEMENTS = {text: name for name, text in worker.STATEMENTS.items()}
NOT_SELLING = 2**63 - 1
"""The epoch of a worker that does not sell yet: nobody waits for it."""

OPEN_LEADS = worker.READING["open_leads"]


class OpenVault:
    """Seals nothing: nobody but the auditor looks into these books."""

    def open(self, sealed: Any, aad: bytes) -> bytes:
        del aad
        return sealed.sealed

    def derive(self, name: str) -> bytes:
        return name.encode().ljust(32, b".")


async def asked(
    process: Process, server: Server, do: Any, timeout_s: float, locked: str | None = None
) -> Any:
    """Return what the server answers to one statement; raise LedgerUnavailable.

    `locked`: it waits while another one holds this worker's row.
    """
    answer: asyncio.Future[Any] = process.create_future()

    def answered(value: Any) -> None:
        if not answer.done():
            if isinstance(value, Exception):
                answer.set_exception(value)
            else:
                answer.set_result(value)

    def broken() -> None:
        if not answer.done():
            answer.set_exception(LedgerUnavailable())

    server.ask(process, do, answered, broken, locked=locked)
    timer = process.call_later(timeout_s, broken)
    try:
        return await answer
    finally:
        timer.cancel()


class SimulatedConnections:
    """What exchange.ledger.worker asks of its connections."""

    def __init__(self, process: Process, server: Server, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._process = process
        self.server = server

    @asynccontextmanager
    async def use(self, timeout_s: float | None = None) -> AsyncIterator["Connection"]:
        until = self._process.time() + (timeout_s or self.limits.timeout_s)
        connection = Connection(self._process, self.server, until)
        try:
            yield connection
        finally:
            connection.terminate()


class Connection:
    """One connection; in a transaction nothing counts before its end."""

    def __init__(self, process: Process, server: Server, until: float) -> None:
        self.process = process
        self.server = server
        self._until = until
        self._staged: list[Any] | None = None
        self._taker = ""
        self._life = server.life
        self._is_over = False
        self._has_locked = False
        self.asked_at = process.time()
        self.is_ended = False
        """By the server."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._staged = []
        yield
        staged, self._staged = self._staged, None
        await self.ask(partial(self._commit, staged))

    def _commit(self, staged: list[Any]) -> None:
        if self._has_locked and self not in self.server.locks.values():
            raise LedgerUnavailable  # a restart of the server rolled it back
        for do in staged:
            do()
        self.server.unlock(self)

    def lock_session(self, name: str) -> bool:
        """Take a lock that lasts as long as the connection, unless somebody has it."""
        if self._is_over or self.process.is_dead:
            return False
        return self.server.lock(name, self)

    def terminate(self) -> None:
        """Leave; what is not committed never happened, what is still on its way locks nothing."""
        self._is_over = True
        self.server.world.call_later(self.server.delay_s(), self.server.unlock, self)

    async def execute(self, statement: str, *arguments: Any) -> Any:
        # Changing a row waits for whoever holds it.
        locked = arguments[0] if STATEMENTS.get(statement) == "answer_for" else None
        return await self.ask(partial(self._do, statement, arguments), locked)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return await self.execute(statement, *arguments)

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.execute(statement, *arguments)

    async def ask(self, do: Any, locked: str | None = None) -> Any:
        if self.is_ended or self._life != self.server.life:
            raise LedgerUnavailable  # it broke when the server died
        self.asked_at = self.process.time()
        return await asked(self.process, self.server, do, self._until - self.process.time(), locked)

    def _do(self, statement: str, arguments: tuple[Any, ...]) -> Any:
        if statement == OPEN_LEADS:
            leads = self.server.books.open_leads(*arguments, self._taker or None)
            return [row for lead in leads for row in rows_of(lead)]
        return getattr(self, f"_{STATEMENTS[statement]}")(*arguments)

    def _later(self, do: Any, *arguments: Any) -> None:
        if self._staged is None:
            do(*arguments)
        else:
            self._staged.append(partial(do, *arguments))

    # The statements of worker.sql

    def _register(self, worker_id, lease_s, open_since_us, unheard_since, version, addresses):
        books = self.server.books
        known = books.workers.get(worker_id)
        books.workers[worker_id] = Registered(
            worker_id,
            known.started_at_us if known else books.now_us(),
            books.now_us() + int(lease_s * 1e6),
            open_since_us,
            version,
            tuple(addresses),
            known.epoch if known else NOT_SELLING,
            unheard_since,
        )

    def _renew(self, worker_id, lease_s, open_since_us, unheard_since):
        known = self.server.books.workers.get(worker_id)
        if known is None:
            return None
        known.lease_until_us = self.server.books.now_us() + int(lease_s * 1e6)
        known.open_since_us, known.unheard_since = open_since_us, unheard_since
        return worker_id

    def _leave(self, worker_id):
        self._later(self.server.books.workers.pop, worker_id, None)

    def _abandon(self, worker_id, open_since_us, unheard_since):
        known = self.server.books.workers.get(worker_id)
        if known is not None:
            known.lease_until_us, known.open_since_us = self.server.books.now_us(), open_since_us
            known.unheard_since = unheard_since

    def _expire(self, worker_id):
        known = self.server.books.workers.get(worker_id)
        if known is not None:
            known.lease_until_us = min(known.lease_until_us, self.server.books.now_us())

    def _workers(self):
        now_us = self.server.books.now_us()
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
                self.server.books.workers.values(), key=lambda one: (one.started_at_us, one.id)
            )
        ]

    def _seize(self, worker_id):
        known = self.server.books.workers.get(worker_id)
        if known is None or known.lease_until_us > self.server.books.now_us():
            return None
        if self._is_over or self.process.is_dead:
            return None
        if not self.server.lock(worker_id, self):
            return None
        self._has_locked = True
        return known.open_since_us

    def _answer_for(self, worker_id, since_us):
        known = self.server.books.workers.get(worker_id)
        if known is None or self._is_over or self.process.is_dead:
            return None
        self.server.kept[worker_id] = self

        def lower():
            known.open_since_us = min(known.open_since_us, since_us)

        self._later(lower)
        return worker_id

    def _relabel(self, dead_id, worker_id, since_us):
        lead_ids = self.server.books.left_by(dead_id, since_us)
        self._taker = worker_id

        def relabel():
            for lead_id in lead_ids:
                self.server.books.leads[lead_id].worker_id = worker_id

        self._later(relabel)
        return [{"lead_id": lead_id} for lead_id in lead_ids]

    def _unheard(self, dead_id, since_us):
        return [
            {"lead_id": lead_id, "seller": lead.row.seller_id, **msgspec.structs.asdict(lead.end)}
            for lead_id, lead in self.server.books.unheard(dead_id, since_us)
        ]

    def _tell(self, message_ids, recipients, topics, lead_ids):
        for message_id, recipient, topic, lead_id in zip(
            message_ids, recipients, topics, lead_ids, strict=True
        ):
            self._later(self.server.books.owe, lead_id, MessageRow(message_id, recipient, topic))


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
            "buyers_max": award.buyers_max,
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
