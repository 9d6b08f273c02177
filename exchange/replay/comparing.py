"""What leads came to, added up, and what differs between two ways of selling them; pure."""

from collections.abc import Iterable, Sequence
from math import ceil

import msgspec

from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus
from exchange.replay.recorded import Recorded, Sums

SOLD = LeadStatus.SOLD.value
ALL = ""
"""The name of what is true of all campaigns together."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What some leads came to."""

    leads: int = 0
    sold: int = 0
    sales: int = 0
    revenue: Micros = Micros(0)
    payout: Micros = Micros(0)
    margin: Micros = Micros(0)
    p50_ms: float = 0.0
    p95_ms: float = 0.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign, or all: as it was written, sold again as it was, and as it would be."""

    campaign: str
    currency: str
    recorded: Totals
    before: Totals
    after: Totals

    @property
    def difference(self) -> Totals:
        """What the change brings, or costs."""
        return less(self.after, self.before)


def totals(ends: Iterable[Sums]) -> Totals:
    """Add up what leads came to."""
    those = list(ends)
    times = sorted(one.ms for one in those)
    return Totals(
        leads=len(those),
        sold=sum(1 for one in those if one.status == SOLD),
        sales=sum(one.sales for one in those),
        revenue=Micros(sum(one.revenue for one in those)),
        payout=Micros(sum(one.payout for one in those)),
        margin=Micros(sum(one.margin for one in those)),
        p50_ms=percentile(times, 50),
        p95_ms=percentile(times, 95),
    )


def percentile(times: Sequence[float], percent: int) -> float:
    """Return the least of these sorted times that so many percent do not exceed; 0 of none."""
    if not times:
        return 0.0
    return round(times[max(0, ceil(len(times) * percent / 100) - 1)], 3)


def less(one: Totals, other: Totals) -> Totals:
    """Return one less the other, number by number."""
    return Totals(
        leads=one.leads - other.leads,
        sold=one.sold - other.sold,
        sales=one.sales - other.sales,
        revenue=Micros(one.revenue - other.revenue),
        payout=Micros(one.payout - other.payout),
        margin=Micros(one.margin - other.margin),
        p50_ms=round(one.p50_ms - other.p50_ms, 3),
        p95_ms=round(one.p95_ms - other.p95_ms, 3),
    )


def rows(
    leads: Sequence[Recorded],
    ends: Sequence[tuple[Sums, Sums]],
    currencies: dict[str, str],
) -> list[Row]:
    """Return a row for each campaign, then one for all where they have one currency.

    `ends`: of each lead, what came of it as it was, and as it would be.
    """
    found = []
    names = sorted({lead.campaign_id for lead in leads})
    for name in [*names, *([ALL] if len(set(currencies.values())) <= 1 else [])]:
        those = [n for n, lead in enumerate(leads) if name in {ALL, lead.campaign_id}]
        found.append(
            Row(
                campaign=name,
                currency=currencies.get(name) or next(iter(currencies.values()), ""),
                recorded=totals(leads[n].end for n in those),
                before=totals(ends[n][0] for n in those),
                after=totals(ends[n][1] for n in those),
            )
        )
    return found
