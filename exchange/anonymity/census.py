"""Counts the recent population of each vertical that asks for it, beside the sales."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from exchange.anonymity.people import Page, before, page_after
from exchange.domain.anonymity import Population, token, visible
from exchange.domain.lead import Fingerprint, Lead
from exchange.domain.snapshot import Snapshot
from exchange.domain.vertical import Vertical
from exchange.ledger.connections import Connections
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.vault import Vault

US_PER_S = 1_000_000
AT_ONCE = 100
"""Records that are opened in one go, in a thread; auctions go on beside it."""
PAUSE_S = 0.02
"""Between two pages: a whole window is counted after a start, and must not be in the way."""
LATE_US = 30 * US_PER_S
"""So much later than it came a lead may be written; so far back is looked again each time."""
TIMEOUT_S = 30.0

logger = structlog.get_logger(__name__)


class Census:
    """The populations of this worker: of all leads, whoever sold them, as the ledger has them."""

    def __init__(
        self,
        connections: Connections,
        vault: Vault,
        market: Callable[[], Snapshot],
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        """Take the books and the market; nobody is counted yet."""
        self._connections = connections
        self._vault = vault
        self._market = market
        self._now_us = now_us
        self._secret = entropy(32)
        self._ready: dict[str, Population] = {}
        """By vertical: those that were counted to the present at least once."""
        self._seen_us: dict[str, int] = {}

    def k(self, lead: Lead, fingerprint: Fingerprint, vertical: Vertical) -> int | None:
        """Return how many people look like this lead's in a ping; None where it is not counted."""
        population = self._ready.get(vertical.id)
        if population is None or population.fields != visible(vertical):
            return None
        return population.k(lead, token(fingerprint, self._secret))

    async def run(self, every_s: float) -> NoReturn:
        """Count who came since the last time, for good; an outage is waited out."""
        while True:
            try:
                for vertical in self._wanted():
                    await self.count(vertical)
            except LedgerUnavailable as outage:
                logger.warning("counting people waits", error=str(outage))
            await asyncio.sleep(every_s)

    def _wanted(self) -> list[Vertical]:
        """Return the verticals that are counted; forget those that are no more."""
        wanted = [one for one in self._market().verticals.values() if one.anonymity_window_s]
        for name in set(self._ready) - {one.id for one in wanted}:
            del self._ready[name]
        return wanted

    async def count(self, vertical: Vertical) -> None:
        """Count who came since; anew, from the window's beginning, where pings show otherwise."""
        fields, window_us = visible(vertical), vertical.anonymity_window_s * US_PER_S
        now_us = self._now_us()
        population = self._ready.get(vertical.id)
        since_us = self._seen_us.get(vertical.id, 0) - LATE_US
        if population is None or (population.fields, population.window_us) != (fields, window_us):
            population, since_us = Population(fields, window_us), now_us - window_us
        after = before(max(since_us, now_us - window_us))
        while True:
            # Each page on a connection that others can have in between.
            async with self._connections.use(TIMEOUT_S) as connection:
                page = await page_after(connection, vertical.id, after, AT_ONCE)
            if page is None:
                break
            after = page.after
            await asyncio.to_thread(self._count, population, page)
            await asyncio.sleep(PAUSE_S)
        population.forget(now_us)
        self._ready[vertical.id] = population
        self._seen_us[vertical.id] = now_us

    def _count(self, population: Population, page: Page) -> None:
        for one in page.opened(self._vault):
            person = token(one.fingerprint, self._secret)
            if person is not None:
                population.count(one.lead, person)
