"""The word on a sale that comes from outside its post: heard by whoever has it in doubt."""

import asyncio
from typing import Protocol

import structlog

from exchange.delivery.answer import Accepted, Refused, says_duplicate
from exchange.delivery.delivery import Delivered
from exchange.domain.ids import SaleId
from exchange.ledger.decisions import Decision
from exchange.ledger.errors import LedgerUnavailable
from exchange.story.waiting import Waiting

logger = structlog.get_logger(__name__)
LOOK_AGAIN_S = 5.0
"""A notice may be missed, while the listener's connection is replaced; then this is how late."""


class Words(Protocol):
    """Where decisions are kept."""

    async def of(self, sale_id: SaleId) -> Decision | None:
        """Return the word on a sale; None where none came yet."""


class Deciding:
    """Waits for the decision on a sale, from whichever worker it comes."""

    def __init__(self, words: Words, waiting: Waiting) -> None:
        """Take where decisions are kept, and who tells of new ones, by the sale's id."""
        self._words = words
        self._waiting = waiting

    async def word_on(self, sale_id: SaleId) -> Delivered:
        """Return the decision, once there is one, as if the buyer had answered it to the post."""
        async with self._waiting.of(sale_id) as moved:
            while True:
                try:
                    decision = await self._words.of(sale_id)
                except LedgerUnavailable:
                    decision = None
                if decision is not None:
                    logger.info("sale decided", sale_id=sale_id, by=decision.by)
                    return Delivered(answer_of(decision), 0.0)
                await moved(LOOK_AGAIN_S)


def answer_of(decision: Decision) -> Accepted | Refused:
    """Return a decision as the answer to a post."""
    if decision.accepted:
        return Accepted(reference=decision.reference, redirect_url=decision.redirect_url)
    return Refused(decision.note, says_duplicate(decision.note))


async def nobody_tells(_sale_id: SaleId) -> Delivered:
    """Wait for good: of stations where decisions come only as answers to posts."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")
