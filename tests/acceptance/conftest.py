"""A house for every acceptance test, on stores of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.stores.embedded import StoreUrls
from tests.acceptance.clock import Clock
from tests.acceptance.house import House, a_house


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all houses keep what they would otherwise build anew."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
async def house(
    database_url: str, market_url: str, tmp_path: Path, tables: Path
) -> AsyncIterator[House]:
    """An exchange without workers, market or keys; a test adds what it needs."""
    async with a_house(StoreUrls(database_url, market_url), tmp_path, tables) as built:
        yield built


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every worker that is opened after it was asked for."""
    return Clock(monkeypatch)
