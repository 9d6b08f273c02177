"""What every part of a worker stands on: who it is, what it may use, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from exchange.ledger.vault import Vault
from exchange.settings import Settings
from exchange.stores.embedded import StoreUrls
from exchange.telemetry.metrics import Metrics

CANCEL_AGAIN_S = 1.0
MS = 0.001


@dataclass(frozen=True, slots=True)
class Ground:
    """One worker's own: the settings, the stores, the keys, and the stack that closes its parts."""

    worker_id: str
    settings: Settings
    urls: StoreUrls
    vault: Vault
    metrics: Metrics
    now_us: Callable[[], int]
    stack: AsyncExitStack

    @property
    def database_timeout_s(self) -> float:
        """How long a connection to PostgreSQL may be silent."""
        return self.settings.database_timeout_ms * MS

    def beside(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something until the worker closes."""
        task = asyncio.ensure_future(work)

        async def stop() -> None:
            # Who is told once may miss it, in the middle of a driver's own cleaning up.
            while not task.done():
                task.cancel()
                await asyncio.wait((task,), timeout=CANCEL_AGAIN_S)

        self.stack.push_async_callback(stop)
