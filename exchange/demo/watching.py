"""Hears what the seller process tells, looks up what happened, and shows both while it goes on."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import msgspec

from exchange.demo.children import Child
from exchange.demo.order import Heard, Oddity, Order
from exchange.demo.reading import Reading
from exchange.demo.tally import Tally
from exchange.ledger.errors import LedgerUnavailable

DECODER = msgspec.json.Decoder(Heard)
ENCODER = msgspec.json.Encoder()

SETTLED_AFTER_US = 2_000_000
"""Quotes are counted once they are this old: a ping is answered long before."""

LOOKED_UP_AT_ONCE = 500


def now_us() -> int:
    """Return the wall time."""
    return time.time_ns() // 1000


class Watching:
    """One run as it is heard and looked up; `show` is called every so often."""

    def __init__(
        self, reading: Reading, tally: Tally, show: Callable[[], None], every_s: float
    ) -> None:
        self.reading = reading
        self.tally = tally
        self.show = show
        self.every_s = every_s
        self.heard: list[Heard] = []
        self.looked_up = 0
        """How many of those in `heard` were looked up."""
        self.quotes_until_us = tally.begun_us

    async def run(
        self, seller: Child, order: Order, stop: asyncio.Event, others: Sequence[Child]
    ) -> None:
        """Let the seller carry out its order, until it is done or told to stop, and follow it.

        Errors: a group of ChildError where the seller or one of the others ends before its time.
        """
        async with asyncio.TaskGroup() as beside:
            tasks: list[asyncio.Task[None]] = [
                beside.create_task(self._look()),
                beside.create_task(stopping(seller, stop)),
                *(beside.create_task(guard(child)) for child in others),
            ]
            await seller.write_line(ENCODER.encode(order))
            while (line := await seller.read_line()) is not None:
                heard = DECODER.decode(line)
                self.heard.append(heard)
                self.tally.hear(heard, now_us())
            if await seller.running.wait():
                raise seller.failure()
            for task in tasks:
                task.cancel()
        await self._learn(now_us())
        self.show()

    async def _look(self) -> None:
        """Look up what happened since the last time, and show it, again and again."""
        while True:
            await asyncio.sleep(self.every_s)
            with contextlib.suppress(LedgerUnavailable):  # the next look makes up for it
                await self._learn(now_us() - SETTLED_AFTER_US)
            self.show()

    async def _learn(self, quotes_until_us: int) -> None:
        """Learn of all quotes until then, and of all leads that were heard of."""
        if quotes_until_us > self.quotes_until_us:
            quotes = await self.reading.quotes(self.quotes_until_us, quotes_until_us)
            self.quotes_until_us = quotes_until_us
            for campaign, digest in quotes:
                self.tally.learn(digest, None, now_us())
                self.tally.campaign(campaign).met.update(digest.marks)
        while fresh := self.heard[self.looked_up : self.looked_up + LOOKED_UP_AT_ONCE]:
            # Tests are left out of every report.
            leads = {
                one.lead_id: one
                for one in fresh
                if one.lead_id is not None and one.oddity is not Oddity.TEST
            }
            digests = await self.reading.digests(leads)
            self.looked_up += len(fresh)
            for lead_id, digest in digests.items():
                self.tally.learn(digest, leads[lead_id], now_us())


async def guard(child: Child) -> None:
    """Raise ChildError as soon as the child has ended."""
    await child.running.wait()
    raise child.failure()


async def stopping(seller: Child, stop: asyncio.Event) -> None:
    """Ask the seller to end as soon as somebody wants to stop."""
    await stop.wait()
    seller.ask_to_end()
