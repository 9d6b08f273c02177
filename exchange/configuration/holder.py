"""The configuration that a worker sells under: always whole, never older than a moment."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

from exchange.configuration.queries import SQL
from exchange.configuration.snapshots import (
    Compiler,
    InvalidConfigurationError,
    Vault,
    read_stored,
)
from exchange.domain.snapshot import Snapshot

POLL_S = 5.0
"""How often the latest version is asked for though nobody announced one."""
TIMEOUT_S = 5.0
RETRY_S = 0.1
RETRY_MAX_S = 2.0
CLOSE_TIMEOUT_S = 1.0

CHANNEL = "configuration"

BROKEN = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection raises that failed, was closed, or took too long (an OSError, too)."""

Connect = Callable[[], Awaitable[Any]]
"""Opens a connection of asyncpg, for this holder alone."""

logger = structlog.get_logger(__name__)


class SnapshotHolder:
    """Holds the latest valid snapshot, swaps it whole, and says so to whoever waits for it.

    What cannot be compiled never replaces what can: it is logged, and the last good one stays.
    While the database is away the last good one stays too.
    """

    def __init__(
        self,
        connect: Connect,
        vault: Vault,
        worker_id: str | None = None,
        on_swap: Callable[[Snapshot], None] | None = None,
    ) -> None:
        """Take how to connect, and the worker in whose row versions are acknowledged.

        `on_swap` prepares what depends on a snapshot, before it is the one; it must not raise.
        """
        self._connect = connect
        self._vault = vault
        self._worker_id = worker_id
        self._on_swap = on_swap
        self._compiler = Compiler(vault.derive)
        self._snapshot: Snapshot | None = None
        self._refused: int | None = None
        self._told = asyncio.Event()
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> Snapshot:
        """Return the snapshot of this moment; whoever sells a lead takes it once and keeps it."""
        assert self._snapshot is not None, "a holder is started before it is asked"
        return self._snapshot

    async def start(self) -> Snapshot:
        """Load the configuration and follow it from now on.

        Raises InvalidConfigurationError, or what the connection raises, where there is none to
        begin with.
        """
        try:
            await self._open()
            await self._follow_once()
        except BaseException:
            await self._drop()
            raise
        self._task = asyncio.create_task(self._follow(), name="configuration")
        return self.snapshot

    async def close(self) -> None:
        """Follow no more; the snapshot stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._drop()

    async def _follow(self) -> None:
        pause_s = RETRY_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._told.wait()
            try:
                if self._connection is None:
                    await self._open_again()
                await self._follow_once()
                pause_s = RETRY_S
            except InvalidConfigurationError as error:
                logger.error("configuration refused", problem=str(error))  # noqa: TRY400 - its sentence says all
            except Exception as error:
                if isinstance(error, BROKEN):
                    logger.warning("configuration out of reach", problem=type(error).__name__)
                else:
                    # Whatever it is: a worker that followed no more would sell under the old
                    # configuration for ever, and nobody would know.
                    logger.exception("configuration not followed")
                await self._drop()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
                # What was announced meanwhile is looked for as soon as there is a connection.
                self._refused = None
                self._told.set()

    async def _follow_once(self) -> None:
        """Take the latest version, if it is another, and acknowledge what is held."""
        self._told.clear()
        async with asyncio.timeout(TIMEOUT_S):
            latest = await self._connection.fetchval(SQL["version"])
        held = self._snapshot.version if self._snapshot else None
        if latest not in {held, self._refused}:
            # Told once where it cannot be, and tried again only when there is another version.
            self._refused = latest
            await self._swap()
            self._refused = None
        if self._worker_id is not None:
            async with asyncio.timeout(TIMEOUT_S):
                await self._connection.execute(
                    SQL["acknowledge"], self._worker_id, self.snapshot.version
                )

    async def _swap(self) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            stored = await read_stored(self._connection, self._vault)
        # Beside the loop: auctions go on while a large market is compiled.
        snapshot = await asyncio.to_thread(self._compiler.snapshot, stored)
        if self._on_swap is not None:
            self._on_swap(snapshot)
        self._snapshot = snapshot
        logger.info("configuration swapped", version=snapshot.version)

    async def _open_again(self) -> None:
        try:
            await self._open()
        except Exception as error:
            # In whatever words whoever connects says so: the database is out of reach.
            raise ConnectionError(str(error)) from error

    async def _open(self) -> None:
        self._connection = await self._connect()
        self._connection.add_termination_listener(self._announced)
        async with asyncio.timeout(TIMEOUT_S):
            await self._connection.add_listener(CHANNEL, self._announced)

    def _announced(self, *_: object) -> None:
        self._told.set()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            # The driver's own timeout does not bound all that it waits for in a server that hangs.
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await connection.close()
        except BROKEN:
            connection.terminate()
