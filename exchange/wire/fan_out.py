"""What one fan-out is made of while it is waited for."""

import asyncio
from collections.abc import Callable, Sequence

from exchange.wire.call import Call

OnAnswer = Callable[[Call], bool]
"""Is told of every call that ends; True: enough was heard."""


class FanOut:
    """Calls that are waited for together."""

    __slots__ = ("calls", "done", "left", "next", "on_answer", "order", "timer")

    def __init__(
        self, calls: Sequence[Call], done: asyncio.Future[None], on_answer: OnAnswer | None
    ) -> None:
        self.calls = calls
        self.done = done
        self.on_answer = on_answer
        self.left = len(calls)
        self.order: Sequence[Call] = ()  # by when their time is up, once that is known
        self.next = 0
        self.timer: asyncio.TimerHandle | None = None
