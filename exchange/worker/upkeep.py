"""What a worker does now and then so that its stores stay right, and tell what happened."""

import asyncio
import os

import asyncpg
import structlog

from exchange.configuration.pausing import end_pilot
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import recounting
from exchange.ledger.sealing import Sealer
from exchange.ledger.seals import SEALS
from exchange.market.errors import MarketUnavailable
from exchange.story.piloting import Piloting
from exchange.story.rebuilding import Rebuilding
from exchange.story.recounting import Terms
from exchange.story.story import Story
from exchange.worker.base import Base
from exchange.worker.ground import Ground
from exchange.worker.state import S_PER_HOUR

logger = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
TIDIED_AT_ONCE = 1000


async def open_rebuilding(base: Base, story: Story) -> Rebuilding:
    """Return who puts market state right where it was lost; it has looked once."""
    ground = base.ground
    terms = Terms(
        worker_id=ground.worker_id,
        once_s=ground.settings.idempotency_hours * S_PER_HOUR,
        claim_secret=ground.vault.derive("claims"),
        now_us=ground.now_us,
        entropy=os.urandom,
    )
    rebuilding = Rebuilding(
        base.state.market,
        base.state.restoring,
        recounting(base.books.connections, ground.vault),
        base.present,
        terms,
        written=story.written,
    )
    await rebuilding.look()
    ground.beside(rebuilding.run(LOOK_EVERY_S))
    return rebuilding


def open_piloting(base: Base) -> Piloting:
    """Return who pauses whose pilot is over: buyers, offers, sellers, campaigns."""
    ground = base.ground

    async def end(kind: str, name: str) -> bool:
        """Pause one; True where no other worker was faster."""
        # Not one of the ledger's connections: those send JSON as bytes.
        timeout_s = ground.database_timeout_s
        connection = await asyncpg.connect(
            ground.urls.database_url, timeout=timeout_s, command_timeout=timeout_s
        )
        try:
            version = await end_pilot(connection, kind, name)
        finally:
            await connection.close()
        if version is not None:
            ground.metrics.pilot_ended(kind, name)
        return version is not None

    piloting = Piloting(base.state.market, base.present, end)
    base.state.market.holds.on_refused = piloting.refused
    ground.beside(piloting.run(LOOK_EVERY_S))
    return piloting


def open_sealer(base: Base) -> None:
    """Seal the heads of all chains now and then."""
    ground = base.ground
    sealer = Sealer(base.books.connections, ground.vault.derive(SEALS), ground.now_us)
    ground.beside(sealer.run(ground.settings.seal_every_s))


async def tidy(base: Base) -> None:
    """Delete now and then what is kept for a set time only."""
    now_us = base.ground.now_us
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        try:
            await base.books.ledger.expire_captures(now_us(), TIDIED_AT_ONCE)
            await base.state.market.prune(now_us())
        except (LedgerUnavailable, MarketUnavailable) as outage:
            logger.warning("tidying waits", error=str(outage))


def open_counting(ground: Ground) -> None:
    """Hand over what was counted, so that any worker's page shows all of it soon."""

    async def count() -> None:
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            ground.metrics.tasks.set(len(asyncio.all_tasks()))
            ground.metrics.hand_over()

    ground.stack.callback(ground.metrics.hand_over)
    ground.beside(count())
