"""Who waits for a lead to move: woken by the ledger's notices, from whichever worker they come."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from exchange.domain.ids import LeadId


class Waiting:
    """The leads that somebody here waits for."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._events: defaultdict[LeadId, set[asyncio.Event]] = defaultdict(set)

    def moved(self, lead_id: str) -> None:
        """Wake all who wait for this lead."""
        for event in self._events.get(LeadId(lead_id), ()):
            event.set()

    def all_may_have_moved(self) -> None:
        """Wake everybody: notices may have been missed."""
        for events in self._events.values():
            for event in events:
                event.set()

    @asynccontextmanager
    async def of(self, lead_id: LeadId) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """Yield a wait of so many seconds; a move since the last one, or since entering, counts."""
        event = asyncio.Event()
        self._events[lead_id].add(event)

        async def moved(timeout_s: float) -> None:
            try:
                await asyncio.wait_for(event.wait(), timeout_s)
            except TimeoutError:
                return
            event.clear()

        try:
            yield moved
        finally:
            self._events[lead_id].discard(event)
            if not self._events[lead_id]:
                del self._events[lead_id]
