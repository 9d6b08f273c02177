"""`exchange check`: whether everything that the exchange needs is there and fits together."""

import platform
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
import redis.asyncio
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from exchange.errors import CommandError, explained
from exchange.ledger.beginning import begun_under
from exchange.ledger.errors import MasterKeyError
from exchange.ledger.migrations import FOLDER, migration_files
from exchange.ledger.vault import key_id
from exchange.market.address import parse
from exchange.master_key import has_master_key, key_path, master_key
from exchange.opening import CONNECT_TIMEOUT_S, connect, no_key, store_urls
from exchange.settings import Settings
from exchange.stores.embedded import StoreUrls

STATE = """
SELECT current_setting('server_version') AS server,
       (SELECT count(*) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name = 'schema_migration') AS has_tables
"""
TABLES = """
SELECT (SELECT coalesce(max(number), 0) FROM schema_migration) AS migration,
       (SELECT coalesce(max(version), 0) FROM configuration) AS configuration,
       (SELECT count(*) FROM worker WHERE lease_until > now()) AS workers
"""


class Line(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    says: str


async def check(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Check settings, stores and versions; the exit status is 1 if anything is amiss.

    Parameters
    ----------
    as_json:
        Print one JSON object.
    """
    lines = [
        Line("exchange", ok=True, says=version("ping-post-exchange")),
        Line("python", ok=True, says=platform.python_version()),
    ]
    try:
        async with store_urls(settings) as urls:
            lines.append(await looked_at("master key", lambda: key_line(settings, urls)))
            lines.append(await looked_at("postgresql", lambda: database_line(urls.database_url)))
            lines.append(await looked_at("valkey", lambda: market_line(urls.market_url)))
    except Exception as error:  # noqa: BLE001 - what cannot be explained is raised again
        lines.append(failed("stores", error))
    if as_json:
        sys.stdout.write(msgspec.json.encode({"checks": lines}).decode() + "\n")
    else:
        show(lines)
    return 0 if all(line.ok for line in lines) else 1


async def looked_at(name: str, look: Callable[[], Awaitable[str]]) -> Line:
    """Return what was seen, or why nothing was."""
    try:
        return Line(name, ok=True, says=await look())
    except Exception as error:  # noqa: BLE001 - what cannot be explained is raised again
        return failed(name, error)


def failed(name: str, error: Exception) -> Line:
    """Return why something is amiss; raise the error again where it is the program's own."""
    says = explained(error)
    if says is None:
        raise error
    return Line(name, ok=False, says=says.removeprefix("exchange: "))


async def key_line(settings: Settings, urls: StoreUrls) -> str:
    """Return by which four bytes the master key is known, and whether it is the ledger's."""
    try:
        connection = await connect(urls.database_url)
    except CommandError:  # the database has a line of its own
        return "not compared: the ledger cannot be asked"
    try:
        begun = await begun_under(connection)
    finally:
        await connection.close()
    if not has_master_key(settings):
        if begun is not None:
            raise MasterKeyError(sealed_under=begun.hex(), known=no_key(settings))
        return f"none yet: {key_path(settings)} is made when the ledger is begun"
    ours = key_id(master_key(settings))
    if begun not in {None, ours}:
        raise MasterKeyError(sealed_under=begun.hex(), known=ours.hex())
    return f"id {ours.hex()}, {'the ledger is sealed' if begun else 'nothing is sealed'} under it"


async def database_line(url: str) -> str:
    """Return the server's version and how far the tables and the market are."""
    connection = await connect(url)
    try:
        state = await connection.fetchrow(STATE)
        newest = migration_files(FOLDER)[-1][0]
        if not state["has_tables"]:
            return f"{state['server']}, empty: tables are made when it is first used"
        found: Any = await connection.fetchrow(TABLES)
    finally:
        await connection.close()
    if found["migration"] > newest:
        raise CommandError(
            f"its tables are at {found['migration']}, this exchange knows {newest}: use a newer one"
        )
    return (
        f"{state['server']}, tables {found['migration']} of {newest}, "
        f"configuration {found['configuration']}, {live(found['workers'])}"
    )


def live(workers: int) -> str:
    """Return how many sell, in words."""
    return f"{workers} live worker{'' if workers == 1 else 's'}"


async def market_line(url: str) -> str:
    """Return the server's version and whether it writes down what it holds."""
    parse(url)  # its errors name the schemes that the exchange takes
    client = redis.asyncio.from_url(
        url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,  # all it knows
        socket_timeout=CONNECT_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
    )
    try:
        async with client:
            server = await client.info("server")
            persistence = await client.info("persistence")
    except (redis.RedisError, OSError) as error:
        raise CommandError(f"cannot be used: {str(error) or type(error).__name__}") from error
    name = "Valkey" if "valkey_version" in server else "Redis"
    number = server.get("valkey_version", server["redis_version"])
    log = "append-only file on" if persistence.get("aof_enabled") else "NO append-only file"
    return f"{name} {number}, {log}"


def show(lines: list[Line]) -> None:
    """Print one line for each thing that was looked at."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        mark = "ok   " if line.ok else "amiss"
        console.print(
            Text.assemble((mark, "green" if line.ok else "red"), f" {line.name:<12}{line.says}")
        )
