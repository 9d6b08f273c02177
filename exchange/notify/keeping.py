"""The outbox is kept small, and shows how much waits in it."""

import asyncio
from collections.abc import Callable

import structlog

from exchange.ledger.errors import LedgerUnavailable
from exchange.notify.outbox import Keeping, Outbox

logger = structlog.get_logger(__name__)
LOOK_EVERY_S = 10.0
TIDY_EVERY = 6
"""Looks."""
KEPT = Keeping()
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
                await outbox.tidy(KEPT)
        except LedgerUnavailable as outage:
            logger.warning("tidying waits", error=str(outage))
        looks += 1
        await asyncio.sleep(LOOK_EVERY_S)
