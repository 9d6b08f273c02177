"""How many of what sellers brought had come before: read for a report, beside the sales."""

import asyncio
from collections.abc import Sequence

import asyncpg
import msgspec

from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.errors import TooMuchToCount
from exchange.ledger.recount import lowest_id

STATEMENTS = sql.read("duplicates.sql")
COUNTS_WITHIN_S = 30.0
"""All that came in a long time is looked through; nobody's sale waits for that."""
ANSWERS_WITHIN_S = COUNTS_WITHIN_S + 5
CLOCKS_US = 3_600_000_000
"""By so much a sale's id may be older than its lead's, which another worker named by its clock."""


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one source brought, and how much of it had come before."""

    seller_id: str
    source_id: str
    posts: int
    """Leads, and what was merged into one."""
    repeated_posts: int
    """Of these, duplicates by the campaign's own check."""
    pings: int
    repeated_pings: int
    offered: int
    """Posts of its leads that a buyer took or refused."""
    known: int
    """Of these, refused because the buyer has the person already."""


class DuplicateBooks:
    """Counts duplicates by source."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._one_by_one = asyncio.Lock()

    async def by_source(
        self, since_us: int, within_s: float = COUNTS_WITHIN_S
    ) -> Sequence[SourceRow]:
        """Return every source of which something came since then, by seller and source.

        One at a time in a worker: each takes one of a few connections for as long as it counts.
        Errors: LedgerUnavailable; TooMuchToCount where the server was not through in time.
        """
        ids = lowest_id(since_us), lowest_id(since_us - CLOCKS_US)
        limit_ms = f"{within_s * 1000:.0f}"
        async with self._one_by_one, self._connections.use(ANSWERS_WITHIN_S) as connection:
            try:
                async with connection.transaction(readonly=True):
                    # The server itself ends it: one whose client is gone would count on.
                    await connection.execute(STATEMENTS["within"], limit_ms)
                    rows = await connection.fetch(STATEMENTS["by_source"], *ids)
            except asyncpg.QueryCanceledError:
                raise TooMuchToCount(seconds=f"{within_s:g}") from None
        return [
            SourceRow(
                seller_id=row["seller"],
                source_id=row["source"],
                posts=row["posts"],
                repeated_posts=row["repeated_posts"],
                pings=row["pings"],
                repeated_pings=row["repeated_pings"],
                offered=row["offered"],
                known=row["known"],
            )
            for row in rows
        ]
