"""What other processes announce: one connection that listens, and is replaced when it breaks."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from exchange.ledger.connections import Limits, connect, disconnect
from exchange.ledger.errors import LedgerUnavailable

HEARTBEAT_S = 5.0
"""How often a silent connection is asked whether it still lives."""

logger = structlog.get_logger(__name__)


class Listener:
    """Calls back for every notification on its channels, in the order in which they were sent."""

    def __init__(
        self,
        dsn: str,
        limits: Limits,
        channels: Mapping[str, Callable[[str], None]],
        resync: Callable[[], None],
    ) -> None:
        self._dsn = dsn
        self._limits = limits
        self._channels = channels
        self._resync = resync
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None
        self._broken = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Tell whether notifications arrive now."""
        return self._connection is not None and not self._connection.is_closed()

    async def open(self) -> None:
        """Listen from now on; raise LedgerUnavailable where that fails."""
        await self._connect()
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.is_up:
            await disconnect(self._connection)

    async def _connect(self) -> None:
        self._broken.clear()
        connection = await connect(self._dsn, self._limits.timeout_s)
        connection.add_termination_listener(self._terminated)
        self._connection = connection
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                for channel in self._channels:
                    await connection.add_listener(channel, self._notified)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):
                raise LedgerUnavailable from error
            raise

    async def _watch(self) -> None:
        """Replace the connection whenever it breaks; what was missed meanwhile is made up for."""
        pause_s = self._limits.retry_s
        while True:
            if await self._holds():
                continue
            try:
                await self._connect()
            except LedgerUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._limits.retry_max_s)
            else:
                pause_s = self._limits.retry_s
                logger.info("listening again")
                self._call(self._resync)

    async def _holds(self) -> bool:
        """Tell, once it broke or after a while, whether the connection still answers."""
        if not self.is_up:
            return False
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._broken.wait()
        except TimeoutError:
            return await self._answers()
        return False

    async def _answers(self) -> bool:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._limits.timeout_s, self._connection.terminate)
        try:
            await self._connection.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is, the connection is replaced
            self._connection.terminate()
            return False
        finally:
            timer.cancel()
        return True

    def _terminated(self, connection: Any) -> None:
        if connection is self._connection:
            self._broken.set()

    def _notified(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        self._call(self._channels[channel], payload)

    def _call(self, callback: Callable[..., None], *arguments: str) -> None:
        try:
            callback(*arguments)
        except Exception:
            # A callback's mistake must not cost the others their notifications.
            logger.exception("notification not handled", callback=callback.__qualname__)
