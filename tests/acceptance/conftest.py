"""A house for every acceptance test, on stores of its own."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.settings import Settings
from exchange.stores.embedded import StoreUrls
from tests.acceptance.clock import Clock
from tests.acceptance.house import MASTER_KEY, House, a_house


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


@pytest.fixture
def typed(
    house: House, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Awaitable[tuple[Any, Any]]]:
    """Runs a command on the stores of the house: its exit status, and the JSON it prints last."""
    settings = settings_of(house)

    async def run(
        command: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any
    ) -> tuple[Any, Any]:
        capsys.readouterr()  # what was logged before
        status = await command(*arguments, **options, as_json=True, settings=settings)
        return status, msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.fixture
def printed(typed: Callable[..., Awaitable[tuple[Any, Any]]]) -> Callable[..., Awaitable[Any]]:
    """Runs a command on the stores of the house and returns the JSON that it prints last."""

    async def run(*arguments: Any, **options: Any) -> Any:
        _, said = await typed(*arguments, **options)
        return said

    return run


@pytest.fixture
def spoken(
    house: House, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Awaitable[tuple[str, str]]]:
    """Runs a command on the stores of the house; what it prints for people, and what it tells."""
    settings = settings_of(house)

    async def run(
        command: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any
    ) -> tuple[str, str]:
        capsys.readouterr()  # what was logged before
        await command(*arguments, **options, settings=settings)
        return capsys.readouterr()

    return run


def settings_of(house: House) -> Settings:
    """Return what a command needs to find the stores of a house."""
    settings: Settings = msgspec.structs.replace(
        house.settings,
        database_url=house.urls.database_url,
        market_url=house.urls.market_url,
        master_key=base64.b64encode(MASTER_KEY).decode(),
    )
    return settings
