"""Whether this worker can sell now: each store by name, as it was last seen."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from exchange.contract.health import Check
from exchange.contract.timeline import utc_text
from exchange.ledger.errors import LedgerUnavailable

logger = structlog.get_logger(__name__)


class Pings(Protocol):
    """A store that can be asked whether it answers."""

    async def ping(self) -> None:
        """Return where it answers in time; raise LedgerUnavailable where it does not."""


class Readiness:
    """Remembers since when each store is up or down; asks nobody when it is asked itself."""

    def __init__(self, stores: Mapping[str, Callable[[], bool]], now_us: Callable[[], int]) -> None:
        """Take how each store's state is known."""
        self._stores = stores
        self._now_us = now_us
        self._seen: dict[str, tuple[bool, int]] = {}

    def checks(self) -> Sequence[Check]:
        """Return each store by name, as it was last seen."""
        return [self._check(name, is_up()) for name, is_up in self._stores.items()]

    def _check(self, name: str, up: bool) -> Check:  # noqa: FBT001 - what is_up said
        seen, since_us = self._seen.get(name, (not up, 0))
        if seen is not up:
            since_us = self._now_us()
            self._seen[name] = up, since_us
            if up:
                logger.info("store is up", store=name)
            else:
                logger.warning("store is down", store=name)
        return Check(name, up, utc_text(since_us))


class Pulse:
    """Asks a store now and then, so that its silence is noticed without traffic."""

    def __init__(self, store: Pings, every_s: float) -> None:
        """Take whom to ask, and how often."""
        self._store = store
        self._every_s = every_s
        self.is_up = True

    async def beat(self) -> None:
        """Ask for good."""
        while True:
            try:
                await self._store.ping()
                self.is_up = True
            except LedgerUnavailable:
                self.is_up = False
            await asyncio.sleep(self._every_s)
