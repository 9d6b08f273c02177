"""Who waits for a lead, or a sale, to move: woken by notices from whichever worker they come."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from exchange.domain.ids import LeadId, SaleId


class Waiting:
    """The leads, or the sales, that somebody here waits for."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        # In the order in which they came: a set's would be that of their addresses.
        self._events: defaultdict[str, dict[asyncio.Event, None]] = defaultdict(dict)

    def moved(self, subject: str) -> None:
        """Wake all who wait for this one."""
        for event in self._events.get(subject, ()):
            event.set()

    def all_may_have_moved(self) -> None:
        """Wake everybody: notices may have been missed."""
        for events in self._events.values():
            for event in events:
                event.set()

    @asynccontextmanager
    async def of(
        self, subject: LeadId | SaleId
    ) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """Yield a wait of so many seconds; a move since the last one, or since entering, counts."""
        event = asyncio.Event()
        self._events[subject][event] = None

        async def moved(timeout_s: float) -> None:
            try:
                await asyncio.wait_for(event.wait(), timeout_s)
            except TimeoutError:
                return
            event.clear()

        try:
            yield moved
        finally:
            self._events[subject].pop(event, None)
            if not self._events[subject]:
                del self._events[subject]
