"""`exchange report NAME`: what operators are told of many leads together, as a table or as JSON."""

import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from exchange.clock import now_us
from exchange.commands.books import present_market
from exchange.commands.showing import tell
from exchange.contract.duplicate_reports import DuplicatesReport, RepeatedOut
from exchange.contract.learning_reports import ExpectedValueReport, LearnedFloorsReport
from exchange.domain.experience import US_PER_DAY
from exchange.domain.snapshot import Snapshot
from exchange.errors import CommandError
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.duplicates import DuplicateBooks
from exchange.ledger.learning import LearningBooks
from exchange.ledger.vault import Vault
from exchange.opening import database_at, ledger_key, store_urls
from exchange.reports.duplicates import duplicates_report
from exchange.reports.learning import (
    DAYS,
    DAYS_MAX,
    expected_value_report,
    learned_floors_report,
)
from exchange.settings import Settings

Name = Literal["expected-value", "learned-floors", "duplicates"]
Report = ExpectedValueReport | LearnedFloorsReport | DuplicatesReport
JSON = msgspec.json.Encoder(decimal_format="number")


async def report(
    name: Name,
    /,
    *,
    days: int = DAYS,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> None:
    """Tell what expected value or learned floors changed, or how much came that had come before.

    The exchange may be selling meanwhile. It is the reading of `GET /v1/admin/reports/NAME`.

    Parameters
    ----------
    name:
        Which report.
    days:
        How far back.
    as_json:
        Print one JSON object.
    """
    if not 1 <= days <= DAYS_MAX:
        raise CommandError(f"--days: a whole number from 1 to {DAYS_MAX}")
    async with store_urls(settings) as urls:
        async with database_at(urls.database_url) as connection:
            vault = Vault(await ledger_key(connection, settings))
        market = await present_market(urls.database_url, vault)
        connections = Connections(urls.database_url, Limits())
        await connections.open()
        try:
            found = await read(name, market, connections, days)
        finally:
            await connections.close()
    if as_json:
        sys.stdout.write(JSON.encode(found).decode() + "\n")
        return
    console = Console(highlight=False)
    is_empty = True
    for one in tables(found):
        console.print(one)
        is_empty = False
    if is_empty:
        tell(EMPTY[name])


EMPTY = {
    "expected-value": 'No campaign asks for it: rank_by = "expected_value".',
    "learned-floors": "No campaign asks for it: [campaign.learn_floor].",
    "duplicates": "Nothing came in that time, but for tests.",
}
"""Why there is nothing to tell."""


async def read(name: Name, market: Snapshot, connections: Connections, days: int) -> Report:
    """Return the report of this name. Errors: LedgerUnavailable, TooMuchToCount."""
    match name:
        case "expected-value":
            return await expected_value_report(market, LearningBooks(connections), now_us(), days)
        case "learned-floors":
            return await learned_floors_report(market, LearningBooks(connections), now_us(), days)
        case "duplicates":
            return await duplicates_report(
                DuplicateBooks(connections), now_us() - days * US_PER_DAY
            )


def tables(found: Report) -> Iterable[Table]:
    """Return a report as tables, none where there is nothing to tell."""
    match found:
        case ExpectedValueReport():
            return expected(found)
        case LearnedFloorsReport():
            return floors(found)
        case DuplicatesReport():
            return duplicates(found)


def expected(found: ExpectedValueReport) -> Iterable[Table]:
    """Return two tables for each campaign: what the order brought, and what is known of offers."""
    for one in found.campaigns:
        yield table(
            f"{one.campaign} since {found.since} ({one.currency})",
            ("", "leads", "expected", "by price", "realized"),
            (
                (label, ranked.leads, ranked.expected, ranked.by_price, ranked.realized)
                for label, ranked in (("all", one.all), ("otherwise than by price", one.changed))
            ),
        )
        yield table(
            "",
            ("offer", "posts", "accepted", "chance", "returned"),
            (
                (offer.offer, offer.posts, offer.taken, percent(offer.accepted),
                 percent(offer.returned))
                for offer in one.offers
            ),
        )  # fmt: skip


def floors(found: LearnedFloorsReport) -> Iterable[Table]:
    """Return two tables for each campaign: what floors brought, and the floors of now."""
    for one in found.campaigns:
        yield table(
            f"{one.campaign} since {found.since} ({one.currency})",
            ("floor", "auctions", "leads sold", "revenue", "for each"),
            (
                (of.model, of.auctions, of.sold, of.revenue, of.revenue_per_auction)
                for of in one.groups
            ),
        )
        yield table(
            "",
            ("state, hours", "floor now", "known of auctions"),
            ((of.segment, of.floor, of.auctions) for of in one.floors),
        )


def duplicates(found: DuplicatesReport) -> Iterable[Table]:
    """Return one table of all sources: what came again, and whom buyers had already."""
    if found.sources:
        yield table(
            f"since {found.since}",
            ("seller, source", "posted again", "pinged again", "buyers had it"),
            (
                (
                    f"{one.seller}, {one.source}",
                    *map(of_all, (one.submissions, one.pings, one.sales)),
                )
                for one in found.sources
            ),
        )


def of_all(part: RepeatedOut) -> str:
    """Return how many of how many, and the rate of that."""
    if part.rate is None:
        return "none"
    return f"{part.duplicates:,} of {part.all:,}, {percent(part.rate)}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table: names on the left, numbers on the right."""
    shown = Table(title=title or None, title_justify="left")
    for number, name in enumerate(columns):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*map(text, row))
    return shown


def text(value: object) -> str:
    """Return a number as a table shows it."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(share: Decimal) -> str:
    """Return a share in percent."""
    return f"{share:.1%}"
