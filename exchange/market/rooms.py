"""What is used of every buyer's limits, read ahead, so that full buyers are not pinged.

Only a look ahead: the hold alone decides. The figures are at most one interval and a round trip
old, and what this worker's own calls moved is as new as their replies, because all replies are
taken in the order in which the server gave them. While the server is away they grow older; what is
settled is then soon called unknown, for nobody is asked any more who has no room beside it.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NoReturn

import structlog

from exchange.domain.caps import Used
from exchange.market import keys
from exchange.market.caller import Caller
from exchange.market.errors import MarketError, MarketUnavailable
from exchange.market.function import COUNTERS

logger = structlog.get_logger()

NOTHING: Used = {}

KNOWN_FOR_S = 1.0
"""For how long after it was asked for a reading tells what is settled."""

SLICE = 32
"""How many buyers one write asks for: a hold never waits behind the counters of hundreds."""


def counted(reply: Sequence[bytes]) -> tuple[dict[str, int], dict[str, int]]:
    """Return settled plus held, and settled alone, by counter, from fields and counts in turn."""
    used: dict[str, int] = {}
    settled: dict[str, int] = {}
    for field, text in zip(reply[::2], reply[1::2], strict=True):
        counter, count = field[:-2].decode(), int(text)
        used[counter] = used.get(counter, 0) + count
        if field.endswith(b"s"):
            settled[counter] = count
    return used, settled


class Rooms:
    """The counters of the buyers being watched, as last heard."""

    def __init__(self, link: Caller, *, interval_s: float) -> None:
        self._link = link
        self._interval_s = interval_s
        self._used: dict[str, dict[str, int]] = {}
        self._settled: dict[str, dict[str, int]] = {}
        self._read_at: float | None = None
        """When the last reading of all was asked for."""
        self._replies: dict[str, Sequence[bytes]] = {}
        """Each buyer's last reply, while nothing else was heard: most have nothing new to say."""
        self._questions: list[tuple[tuple[str, ...], bytes]] = []
        """Slices of the buyers, and what asks for their counters: always the same."""
        self._changed = asyncio.Event()

    def watch(self, buyer_ids: Iterable[str]) -> None:
        """Read ahead for these buyers from now on, and for no others."""
        self._used = {buyer_id: self._used.get(buyer_id, {}) for buyer_id in buyer_ids}
        self._settled = {buyer_id: self._settled.get(buyer_id, {}) for buyer_id in self._used}
        self._replies.clear()
        watched = tuple(self._used)
        slices = [watched[start : start + SLICE] for start in range(0, len(watched), SLICE)]
        self._questions = [(ids, COUNTERS.pack_each(map(keys.counters, ids))) for ids in slices]
        self._changed.set()

    def used(self, buyer_id: str) -> Used:
        """Return settled plus held by counter, as last heard; empty where nothing was."""
        return self._used.get(buyer_id, NOTHING)

    def settled(self, buyer_id: str) -> Used:
        """Return what is settled by counter, as last read, for domain.spent.

        Empty where that was more than a second ago: less may be settled only by a return since.
        """
        now = asyncio.get_running_loop().time()
        if self._read_at is None or now - self._read_at > KNOWN_FOR_S:
            return NOTHING
        return self._settled.get(buyer_id, NOTHING)

    def note(self, buyer_id: str, heard: Mapping[str, int]) -> None:
        """Take over what a hold, or its end, told of some counters."""
        used = self._used.get(buyer_id)
        if used is not None:
            used.update(heard)
            self._replies.pop(buyer_id, None)
            settled = self._settled[buyer_id]
            for counter, count in heard.items():
                if settled.get(counter, 0) > count:  # something was returned
                    settled[counter] = count

    async def read(self) -> None:
        """Read the counters of all watched buyers. Errors: MarketUnavailable."""
        began = asyncio.get_running_loop().time()
        for buyer_ids, packed in tuple(self._questions):
            take = partial(self._take, iter(buyer_ids))
            await self._link.call_each(COUNTERS, packed, len(buyer_ids), take)
        self._read_at = began

    async def run(self) -> NoReturn:
        """Read again and again; an outage is the link's to tell, and ends by itself."""
        while True:
            self._changed.clear()
            try:
                await self.read()
            except MarketUnavailable:
                pass
            except MarketError as error:
                logger.warning("rooms not read", problem=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._changed.wait()

    def _take(self, buyer_ids: Iterator[str], reply: Sequence[bytes]) -> None:
        buyer_id = next(buyer_ids)
        if buyer_id in self._used and self._replies.get(buyer_id) != reply:
            self._used[buyer_id], self._settled[buyer_id] = counted(reply)
            self._replies[buyer_id] = reply
