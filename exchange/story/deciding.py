"""The word on a sale that comes from outside its post: heard by whoever has it in doubt.

The first word stands, and that nobody waits any longer is a word, too: so a buyer that was told
that its word is taken never finds its sale void because time was up at the same moment. Nor does it
find it to be what its own post was answered, where that was heard later: by a worker that had stood
still.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from exchange.delivery.answer import Accepted, InDoubt, Refused, says_duplicate
from exchange.delivery.delivery import Delivered
from exchange.domain.ids import SaleId
from exchange.ledger.decisions import Decision
from exchange.ledger.errors import LedgerUnavailable
from exchange.story.waiting import Waiting

logger = structlog.get_logger(__name__)
LOOK_AGAIN_S = 5.0
"""A notice may be missed, while the listener's connection is replaced; then this is how late."""

EXCHANGE = "exchange"
"""Whose word it is that a sale is void."""
OVER = InDoubt("nobody waits for its buyer's word any longer")
"""What is heard of a sale that was given up already: it is void, or just becoming so."""


class Words(Protocol):
    """Where decisions are kept."""

    async def of(self, sale_id: SaleId) -> Decision | None:
        """Return the word on a sale; None where none came yet."""

    async def decide(self, sale_id: SaleId, decision: Decision) -> bool:
        """Write the decision; False where the sale has its end, or another word came first."""


class Deciding:
    """Waits for the decision on a sale, from whichever worker it comes."""

    def __init__(self, words: Words, waiting: Waiting, now_us: Callable[[], int]) -> None:
        """Take where decisions are kept, and who tells of new ones, by the sale's id."""
        self._words = words
        self._waiting = waiting
        self._now_us = now_us

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

    async def last_word(self, sale_id: SaleId) -> Accepted | Refused | None:
        """Give a sale up, unless a word came before: then return that one.

        None: from now on every word on it is refused. Errors: LedgerUnavailable.
        """
        over = Decision(at_us=self._now_us(), by=EXCHANGE, accepted=False, note=OVER.detail)
        if await self._words.decide(sale_id, over):
            return None
        return await self.said(sale_id)

    async def said(self, sale_id: SaleId) -> Accepted | Refused | None:
        """Return the word that came of a sale, or None. Errors: LedgerUnavailable."""
        decision = await self._words.of(sale_id)
        said = None if decision is None else answer_of(decision)
        return None if isinstance(said, InDoubt) else said


def answer_of(decision: Decision) -> Accepted | Refused | InDoubt:
    """Return a decision as the answer to a post."""
    if decision.by == EXCHANGE:
        return OVER
    if decision.accepted:
        return Accepted(reference=decision.reference, redirect_url=decision.redirect_url)
    return Refused(decision.note, says_duplicate(decision.note))


async def no_word(_sale_id: SaleId) -> None:
    """Return: of stations where decisions come only as answers to posts."""


async def nobody_tells(_sale_id: SaleId) -> Delivered:
    """Wait for good: of stations where decisions come only as answers to posts."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")
