"""What one caller waits for: rows that are written together, once, or not at all."""

import asyncio
from collections.abc import Callable

import structlog

from exchange.domain.ids import LeadId
from exchange.ledger.errors import LedgerError, LedgerUnavailable, MomentRefused, RejectionRefused
from exchange.ledger.rows import Row, Table

logger = structlog.get_logger(__name__)


class Entry:
    """Rows that stand or fall together, and who waits for them."""

    __slots__ = ("doubted", "key", "queued_at", "rows", "sent", "waiter", "write")

    def __init__(
        self,
        write: int,
        key: tuple[LeadId, int] | None,
        rows: list[tuple[int, Row]],
        doubted: Callable[["Entry"], None] = lambda _entry: None,
    ) -> None:
        self.write = write
        self.key = key
        """A moment's lead and number; None for what nobody else could write."""
        self.rows = rows
        self.doubted = doubted
        """Told where somebody waited, and heard that this may be written or not."""
        self.sent = False
        """It may have been written by a flush whose answer never came."""
        self.queued_at = 0.0
        self.waiter: asyncio.Future[bool]

    def settle(self, *, written: bool) -> None:
        """Tell who waits, if they still do."""
        if not self.waiter.done():
            self.waiter.set_result(written)

    def refuse(self, problem: str) -> None:
        """Tell who waits that this cannot be held, and log it: it should not have come so far."""
        if self.key is None:
            logger.error("rejection refused", problem=problem)
            self.fail(RejectionRefused(problem=problem))
            return
        lead_id, number = self.key
        logger.error("moment refused", lead_id=lead_id, number=number, problem=problem)
        self.fail(MomentRefused(lead_id=lead_id, number=number, problem=problem))

    def fail(self, error: LedgerError) -> None:
        """Tell who waits, if they still do."""
        if not self.waiter.done():
            if self.sent and isinstance(error, LedgerUnavailable):
                self.doubted(self)
            self.waiter.set_exception(error)


def order(entry: Entry) -> tuple[str, int]:
    """Return what flushes are sorted by."""
    return entry.key or ("", 0)


def arrays(entries: list[Entry]) -> list[list[Row]]:
    """Return the rows of all entries, one array for each table."""
    tables: list[list[Row]] = [[] for _ in Table]
    for entry in entries:
        for table, row in entry.rows:
            tables[table].append(row)
    return tables
