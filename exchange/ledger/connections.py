"""Connections to PostgreSQL that give up in time and say so with one exception."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from exchange.ledger.errors import LedgerUnavailable

YEAR_2000_US = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000."""

CLOSE_TIMEOUT_S = 1.0

SERVER_SETTINGS = {
    "application_name": "exchange",
    "jit": "off",
    # Whoever waited for a lock must see what its holder wrote, whatever the server's default is.
    "default_transaction_isolation": "read committed",
}

BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises, beside what the server says, when a connection fails or times out."""

REFUSED_CLASSES = ("22", "23", "42", "54")
"""SQLSTATE classes that speak of what was sent: values, constraints, names, sizes."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the ledger takes on at once, and how long it may take."""

    timeout_s: float = 1.0
    """Within this every call has succeeded or failed."""
    lanes: int = 2
    """Flushes under way at once, each on a connection of its own."""
    batch_max: int = 512
    """Moments in one flush."""
    waiting_max: int = 20_000
    """Moments that may wait; above that a call fails at once."""
    readers: int = 3
    """Connections for reading, opened when needed."""
    retry_s: float = 0.02
    retry_max_s: float = 0.25
    """The pauses between attempts to connect, doubled each time."""
    capture_keep_s: int = 7 * 86_400
    """How long exact requests and answers are kept; 0: not at all."""


def to_server_time(at_us: int) -> tuple[int]:
    """Return microseconds since 1970 as PostgreSQL sends them, exact."""
    return (at_us - YEAR_2000_US,)


def from_server_time(value: tuple[int]) -> int:
    """Return microseconds since 1970."""
    return value[0] + YEAR_2000_US


async def prepare(connection: Any) -> None:
    """Let times pass as whole microseconds since 1970 and JSON as the bytes that are stored."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=to_server_time,
        decoder=from_server_time,
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=bytes, decoder=bytes
    )


async def connect(dsn: str, timeout_s: float, **server_settings: str) -> Any:
    """Return a new connection; raise LedgerUnavailable where it takes longer or fails."""
    settings = {**SERVER_SETTINGS, **server_settings}
    connection = None
    try:
        async with asyncio.timeout(timeout_s):
            connection = await asyncpg.connect(dsn, timeout=timeout_s, server_settings=settings)
            await prepare(connection)
    except BaseException as error:
        if connection is not None:
            connection.terminate()
        if isinstance(error, Exception):
            raise LedgerUnavailable from error
        raise
    return connection


async def disconnect(connection: Any) -> None:
    """Say good-bye to the server, or cut the connection where that takes long."""
    try:
        # The driver's own timeout does not bound all that it waits for in a server that hangs.
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()
    except BROKEN:
        connection.terminate()


def is_refusal(error: Exception) -> bool:
    """Tell whether what was sent is to blame, not the connection or the server."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate).startswith(REFUSED_CLASSES)
    # A value that the driver cannot encode is both an InterfaceError and a ValueError.
    return isinstance(error, ValueError) or not isinstance(error, BROKEN)


def problem(error: Exception) -> str:
    """Name what was refused without quoting any of it."""
    if isinstance(error, asyncpg.PostgresError):
        where = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
        return f"{error.sqlstate} {where or type(error).__name__}"
    return type(error).__name__


def raise_unavailable(error: Exception) -> None:
    """Translate what the driver raised; anything but an outage is raised as it is."""
    if is_refusal(error):
        raise error
    raise LedgerUnavailable from error


class Connections:
    """A few connections for short statements, opened when needed; open it before use."""

    def __init__(self, dsn: str, limits: Limits) -> None:
        self.dsn = dsn
        self.limits = limits
        self._pool: Any = None

    async def open(self) -> None:
        """Make it usable; nothing is connected yet."""
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=0,
            max_size=self.limits.readers,
            timeout=self.limits.timeout_s,
            init=prepare,
            reset=keep,
            server_settings=SERVER_SETTINGS,
        )

    async def close(self) -> None:
        """Close all connections, the busy ones too if they take long."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def use(self, timeout_s: float | None = None) -> AsyncIterator[Any]:
        """Lend a connection for a block; raise LedgerUnavailable where the database fails.

        The block has `timeout_s` in all, the limit of every call where it is None; after that its
        connection is cut off.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (self.limits.timeout_s if timeout_s is None else timeout_s)
        try:
            async with self._pool.acquire(timeout=self.limits.timeout_s) as connection:
                timer = loop.call_at(until, connection.terminate)
                try:
                    yield connection
                except asyncio.CancelledError:
                    connection.terminate()  # a server that hangs would never let it go
                    raise
                finally:
                    timer.cancel()
        except Exception as error:
            if loop.time() >= until:
                # Cut off under it, the driver raises whatever it stumbles over.
                raise LedgerUnavailable from error
            raise_unavailable(error)


async def keep(_connection: Any) -> None:
    """Change nothing on a connection that comes back: our statements leave nothing behind."""
