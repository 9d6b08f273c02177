"""`exchange replay`: recorded leads, sold again under another market, and what that would bring."""

import sys
import time
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from exchange.commands.showing import tell
from exchange.commands.verify import micros_of
from exchange.contract.timeline import utc_text
from exchange.domain.counting import counted
from exchange.domain.money import to_decimal
from exchange.domain.reason import Reason
from exchange.errors import CommandError
from exchange.ledger.connections import prepare
from exchange.ledger.vault import Vault
from exchange.opening import database_at, ledger_key, store_urls
from exchange.replay.changing import SettingError, changed, setting_of
from exchange.replay.comparing import ALL, Row, Totals
from exchange.replay.reading import Reader
from exchange.replay.replay import Changing, Replayed, replay
from exchange.replay.unknown import NOT_REACHED, NOT_THERE
from exchange.replay.unlike import ENDED_OTHERWISE, INTERRUPTED, NOT_PLAYED, ROOM_DIFFERED
from exchange.settings import Settings

IN_MONEY = ("revenue", "payout", "margin")
JSON = msgspec.json.Encoder(decimal_format="number")


async def replay_command(
    *,
    since: datetime,
    until: datetime | None = None,
    sets: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> None:
    """Sell recorded leads again with another floor, margin, cap or timeout; say what differs.

    Buyers say what they said: a bid that was not made then is no bid, a post that was not made then
    is taken as accepted, and both are counted, by why. Nothing is called, and nothing is changed.

    Parameters
    ----------
    since:
        Leads that came since then, such as 2026-11-01T00:00:00Z.
    until:
        Leads that came before then; now where it is not said.
    sets:
        KIND.ID.KEY=VALUE as in the market file, such as campaign.auto-us.floor=8; may be repeated.
    as_json:
        Print one JSON object.
    """
    begins_us, ends_us = micros_of(since), now_us() if until is None else micros_of(until)
    if begins_us > ends_us:
        end = "now" if until is None else "--until"
        raise CommandError(f"--since lies after {end}")
    try:
        wanted = [setting_of(text) for text in sets]
        async with (
            store_urls(settings) as urls,
            database_at(urls.database_url) as connection,
        ):
            vault = Vault(await ledger_key(connection, settings))
            await prepare(connection)
            found = await replay(
                connection, vault, lambda market: changed(market, wanted), begins_us, ends_us
            )
    except SettingError as error:
        raise CommandError(str(error)) from error
    if as_json:
        sys.stdout.write(JSON.encode(told(found)).decode() + "\n")
    else:
        show(found)


async def tried(connection: Any, vault: Vault, change: Changing, leads: int) -> Replayed:
    """Return what would have come of the last so many leads. Raises CommandError."""
    if leads < 1:
        raise CommandError("--trial: at least one lead")
    await prepare(connection)
    since_us = await Reader(connection, vault).since_of_last(leads)
    until_us = now_us()
    return await replay(
        connection, vault, change, until_us if since_us is None else since_us, until_us
    )


def now_us() -> int:
    """Return the wall's time, in microseconds since the epoch."""
    return time.time_ns() // 1000


def told(found: Replayed) -> dict[str, Any]:
    """Return what is printed as JSON."""
    return {
        "since": utc_text(found.since_us),
        "until": utc_text(found.until_us),
        "leads": found.leads,
        "left_out": found.left_out,
        "changed": found.changed,
        "unrecorded": found.unrecorded,
        "campaigns": [
            {
                "campaign": row.campaign or None,
                "currency": row.currency,
                "recorded": plain(row.recorded),
                "before": plain(row.before),
                "after": plain(row.after),
                "difference": plain(row.difference),
            }
            for row in found.rows
        ],
    }


def plain(totals: Totals) -> dict[str, Any]:
    """Return totals with money as amounts."""
    numbers = msgspec.structs.asdict(totals)
    return {
        name: to_decimal(number) if name in IN_MONEY else number for name, number in numbers.items()
    }


LINES = (
    ("leads sold", "sold"),
    ("sales", "sales"),
    ("revenue", "revenue"),
    ("paid to sellers", "payout"),
    ("margin", "margin"),
    ("ms to the end, median", "p50_ms"),
    ("ms to the end, p95", "p95_ms"),
)


WHY = {
    "erased": "the person was erased since",
    "still open": "without an end yet",
    "market not read": "the market of then cannot be read any more",
    INTERRUPTED: "cut off by an outage and finished after it",
    ROOM_DIFFERED: "a cap, a budget or held room stood otherwise at that very moment",
    ENDED_OTHERWISE: "ending otherwise even as it was, it is not known why",
    NOT_PLAYED: "this version cannot sell it again",
}
"""Why a lead is not compared."""


def not_asked(reason: str) -> str:
    """Return why an offer was not asked, as people read it."""
    return NOT_ASKED.get(reason) or f"left out then ({reason})"


NOT_ASKED = {
    NOT_REACHED: "the lead was sold before their stage",
    NOT_THERE: "the market had no such offer then",
    Reason.CUT_OFF.word: "the auction was decided before they answered",
    Reason.CAP.word: "a cap was full",
    Reason.BUDGET.word: "a budget was spent",
    Reason.FILTERED.word: "a condition left them out",
    Reason.SCHEDULE.word: "it was not their hour",
    Reason.PAUSED.word: "they were paused",
}


def show(found: Replayed) -> None:
    """Print a table for each campaign, and say what it rests on."""
    console = Console(highlight=False)
    for row in found.rows:
        if row.campaign != ALL or len(found.rows) > 2:  # noqa: PLR2004 - one campaign is all
            console.print(table(row))
    tell(*sentences(found))


def table(row: Row) -> Table:
    """Return one campaign as people read it."""
    title = (
        f"{row.campaign or 'all campaigns'} ({counted(row.recorded.leads, 'lead')}, {row.currency})"
    )
    shown = Table(title=title, title_justify="left")
    shown.add_column("")
    for name in ("recorded", "as it was", "changed", "difference"):
        shown.add_column(name, justify="right")
    columns = [plain(one) for one in (row.recorded, row.before, row.after, row.difference)]
    for label, name in LINES:
        first, second, third, fourth = (column[name] for column in columns)
        shown.add_row(label, text(first), text(second), text(third), text(fourth, signed=True))
    return shown


def text(number: Decimal | float, *, signed: bool = False) -> str:
    """Return a number as a table shows it; what is counted is whole."""
    sign = "+" if signed and number > 0 else ""
    return f"{sign}{number:,}" if type(number) is int else f"{sign}{number:,.2f}"


def sentences(found: Replayed) -> list[str]:
    """Return what the figures rest on."""
    if not found.leads and not found.left_out:
        return [f"No lead came from {utc_text(found.since_us)} to {utc_text(found.until_us)}."]
    lines = [f"Leads sold again: {found.leads}; that end otherwise: {found.changed}."]
    supposed = found.unrecorded
    if supposed.leads:
        lines.append(f"Leads that rest on what buyers were not asked then: {supposed.leads}.")
    lines += [
        f"  Pings taken as no bid, {not_asked(one.reason)}: {one.pings} (leads: {one.leads})."
        for one in supposed.reasons
    ]
    if supposed.posts:
        lines.append(f"  Posts that were not made, taken as accepted: {supposed.posts}.")
    lines += [
        f"Leads left out, {WHY.get(why, why)}: {count}."
        for why, count in sorted(found.left_out.items())
    ]
    return lines
