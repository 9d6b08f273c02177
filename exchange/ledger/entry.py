"""What one caller waits for: rows that are written together, once, or not at all."""

import asyncio
from collections.abc import Sequence

import structlog

from exchange.domain.moment import Moment
from exchange.ledger.errors import LedgerError, LedgerUnavailable, MomentRefused, RejectionRefused
from exchange.ledger.rows import Packed, together

logger = structlog.get_logger(__name__)


class Entry:
    """Rows that stand or fall together, and who waits for them."""

    __slots__ = ("doubtful", "moment", "packed", "queued_at", "sent", "waiter", "write")

    def __init__(
        self, write: int, moment: Moment | None, packed: Packed, doubtful: "Doubtful"
    ) -> None:
        self.write = write
        self.moment = moment
        """None for a rejection, which nobody else could write."""
        self.packed = packed
        self.doubtful = doubtful
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
        moment = self.moment
        if moment is None:
            logger.error("rejection refused", problem=problem)
            self.fail(RejectionRefused(problem=problem))
            return
        lead_id, number = moment.lead_id, moment.number
        logger.error("moment refused", lead_id=lead_id, number=number, problem=problem)
        self.fail(MomentRefused(lead_id=lead_id, number=number, problem=problem))

    def fail(self, error: LedgerError) -> None:
        """Tell who waits, if they still do."""
        if not self.waiter.done():
            if self.sent and isinstance(error, LedgerUnavailable):
                self.doubtful.keep(self)
            self.waiter.set_exception(error)


class Doubtful:
    """Entries of whose moments somebody heard that they may be written or not, the latest."""

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._kept: dict[tuple[str, int], Entry] = {}

    def keep(self, entry: Entry) -> None:
        """Keep the entry of a moment: under its own count the same value is recognized."""
        if entry.moment is not None:
            self._kept[order(entry)] = entry
            if len(self._kept) > self._kept_max:
                del self._kept[next(iter(self._kept))]

    def take(self, moment: Moment) -> Entry | None:
        """Return the entry under which this very value may have been written already."""
        if not self._kept:
            return None
        key = moment.lead_id, moment.number
        entry = self._kept.get(key)
        if entry is None or entry.moment is not moment:
            return None
        return self._kept.pop(key)


def order(entry: Entry) -> tuple[str, int]:
    """Return what flushes are sorted by: a moment's lead and number."""
    moment = entry.moment
    return ("", 0) if moment is None else (moment.lead_id, moment.number)


def arguments(entries: Sequence[Entry]) -> tuple[object, ...]:
    """Return what commit.sql takes beside the worker: $2 to $6."""
    moments = [entry.packed for entry in entries if entry.moment is not None]
    rejections = [entry.packed.text for entry in entries if entry.moment is None]
    return (
        together([packed.text for packed in moments]),
        [packed.record for packed in moments],
        [packed.post for packed in moments],
        [packed.capture for packed in moments],
        together(rejections),
    )
