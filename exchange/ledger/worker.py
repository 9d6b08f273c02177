"""Leases: which worker answers for which open leads, and who takes them when it is gone."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

import msgspec
import structlog

from exchange.domain.ids import LeadId
from exchange.domain.message import MessageRow
from exchange.domain.moment import LeadEnd
from exchange.ledger import sql
from exchange.ledger.archive import STATEMENTS as READING
from exchange.ledger.connections import Connections
from exchange.ledger.errors import LeaseLost, LedgerUnavailable
from exchange.ledger.stored import OpenLead
from exchange.ledger.stored_rows import lead_end, open_leads
from exchange.ledger.unheard import Unheard
from exchange.ledger.vault import Vault

STATEMENTS = sql.read("worker.sql")

SLACK_US = 600_000_000
"""So much earlier than now open leads are looked for, though none is known: one may just arrive,
and carry a time that is long past where the worker's clock was set back meanwhile."""

TAKE_OVER_TIMEOUT_S = 30.0

Owed = Callable[[str, LeadEnd], MessageRow | None]
"""Makes the message in which this seller is told such an end; None where it asks for none."""

logger = structlog.get_logger(__name__)


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that sells, as it registered itself."""

    worker_id: str
    started_at_us: int
    lease_until_us: int
    open_since_us: int
    version: str
    addresses: tuple[str, ...]
    is_dead: bool
    """Its lease ran out, by the database's clock."""


async def expire(connection: Any, worker_id: str) -> None:
    """End the lease of a worker whose process is gone for certain: others need not wait for it.

    What it still has under way in the database stands or falls as always: its row is locked by
    whoever writes under it, and gone once somebody took over.
    """
    await connection.execute(STATEMENTS["expire"], worker_id)


class Leases:
    """One worker's lease, and the open leads that it answers for."""

    def __init__(
        self,
        connections: Connections,
        worker_id: str,
        vault: Vault,
        now_us: Callable[[], int],
        *,
        lease_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.worker_id = worker_id
        self.unheard = Unheard()
        """To be given to this worker's ledger, which says what it writes."""
        self.in_question: set[LeadId] = set()
        """Leads of a take-over whose answer was lost: they may be ours, and are answered for."""
        self._connections = connections
        self._vault = vault
        self._now_us = now_us
        self._lease_s = lease_s
        self._monotonic = monotonic
        self._renewed_at = -inf
        self._trusting_from = -inf
        """From when on a lease that ran out means a worker that is gone."""
        self._open: dict[LeadId, int] = {}
        # A renewal must not raise open_since while a take-over is lowering it.
        self._turn = asyncio.Lock()

    def opened(self, lead_id: LeadId, received_at_us: int) -> None:
        """Answer for this lead from now on; call it before the lead's first moment is committed."""
        self._open[lead_id] = received_at_us

    def closed(self, lead_id: LeadId) -> None:
        """Answer for it no more: its end is written, and told or on its way to be."""
        self._open.pop(lead_id, None)
        self.unheard.heard(lead_id)

    @property
    def open_since_us(self) -> int:
        """When the oldest open lead came, ten minutes ago at the latest: clocks may go back."""
        return min(self._open.values(), default=self._now_us()) - SLACK_US

    async def register(self, version: str, addresses: Sequence[str]) -> None:
        """Take a lease; without one the ledger takes no moment of this worker."""
        async with self._turn, self._connections.use() as connection:
            await connection.execute(
                STATEMENTS["register"],
                self.worker_id,
                self._lease_s,
                self.open_since_us,
                self.unheard.since,
                version,
                list(addresses),
            )
            self._renewed_at = self._monotonic()

    async def renew(self) -> bool:
        """Keep the lease; False if it was lost, and with it all that this worker answered for."""
        try:
            async with self._turn, self._connections.use() as connection:
                mine = await connection.fetchval(
                    STATEMENTS["renew"],
                    self.worker_id,
                    self._lease_s,
                    self.open_since_us,
                    self.unheard.since,
                )
        except LedgerUnavailable:
            self._trusting_from = inf
            raise
        now = self._monotonic()
        if self._trusting_from == inf or now - self._renewed_at > self._lease_s:
            self._trusting_from = now + self._lease_s
        self._renewed_at = now
        return mine is not None

    @property
    def trusts_leases(self) -> bool:
        """Whether a lease that ran out means a worker that is gone.

        Who could not renew in time itself, for an outage of the database or of the whole machine,
        cannot know: the others may be as healthy. It renews for as long as a lease lasts first, in
        which all who live renew, too.
        """
        now = self._monotonic()
        return now >= self._trusting_from and now - self._renewed_at <= self._lease_s

    async def keep(self) -> None:
        """Renew the lease in time, through outages; return only once it was lost."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            try:
                if not await self.renew():
                    logger.error("lease lost", worker_id=self.worker_id)
                    return
            except LedgerUnavailable:
                logger.warning("lease not renewed", worker_id=self.worker_id)

    async def deregister(self) -> None:
        """Give the lease back; leads that are still open are anybody's at once."""
        async with self._turn, self._connections.use() as connection:
            if self._open:
                await connection.execute(
                    STATEMENTS["abandon"], self.worker_id, self.open_since_us, self.unheard.since
                )
            else:
                await connection.execute(STATEMENTS["leave"], self.worker_id)

    async def workers(self) -> list[Worker]:
        """Return all who hold a lease or let it run out, the oldest first."""
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["workers"])
        return [
            Worker(
                worker_id=str(row["id"]),
                started_at_us=row["started_at"],
                lease_until_us=row["lease_until"],
                open_since_us=row["open_since"],
                version=row["version"],
                addresses=tuple(row["addresses"]),
                is_dead=row["is_dead"],
            )
            for row in rows
        ]

    async def dead_workers(self) -> list[Worker]:
        """Return those whose lease ran out and whom nobody took over yet; none after an outage."""
        if not self.trusts_leases:
            return []
        return [
            worker
            for worker in await self.workers()
            if worker.is_dead and worker.worker_id != self.worker_id
        ]

    async def is_gone(self, worker_id: str) -> bool:
        """Tell whether this one has no lease any more: what it began, others end.

        Errors: LedgerUnavailable.
        """
        if worker_id == self.worker_id or not self.trusts_leases:
            return False
        return all(one.is_dead for one in await self.workers() if one.worker_id == worker_id)

    async def take_over(self, dead_id: str, owed: Owed | None = None) -> list[OpenLead] | None:
        """Answer for a dead worker's open leads from now on; None if it lives, or is another's.

        Of all who try, one succeeds. The dead worker is forgotten: should it wake up, it can
        write nothing more. `owed` makes the messages of the ends that it may have written without
        having heard so, for it may have told `pending`; they stand or fall with the take-over.
        Raises LeaseLost if this worker has no lease itself; after any other failure its leads may
        be `in_question`.
        """
        leads: list[OpenLead] = []
        try:
            return await self._take(dead_id, leads, owed)
        except LedgerUnavailable:
            self.in_question |= {lead.lead_id for lead in leads}
            raise

    async def _take(
        self, dead_id: str, leads: list[OpenLead], owed: Owed | None
    ) -> list[OpenLead] | None:
        """Take over in one transaction; `leads` has what may be ours from before its commit."""
        async with (
            self._turn,
            self._connections.use(TAKE_OVER_TIMEOUT_S) as connection,
            connection.transaction(),
        ):
            since_us = await connection.fetchval(STATEMENTS["seize"], dead_id)
            if since_us is None:
                return None
            if not await connection.fetchval(STATEMENTS["answer_for"], self.worker_id, since_us):
                raise LeaseLost(worker_id=self.worker_id)
            relabelled = await connection.fetch(
                STATEMENTS["relabel"], dead_id, self.worker_id, since_us
            )
            if owed is not None:
                unheard = await connection.fetch(STATEMENTS["unheard"], dead_id, since_us)
                await self._tell(connection, unheard, owed)
            lead_ids = [row["lead_id"] for row in relabelled]
            rows = await connection.fetch(READING["open_leads"], lead_ids)
            await connection.execute(STATEMENTS["leave"], dead_id)
            leads += open_leads(rows, self._vault)
            self._open |= {lead.lead_id: lead.received_at_us for lead in leads}
        return leads

    async def _tell(self, connection: Any, unheard: Iterable[Any], owed: Owed) -> None:
        """Write the messages of these ends: the worker's seller may have heard `pending`."""
        told = []
        for row in unheard:
            end = lead_end(row)
            assert end is not None, "it was found by its end"
            message = owed(row["seller"], end)
            if message is not None:
                told.append((message.id, message.recipient, message.topic, row["lead_id"]))
        if told:
            await connection.execute(STATEMENTS["tell"], *zip(*told, strict=True))
            logger.info("ends told after all", messages=len(told))
