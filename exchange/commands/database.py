"""The stores, as a command uses them: those of the settings, or the embedded ones, up to date."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from exchange.commands.errors import CommandError
from exchange.ledger.migrations import migrate
from exchange.settings import Settings
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
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(store_urls(settings))
        connection = await connect(urls.database_url)
        stack.push_async_callback(connection.close)
        await migrate(urls.database_url)
        yield connection


async def connect(url: str) -> Any:
    """Return a connection; raise CommandError, without the URL's password, where there is none."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await asyncpg.connect(url)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        parts = urlsplit(url)
        where = f"{parts.hostname or 'its socket'}{parts.path}"
        why = str(error) or f"no answer within {CONNECT_TIMEOUT_S:g} s"
        raise CommandError(f"PostgreSQL at {where} cannot be used: {why}") from error


def author() -> str:
    """Return who types, for the audit: user and machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
