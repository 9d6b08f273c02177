"""`exchange plan`, `apply` and `export`: the market file and the market."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from exchange.anonymity.planning import Shown, compared
from exchange.commands import replay
from exchange.commands.showing import lagging_text, show, show_anonymity, tell, warn
from exchange.configuration import store
from exchange.configuration.difference import notes
from exchange.configuration.problem import Finding, MarketFileError
from exchange.configuration.reading import Reading, finding_of, read_market
from exchange.configuration.swapping import live_workers, wait_until_swapped
from exchange.configuration.writing import write_market
from exchange.errors import CommandError
from exchange.ledger.connections import prepare
from exchange.ledger.vault import Vault
from exchange.opening import author, database, ledger_key
from exchange.replay.replay import Replayed
from exchange.settings import Settings

Files = Annotated[list[Path], Parameter(negative=())]
Json = Annotated[bool, Parameter(name="--json", negative=())]
Empty = Annotated[bool, Parameter(negative=())]
Given = Annotated[Settings, Parameter(parse=False)]

JSON = msgspec.json.Encoder(decimal_format="number")


async def plan(
    files: Files,
    /,
    *,
    as_json: Json = False,
    empty: Empty = False,
    trial: int | None = None,
    settings: Given,
) -> None:
    """Show what applying these files would change.

    Parameters
    ----------
    files:
        The whole market: what these files omit would be retired.
    as_json:
        Print one JSON object.
    empty:
        Files without a single object are meant so: the whole market would be retired.
    trial:
        Sell the last so many leads again under it, and show what would come of them instead.
    """
    reading = wanted(files, empty=empty)
    is_new = makes_stores(settings)
    async with database(settings) as connection:
        warnings = await warnings_of(connection, reading)
        change = await told(store.plan(connection, reading.market), reading)
        workers = await live_workers(connection)
        shown = await shown_by(connection, reading, settings)
        tried = None if trial is None else await tried_with(connection, reading, trial, settings)
    tell(*circumstances(settings, is_new=is_new, workers=workers))
    if as_json:
        told_too: dict[str, Any] = {"anonymity": shown} if shown else {}
        if tried is not None:
            told_too["trial"] = replay.told(tried)
        write_json({"change": change, "warnings": warnings, **told_too})
    else:
        warn(warnings)
        show(change)
        show_anonymity(shown)
        if tried is not None:
            replay.show(tried)


async def apply(
    files: Files,
    /,
    *,
    as_json: Json = False,
    empty: Empty = False,
    wait_s: float = 10.0,
    settings: Given,
) -> int:
    """Make these files the market, and return when every live worker sells under it.

    Parameters
    ----------
    files:
        The whole market: what these files omit is retired.
    as_json:
        Print one JSON object.
    empty:
        Files without a single object are meant so: the whole market is retired.
    wait_s:
        How long to wait for the workers.
    """
    reading = wanted(files, empty=empty)
    is_new = makes_stores(settings)
    async with database(settings) as connection:
        warnings = await warnings_of(connection, reading)
        applied = await told(store.apply(connection, reading.market, author()), reading)
        lagging = await wait_until_swapped(connection, applied.version, wait_s)
        workers = await live_workers(connection)
    tell(*circumstances(settings, is_new=is_new, workers=workers))
    if as_json:
        write_json(
            {
                "version": applied.version,
                "change": applied.difference,
                "warnings": warnings,
                "lagging": lagging,
            }
        )
    else:
        warn(warnings)
        show(applied.difference)
    if applied.difference:
        tell(f"Applied as version {applied.version}.")
    tell(*(lagging_text(worker, applied.version) for worker in lagging))
    return 1 if lagging else 0


async def export(*, version: int | None = None, as_json: Json = False, settings: Given) -> None:
    """Print the present market as a file that could be applied again.

    Parameters
    ----------
    version:
        An earlier version instead of the present one.
    as_json:
        Print it as JSON.
    """
    async with database(settings) as connection:
        market = await store.read_market(connection, version)
    if as_json:
        write_json(market)
    else:
        sys.stdout.write(write_market(market))


async def shown_by(connection: Any, reading: Reading, settings: Settings) -> list[Shown]:
    """Return how anonymous pings would be where they would show otherwise, and are counted."""
    present = await store.read_market(connection)
    if not any(part.anonymity for part in (*present.vertical, *reading.market.vertical)):
        return []
    vault = Vault(await ledger_key(connection, settings))
    await prepare(connection)
    return await compared(connection, vault, present, reading.market, time.time_ns() // 1000)


async def tried_with(connection: Any, reading: Reading, leads: int, settings: Settings) -> Replayed:
    """Return what would have come of the last leads under the market that was read."""
    vault = Vault(await ledger_key(connection, settings))
    return await replay.tried(connection, vault, lambda _: reading.market, leads)


def wanted(files: list[Path], *, empty: bool) -> Reading:
    """Return what these files say; raise CommandError where it is nothing and was not meant so."""
    reading = read_market(files)
    if not empty and not any(msgspec.structs.astuple(reading.market)):
        raise CommandError(
            f"there is no object in {', '.join(map(str, files))}: to retire the whole market, "
            "say --empty"
        )
    return reading


def makes_stores(settings: Settings) -> bool:
    """Tell whether embedded stores would be made now, for there are none in the data folder."""
    return settings.embedded and not (settings.data_dir / "postgres").exists()


def circumstances(settings: Settings, *, is_new: bool, workers: int) -> Iterator[str]:
    """Tell what whoever typed may not expect: a folder made by a slip, or nobody who sells."""
    if is_new:
        folder = settings.data_dir.resolve()
        yield f"New stores were made in {folder} (EXCHANGE_DATA_DIR names another folder)."
    if not workers:
        yield "No worker is running: the market holds at the next start."


async def warnings_of(connection: Any, reading: Reading) -> tuple[Finding, ...]:
    """Return what is odd about a market, by itself and next to the present one."""
    present = await store.read_present(connection)
    found = notes(present, reading.market)
    return (*reading.warnings, *(finding_of(note, reading.origins) for note in found))


async def told(doing: Any, reading: Reading) -> Any:
    """Return what comes of it; a conflict is told with the line where it stands."""
    try:
        return await doing
    except store.ConflictError as error:
        findings = (finding_of(problem, reading.origins) for problem in error.problems)
        raise MarketFileError(tuple(findings)) from error


def write_json(value: object) -> None:
    """Print one line of JSON, its numbers exact."""
    sys.stdout.write(JSON.encode(value).decode() + "\n")
