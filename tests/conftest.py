"""The real stores, one pair for the whole run; a database and a market for every test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis.asyncio
from hypothesis import settings

from exchange.stores.embedded import EmbeddedStores, StoreUrls
from tests.places import store_folder

TEMPLATE = "ledger_template"
MARKETS = 15
"""Valkey's numbered databases but for the first, which the product uses."""

numbers = count()

# No test is about how long it takes; on a busy machine any of them may take long.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")


@pytest.fixture(scope="session")
def stores() -> Iterator[StoreUrls]:
    """A real PostgreSQL and a real Valkey in a temporary folder, stopped after the last test."""
    with store_folder() as folder, EmbeddedStores(folder / "stores") as urls:
        yield urls


@pytest.fixture(scope="session")
def template_database(stores: StoreUrls) -> str:
    """The name of a database that holds the ledger's tables and is only ever cloned."""
    asyncio.run(fill_template(stores.database_url))
    return TEMPLATE


@pytest.fixture
async def database_url(stores: StoreUrls, template_database: str) -> AsyncIterator[str]:
    """The DSN of a fresh database with the ledger's tables, dropped after the test."""
    name = f"test_{next(numbers)}"
    await execute(stores.database_url, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield named(stores.database_url, name)
    await execute(stores.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def market_url(stores: StoreUrls) -> str:
    """The URL of an empty Valkey database, as redis-py reads it."""
    url = stores.market_url.replace("db=0", f"db={next(numbers) % MARKETS + 1}")
    async with redis.asyncio.from_url(url) as client:
        await client.flushdb()
    return url


async def fill_template(database_url: str) -> None:
    from exchange.ledger.migrations import migrate

    await execute(database_url, f"CREATE DATABASE {TEMPLATE}")
    await migrate(named(database_url, TEMPLATE))


async def execute(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def named(database_url: str, name: str) -> str:
    """Return the DSN of another database on the same server."""
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
