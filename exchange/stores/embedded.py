"""A real PostgreSQL and a real Valkey in a data folder, shared by all who enter it."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from exchange.stores.folder import DataFolder
from exchange.stores.pair import Pair
from exchange.stores.postgres import database_url
from exchange.stores.valkey import market_url


class StoreUrls(NamedTuple):
    """Where the stores listen, as asyncpg and redis-py read it."""

    database_url: str
    market_url: str


class EmbeddedStores:
    """Both stores run and answer inside the block; whoever leaves last stops them.

    The first to enter starts them, others join, whether threads or processes; a user that is killed
    counts as having left. A store that dies is started again within a second. Usable with `with`
    and with `async with`, once. Errors: StoreError.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._pair: Pair | None = None

    def __enter__(self) -> StoreUrls:
        assert self._pair is None, "embedded stores are entered once"
        folder = DataFolder(self._data_dir)
        pair = Pair(folder)
        try:
            with pair.in_turn():
                # A user before anything starts, so that a keeper stops it if we are killed.
                assert pair.users.try_take(shared=True), "nobody uses the stores alone"
                try:
                    pair.start()
                except BaseException:
                    leave(pair)
                    raise
        except BaseException:
            pair.close()
            raise
        self._pair = pair
        return StoreUrls(database_url(folder), market_url(folder))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pair, self._pair = self._pair, None
        if pair is None:
            return
        try:
            with pair.in_turn():
                leave(pair)
        finally:
            pair.close()

    async def __aenter__(self) -> StoreUrls:
        entering = asyncio.create_task(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            await asyncio.wait([entering])
            if not entering.cancelled() and entering.exception() is None:
                await self.__aexit__(None, None, None)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def leave(pair: Pair) -> None:
    """Use the stores no more and stop them if nobody else does; called in turn."""
    pair.users.release()
    if not pair.is_used():
        pair.stop()
