"""The outbox is kept small, and shows how much waits in it."""

import asyncio
from collections.abc import Callable

import structlog

from exchange.ledger.errors import LedgerUnavailable
from exchange.notify.outbox import Outbox

logger = structlog.get_logger(__name__)
LOOK_EVERY_S = 10.0
TIDY_EVERY = 6
"""Looks."""
GIVE_UP_S = 2 * 86_400.0
"""A message that nobody takes, as its recipient left the market, is given up after this."""
KEEP_S = 30 * 86_400.0
"""For so long the log shows what was delivered, or failed."""
TIDIED_AT_ONCE = 5000
US_PER_S = 1_000_000


async def keep(
    outbox: Outbox, show: Callable[[int, float], None], now_us: Callable[[], int]
) -> None:
    """Show how many messages wait and for how long, and delete what ended long ago, for good."""
    looks = 0
    while True:
        try:
            waiting, since_us = await outbox.waiting()
            show(waiting, 0.0 if since_us is None else max(0, now_us() - since_us) / US_PER_S)
            if looks % TIDY_EVERY == 0:
                await outbox.tidy(GIVE_UP_S, KEEP_S, TIDIED_AT_ONCE)
        except LedgerUnavailable as outage:
            logger.warning("tidying waits", error=str(outage))
        looks += 1
        await asyncio.sleep(LOOK_EVERY_S)
