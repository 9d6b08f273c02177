"""How many of what each source brought had come before, by the exchange's check and by buyers'."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from exchange.contract.duplicate_reports import (
    DuplicatesReport,
    RepeatedOut,
    SourceDuplicatesOut,
)
from exchange.contract.timeline import share, utc_text
from exchange.ledger.duplicates import SourceRow

PPM = 1_000_000


class Duplicates(Protocol):
    """What sources brought, and how much of it had come before."""

    async def by_source(self, since_us: int) -> Sequence[SourceRow]:
        """Return every source of which something came since then, by seller and source."""


async def duplicates_report(books: Duplicates, since_us: int) -> DuplicatesReport:
    """Return what every source brought since then, and how much of it had come before.

    Errors: LedgerUnavailable, TooMuchToCount.
    """
    rows = await books.by_source(since_us)
    return DuplicatesReport(since=utc_text(since_us), sources=tuple(map(source, rows)))


def source(row: SourceRow) -> SourceDuplicatesOut:
    """Return one source as it is told."""
    return SourceDuplicatesOut(
        seller=row.seller_id,
        source=row.source_id,
        submissions=repeated(row.posts, row.repeated_posts),
        pings=repeated(row.pings, row.repeated_pings),
        sales=repeated(row.offered, row.known),
    )


def repeated(all_of_them: int, duplicates: int) -> RepeatedOut:
    """Return how many of so many had come before."""
    return RepeatedOut(all=all_of_them, duplicates=duplicates, rate=rate(duplicates, all_of_them))


def rate(part: int, whole: int) -> Decimal | None:
    """Return a part of a whole, to the nearest millionth; None of nothing."""
    return share(round(part * PPM / whole)) if whole else None
