"""The stores as a process uses them: those of the settings, or the embedded ones, up to date."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from exchange.errors import CommandError
from exchange.ledger.beginning import begin, begun_under
from exchange.ledger.errors import MasterKeyError
from exchange.ledger.migrations import migrate
from exchange.master_key import has_master_key, key_path, master_key
from exchange.settings import PREFIX, Settings
from exchange.stores.embedded import EmbeddedStores, StoreUrls

CONNECT_TIMEOUT_S = 10.0


@asynccontextmanager
async def store_urls(settings: Settings) -> AsyncIterator[StoreUrls]:
    """Where the stores are; embedded ones run, started or joined, as long as the block does."""
    if settings.database_url is not None and settings.market_url is not None:
        yield StoreUrls(settings.database_url, settings.market_url)
        return
    async with EmbeddedStores(settings.data_dir) as urls:
        yield urls


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Any]:
    """Lend a connection to a database whose tables are up to date. Raises CommandError."""
    async with store_urls(settings) as urls, database_at(urls.database_url) as connection:
        yield connection


@asynccontextmanager
async def database_at(url: str) -> AsyncIterator[Any]:
    """Lend a connection to this database, its tables up to date. Raises CommandError."""
    connection = await connect(url)
    try:
        await migrate(url)
        yield connection
    finally:
        await connection.close()


async def connect(url: str) -> Any:
    """Return a connection; raise CommandError, without the URL's password, where there is none."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await asyncpg.connect(url)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error) or f"no answer within {CONNECT_TIMEOUT_S:g} s"
        raise CommandError(f"PostgreSQL at {place_of(url)} cannot be used: {why}") from error


def place_of(url: str) -> str:
    """Return host and database of a URL, never its user or password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    if parts.hostname:
        return f"{parts.hostname}{parts.path}"
    database = parts.path.strip("/")
    return f"its socket, database {database}," if database else "its socket"


async def ledger_key(connection: Any, settings: Settings) -> bytes:
    """Return the master key of this ledger, whose tables are up to date; begin it where it is new.

    A key is made for a new ledger only, never beside one that was begun under another. Errors:
    MasterKeyError, SettingsError.
    """
    begun = await begun_under(connection)
    if begun is not None and not has_master_key(settings):
        raise MasterKeyError(sealed_under=begun.hex(), known=no_key(settings))
    key = master_key(settings)
    await begin(connection, key)
    return key


def no_key(settings: Settings) -> str:
    """Return that there is no key, and where it was looked for."""
    return f"none ({PREFIX}MASTER_KEY is not set, and there is no {key_path(settings)})"


def author() -> str:
    """Return who types, for the audit: user and machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
