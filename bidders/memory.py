"""One answer per sale, however often its post comes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from exchange.contract.buyer import PostAnswer

CLOSE_GRACE_S = 10.0
"""How long a stopping endpoint waits for its last decisions, as long as a post usually may take."""


class Memory:
    """Gives repetitions of a sale the first one's answer, for the last `size` sales.

    A repetition that comes while the first is still being decided waits for the same decision.
    A decision that failed is forgotten, so that the next repetition decides anew.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.decisions: dict[str, asyncio.Task[PostAnswer]] = {}

    async def answer(
        self, sale: str, decide: Callable[[], Coroutine[Any, Any, PostAnswer]]
    ) -> PostAnswer:
        """Return the sale's one answer, deciding where there is none yet.

        The decision goes on when the one who asked hangs up: the repetition will ask for it.
        """
        decision = self.decisions.get(sale)
        if decision is None:
            decision = self.decisions[sale] = asyncio.create_task(decide())
            decision.add_done_callback(lambda done: self.keep(sale, done))
        return await asyncio.shield(decision)

    async def known(self, sale: str) -> PostAnswer | None:
        """Return the answer of a sale that came; None where none did, or it was forgotten."""
        decision = self.decisions.get(sale)
        return None if decision is None else await asyncio.shield(decision)

    def keep(self, sale: str, decision: asyncio.Task[PostAnswer]) -> None:
        """Forget a failure, and the oldest decision where there is one too many."""
        if decision.cancelled() or decision.exception() is not None:
            del self.decisions[sale]
        elif len(self.decisions) > self.size:
            del self.decisions[next(sale for sale, task in self.decisions.items() if task.done())]

    async def close(self) -> None:
        """Wait for the decisions under way, and give up those that take too long."""
        open_ones = [task for task in self.decisions.values() if not task.done()]
        if open_ones:
            _, late = await asyncio.wait(open_ones, timeout=CLOSE_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
