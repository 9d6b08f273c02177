"""What came of a run, asked of the stores, the buyers and the seller after it has ended."""

from collections import Counter
from collections.abc import Container, Iterable
from decimal import Decimal

import aiohttp
import msgspec

from exchange.demo.checks import (
    Books,
    against_books,
    against_heard,
    against_market,
    expected_settled,
    sold_twice,
    told_twice,
    unheard,
)
from exchange.demo.order import Heard
from exchange.demo.reading import Reading, Sums
from exchange.demo.tally import Tally
from exchange.domain.money import to_decimal
from exchange.domain.recounting import members_of
from exchange.domain.snapshot import Snapshot
from exchange.ledger.archive import Archive
from exchange.ledger.check import Rules
from exchange.ledger.stored import Violation
from exchange.market.market import Market
from exchange.market.standing import Standing

US_PER_S = 1_000_000
DOUBT_SLACK_S = 60
"""How much longer than its offer allows a sale may be in doubt before it is a violation."""

BOOKS = msgspec.json.Decoder(Books)


class Verdict(msgspec.Struct, frozen=True):
    """The whole run in numbers, and everything that must not be."""

    sums: Sums
    violations: tuple[Violation, ...]
    in_doubt: int
    """Sales that no buyer has decided yet."""
    notices: Counter[str] = msgspec.field(default_factory=Counter)
    """What buyers were told of their bids, how often."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of `exchange demo --json`."""

    leads: int
    sold: int
    unsold: int
    rejected: int
    duplicate: int
    pending: int
    pings: int
    bids: int
    posts: int
    revenue: Decimal
    payout: Decimal
    margin: Decimal
    p50_ms: float | None
    p99_ms: float | None
    overhead_p99_ms: float | None
    violations: tuple[Violation, ...]

    @property
    def is_good(self) -> bool:
        """Tell whether something was sold and nothing is wrong."""
        return self.sold > 0 and not self.violations


def result_of(verdict: Verdict, tally: Tally) -> Result:
    """Return what is told at the end: counts and money from the ledger, times from the seller."""
    sums, answers, own = verdict.sums, tally.answer_times(), tally.own_times()
    counts = sums.statuses
    return Result(
        leads=sum(counts.values()),
        sold=counts.get("sold", 0),
        unsold=counts.get("unsold", 0),
        rejected=counts.get("rejected", 0),
        duplicate=counts.get("duplicate", 0),
        pending=counts.get("pending", 0),
        pings=sums.pings,
        bids=sums.bids,
        posts=sums.posts,
        revenue=to_decimal(sums.revenue),
        payout=to_decimal(sums.payout),
        margin=to_decimal(sums.revenue) - to_decimal(sums.payout),
        p50_ms=rounded(answers.p50),
        p99_ms=rounded(answers.p99),
        overhead_p99_ms=rounded(own.p99),
        violations=verdict.violations,
    )


def rounded(ms: float | None) -> float | None:
    """Return a duration to the microsecond."""
    return None if ms is None else round(ms, 3)


async def read_books(base_url: str) -> Books:
    """Return what the fleet's buyers believe. Raises aiohttp.ClientError."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{base_url}/_fleet/books", raise_for_status=True) as response,
    ):
        return BOOKS.decode(await response.read())


class Unrest(msgspec.Struct, frozen=True):
    """What has not come to its end yet."""

    is_moving: bool
    """Leads without an end that nobody was awarded, or holds of sales that are decided."""
    in_doubt: set[str]
    """Sales that only their buyers can end."""


class Court:
    """Judges a run once the exchange has ended and nothing moves any more."""

    def __init__(self, archive: Archive, reading: Reading, market: Market) -> None:
        self.archive = archive
        self.reading = reading
        self.market = market

    async def unrest(self, snapshot: Snapshot) -> Unrest:
        """Tell what still has to come to rest before a run can be judged."""
        open_sales = await self.reading.open_sales()
        standing = [await self.market.standing(buyer) for buyer in snapshot.buyers]
        held = {sale for one in standing for sale in one.holds}
        held -= of_quotes(standing, await self.reading.quoted())
        in_doubt = {sale for sale in open_sales if sale is not None}
        return Unrest(is_moving=None in open_sales or not held <= in_doubt, in_doubt=in_doubt)

    async def judge(
        self, snapshot: Snapshot, books: Books, heard: Iterable[Heard], at_us: int
    ) -> Verdict:
        """Return the run's numbers and every violation of what must always hold."""
        answers = tuple(heard)
        sales = await self.reading.sales()
        told = await self.reading.endings()
        in_doubt = {sale.sale_id for sale in sales if sale.state is None}
        standing = {buyer: await self.market.standing(buyer) for buyer in snapshot.buyers}
        quoted = of_quotes(standing.values(), await self.reading.quoted())
        settled = expected_settled(sales, snapshot.offers, snapshot.credited)
        found = (
            *await self.archive.violations(rules(snapshot, at_us)),
            *against_books(sales, snapshot.offers, books),
            *sold_twice(sales),
            *against_heard(answers, told),
            *told_twice(answers),
            *unheard(answers),
            *against_market(standing, settled, in_doubt | quoted),
        )
        notices = sum((Counter(one.notices) for one in books.buyers.values()), Counter[str]())
        return Verdict(await self.reading.sums(), found, len(in_doubt), notices)


def of_quotes(standing: Iterable[Standing], quoted: Container[str]) -> set[str]:
    """Return which holds are room that a quote holds."""
    return {sale for one in standing for sale, lead in one.holds.items() if lead in quoted}


def rules(snapshot: Snapshot, at_us: int) -> Rules:
    """Return what the ledger is checked against: every cap, and every lead has its end."""
    offers = snapshot.offers.values()
    doubts_s = [offer.post.in_doubt_max_s for offer in offers if offer.post is not None]
    decided_us = at_us - (max(doubts_s, default=0) + DOUBT_SLACK_S) * US_PER_S
    caps = {
        (cap.scope, cap.kind, cap.per): (cap, offer.buyer.zone)
        for offer in offers
        for cap in offer.caps
    }
    return Rules(
        ended_before_us=at_us,
        decided_before_us=decided_us,
        caps=tuple(caps.values()),
        members=members_of(snapshot),
    )
