"""What was written, read back: leads, timelines, money, and what was sealed, in clear."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from exchange.domain.events import Event, Merged
from exchange.domain.ids import LeadId
from exchange.domain.message import MessageRow
from exchange.domain.moment import QuoteRow
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus
from exchange.ledger import sql
from exchange.ledger.check import Rules, violations
from exchange.ledger.connections import Connections
from exchange.ledger.rows import FieldFault, Rejection, place
from exchange.ledger.stored import (
    Balance,
    Capture,
    Erasure,
    OpenLead,
    Part,
    StoredLead,
    Violation,
)
from exchange.ledger.stored_rows import open_leads, quote_row, stored_lead, stored_part
from exchange.ledger.vault import Sealed, Vault

STATEMENTS = sql.read("reading.sql")
EVENTS = msgspec.json.Decoder(list[Event])
NO_LEAD = "00000000-0000-0000-0000-000000000000"
RECORDS_AT_ONCE = 500
PARTS_MAX = 1000
"""Of one lead that are read: who posts a person without end shall not make its lead unreadable."""
FAULTS = msgspec.json.Decoder(tuple[FieldFault, ...])


class Archive:
    """Reads the ledger; every method raises LedgerUnavailable within the limit of every call."""

    def __init__(self, connections: Connections, vault: Vault) -> None:
        self.connections = connections
        self._vault = vault

    async def lead(self, lead_id: LeadId) -> StoredLead | None:
        """Return the lead as it stands now; None where no lead was written under this id.

        What was merged into another lead is told as the duplicate that its seller heard of.
        """
        async with self.connections.use() as connection:
            rows: list[Any] = await connection.fetch(STATEMENTS["lead"], lead_id)
            if rows:
                return stored_lead(rows, self._vault)
            part = await connection.fetchrow(STATEMENTS["submission"], lead_id)
        return None if part is None else stored_part(part)

    async def merged(self, lead_id: LeadId) -> tuple[Part, ...]:
        """Return what is part of this lead, in the order in which it came; the first thousand."""
        return tuple(
            Part(
                row["received_at"],
                Merged(
                    lead_id=LeadId(str(row["lead_id"])),
                    seller_id=row["seller"],
                    source_id=row["source"],
                    channel=row["channel"],
                ),
            )
            for row in await self._fetch("merged", lead_id, PARTS_MAX)
        )

    async def open_lead(self, lead_id: LeadId) -> OpenLead | None:
        """Return what is needed to go on with a lead; None where it ended or never was."""
        rows = await self._fetch("open_leads", [lead_id])
        return next(iter(open_leads(rows, self._vault)), None)

    async def timeline(self, lead_id: LeadId) -> list[Event]:
        """Return everything that was written of the lead, in the order of its moments."""
        rows = await self._fetch("timeline", lead_id)
        return [event for row in rows for event in EVENTS.decode(row["events"])]

    async def quote(self, lead_id: LeadId) -> QuoteRow | None:
        """Return the ping that was answered under this id."""
        rows = await self._fetch("quote", lead_id)
        return quote_row(rows[0]) if rows else None

    async def is_used(self, lead_id: LeadId) -> bool:
        """Tell whether a quote cannot be posted any more: it was, or it is made sure of."""
        [row] = await self._fetch("is_used", lead_id)
        return bool(row["used"])

    async def record(self, lead_id: LeadId) -> bytes | None:
        """Return the latest full record in clear; None where there is none, or it was erased."""
        rows = await self._fetch("record", lead_id)
        return self._record(rows[0], lead_id) if rows else None

    async def records(self, lead_id: LeadId) -> list[bytes | None]:
        """Return the full records in clear, a quote's before its lead's; None for an erased one."""
        return [self._record(row, lead_id) for row in await self._fetch("records", lead_id)]

    def _record(self, row: Any, lead_id: LeadId) -> bytes | None:
        if row["wrapped_key"] is None:
            return None
        sealed = Sealed(row["sealed"], row["wrapped_key"])
        return self._vault.open(sealed, place("record", lead_id))

    async def captures(self, lead_id: LeadId) -> list[Capture]:
        """Return the exact requests and answers that are still kept and were not erased."""
        where = place("capture", lead_id)
        return [
            Capture(
                number=row["number"],
                at_us=row["at"],
                body=self._vault.open(Sealed(row["sealed"], row["wrapped_key"]), where),
            )
            for row in await self._fetch("captures", lead_id)
        ]

    async def erase(self, lead_id: LeadId, at_us: int, by: str) -> Erasure | None:
        """Make all that is sealed of this lead unreadable for good; None while it is being sold.

        None, too, where nothing was ever written of it. Idempotent: returned is the first time.
        Nothing else changes: the timeline, the money and every digest of a sealed text stay.
        """
        async with self.connections.use() as connection, connection.transaction():
            return await self.erase_in(connection, lead_id, at_us, by)

    async def erase_in(
        self, connection: Any, lead_id: LeadId, at_us: int, by: str
    ) -> Erasure | None:
        """Do the same in a transaction: once it is over nothing of the person can be read.

        Whoever writes of it at the same time is waited for, or waits and knows.
        """
        await connection.execute(STATEMENTS["alone"], lead_id)
        rows = await connection.fetch(STATEMENTS["erase"], lead_id, at_us, by)
        return Erasure(at_us=rows[0]["at"], by=rows[0]["by"]) if rows else None

    async def records_of_all(self) -> AsyncIterator[tuple[LeadId, bytes]]:
        """Go through all full records that were not erased, in clear, a page at a time."""
        after: tuple[object, int] = (NO_LEAD, 0)
        while rows := await self._fetch("records_after", *after, RECORDS_AT_ONCE):
            for row in rows:
                lead_id = LeadId(str(row["lead_id"]))
                record = self._record(row, lead_id)
                if record is not None:
                    yield lead_id, record
            after = rows[-1]["lead_id"], rows[-1]["number"]

    async def owe(self, lead_id: LeadId, message: MessageRow) -> None:
        """Make sure that a lead's end is told in a message, where it was written without one."""
        await self._fetch("owe", message.id, message.recipient, message.topic, lead_id)

    async def balance(self, account: str) -> dict[str, Micros]:
        """Return by currency what came into the account less what left it."""
        return dict(await self._fetch("balance", account))

    async def balances(self, prefix: str = "") -> list[Balance]:
        """Return the balance of every account whose name begins so."""
        return [Balance(*row) for row in await self._fetch("balances", prefix)]

    async def sums(self) -> dict[str, Micros]:
        """Return by currency the sum of all postings: zero, or the books are wrong."""
        return dict(await self._fetch("sums"))

    async def counts(self, since_us: int = 0, *, test: bool = False) -> dict[LeadStatus, int]:
        """Return how many leads received since then stand how; test leads are counted apart."""
        rows = await self._fetch("counts", since_us, test)
        return {LeadStatus(row["status"]): row["leads"] for row in rows}

    async def rejections(self, seller_id: str, limit: int) -> list[Rejection]:
        """Return the seller's latest requests that were no leads, the newest first."""
        return [
            Rejection(
                seller_id=row["seller"],
                campaign_id=row["campaign"],
                at_us=row["at"],
                errors=FAULTS.decode(row["errors"]),
            )
            for row in await self._fetch("rejections", seller_id, limit)
        ]

    async def expire_captures(self, now_us: int, limit: int = 1000) -> int:
        """Delete captures whose time is over, at most `limit`; return how many went."""
        async with self.connections.use() as connection:
            status = await connection.execute(STATEMENTS["expire_captures"], now_us, limit)
        return int(status.rpartition(" ")[2])

    async def violations(self, rules: Rules) -> list[Violation]:
        """Return everything in the ledger that must not be."""
        return await violations(self.connections, rules)

    async def ping(self) -> None:
        """Return if the database answers; raise LedgerUnavailable if not."""
        async with self.connections.use() as connection:
            await connection.fetchval("SELECT 1")

    async def _fetch(self, name: str, *arguments: object) -> list[Any]:
        async with self.connections.use() as connection:
            rows: list[Any] = await connection.fetch(STATEMENTS[name], *arguments)
            return rows
