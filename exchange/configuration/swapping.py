"""Waiting until every live worker sells under a new configuration."""

import asyncio
import contextlib
from typing import Any

import msgspec

from exchange.configuration.queries import SQL

LOOK_AGAIN_S = 0.5
"""A worker that dies announces nothing: its lease is looked at this often."""


class Lagging(msgspec.Struct, frozen=True):
    """A live worker that does not hold a version yet."""

    worker_id: str
    version: int | None
    addresses: tuple[str, ...]


async def live_workers(connection: Any) -> int:
    """Return how many workers sell, or could."""
    count: int = await connection.fetchval(SQL["live_workers"])
    return count


async def wait_until_swapped(
    connection: Any, version: int, timeout_s: float = 10.0
) -> tuple[Lagging, ...]:
    """Return when every live worker holds the version; after the timeout, those that do not."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    told = asyncio.Event()

    def announced(*_: object) -> None:
        told.set()

    await connection.add_listener("swapped", announced)
    try:
        while True:
            told.clear()
            lagging = await _lagging(connection, version)
            left_s = until - loop.time()
            if not lagging or left_s <= 0:
                return lagging
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_AGAIN_S)):
                    await told.wait()
    finally:
        await connection.remove_listener("swapped", announced)


async def _lagging(connection: Any, version: int) -> tuple[Lagging, ...]:
    rows = await connection.fetch(SQL["lagging"], version)
    return tuple(Lagging(row["id"], row["configuration"], tuple(row["addresses"])) for row in rows)
