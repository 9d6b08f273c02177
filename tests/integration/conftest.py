"""A connection to a fresh database, and a vault."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from exchange.ledger.vault import Vault


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def vault() -> Vault:
    """A vault of a key that every test knows."""
    return Vault(bytes(range(32)))
