"""The third story: market state that was lost is noticed, and built anew before selling goes on.

All of it is of an epoch that the ledger knows, in a server that the ledger knows. Where the server
says another one, or none (emptied, failed over to an older copy, restarted without its last
second), a new epoch begins: nothing can be held or claimed under the old one, every worker says
that what it began and awarded under the old one is written, and one of them builds everything from
the books.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import structlog

from exchange.domain.recounting import tags
from exchange.domain.recounting_volume import limited
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import Recount, Recounting
from exchange.market.errors import MarketUnavailable
from exchange.market.market import Market
from exchange.market.restoring import Restoring
from exchange.story.parts import Parts
from exchange.story.recounting import Present, Terms

logger = structlog.get_logger(__name__)

TURN_EVERY_S = 0.05
ACKNOWLEDGED_WITHIN_S = 3.0
"""A worker that says nothing for so long hangs or is gone: its leads are taken over."""
HANGS_S = 30.0
"""Who has its turn and asks the ledger nothing for so long hangs: it loses its turn, and no more,
for what it closed is closed anew under another name."""
POLLS = 40
"""How often it is looked whether it is our turn before it is looked whether somebody hangs."""
UNKNOWN = "unknown"
"""An epoch that nothing is of: what this worker asks for while it knows no other."""


async def nothing_begun() -> None:
    """Return: of whoever sells nothing itself."""


class Rebuilding:
    """Keeps one worker's market state whole; without a worker's id it holds nothing itself."""

    def __init__(
        self,
        market: Market,
        state: Restoring,
        books: Recounting,
        present: Present,
        terms: Terms,
        *,
        written: Callable[[], Awaitable[None]] = nothing_begun,
    ) -> None:
        """Take market state and the books; nothing is asked yet, and nothing can be held.

        `written` returns once every lead that has begun here by now, and may have its claim or its
        Idempotency-Key, is on the books or never will be. Errors: LedgerUnavailable.
        """
        self._market = market
        self._state = state
        self._books = books
        self._present = present
        self._terms = terms
        self._written = written
        self.parts = Parts(market, state, present, terms)
        self._seen = self._told = -1
        self.is_whole = False
        """Market state is what the books say, as far as is known."""
        market.epoch = UNKNOWN

    async def run(self, every_s: float) -> None:
        """Look now and then, and at once where something was not as it should be, for good."""
        while True:
            await self.look()
            self._market.stale.clear()
            try:
                async with asyncio.timeout(every_s):
                    await self._market.stale.wait()
            except TimeoutError:
                continue
            self.parts.opened.clear()

    async def look(self) -> None:
        """Make sure that market state is whole; where that cannot be, say so."""
        try:
            await self.ensure()
        except (LedgerUnavailable, MarketUnavailable) as outage:
            self.is_whole = False
            logger.warning("market state not known to be whole", problem=str(outage))
        except Exception as error:  # whatever it is, nothing is held until it is over
            self.is_whole = False
            logger.exception("market state not rebuilt", exc_info=error)

    def changed(self) -> None:
        """Take note of another market: it has parts that nobody sold by yet."""
        self._market.stale.set()

    async def ensure(self) -> bool:
        """Return once market state is whole; True where it had to be built.

        Errors: LedgerUnavailable, MarketUnavailable.
        """
        if await self._is_unchanged() and await self._open_new():
            await self._count_anew()
            return False
        self.is_whole = False
        async with self._books() as recount:
            for polls in count(1):
                number, server = await recount.epoch()
                await self._adopt(recount, number)
                said, found, generation = await self._found()
                if server == found and said == str(number):
                    self._market.whole_in = found
                    if await self._open_new(recount):
                        break
                elif await recount.try_turn():
                    try:
                        if await self._build(recount):
                            return True
                    finally:
                        await recount.end_turn()
                else:
                    await self._wait_for_turn(recount, polls)
        await self._market.read_rooms()  # what was read ahead may be of what was lost
        self._seen = generation
        self.is_whole = True
        return False

    async def _count_anew(self) -> None:
        """Put right of whom something may be missing: lost with market state, or new as a limit."""
        market = self._present()
        doubted = self._market.doubted & {*market.buyers, *limited(market)}
        if not doubted:
            return
        async with self._books() as recount:
            if not await recount.try_turn():
                return  # whoever closes what another one reads undoes it: the next look comes soon
            # Who is doubted again meanwhile stays so: that may be of what was not read any more.
            self._market.doubted -= doubted
            done = False
            try:
                done = await self.parts.restore_buyers(recount, self._present(), sorted(doubted))
            finally:
                if not done:
                    self._market.doubted |= doubted
                await recount.end_turn()

    async def _is_unchanged(self) -> bool:
        """Tell whether it is the server that was seen whole, and says the same epoch still."""
        if not self.is_whole or self._seen != self._state.generation:
            return False
        return await self.parts.says(self._market.epoch)

    async def _found(self) -> tuple[str, str, int]:
        """Return of which epoch market state is, in which server, and how often that was met.

        In this order: of a server that was asked nothing for a while only the last one is known.
        """
        said = await self._state.epoch()
        return said, self._state.server, self._state.generation

    async def _adopt(self, recount: Recount, number: int) -> None:
        """Hold and claim under this epoch from now on, and say so once the past is written."""
        if self._told == number:
            return
        # First this: a story that finds it unchanged after its award was durable has awarded before
        # anybody was told, and is seen by whoever reads the books after that.
        self._market.epoch = str(number)
        self.parts.opened.clear()
        if self._terms.worker_id is not None:
            await self._written()
            await recount.acknowledge(self._terms.worker_id, number)
        self._told = number

    # What is new to a market that is whole

    async def _open_new(self, recount: Recount | None = None) -> bool:
        """Open what this market sells by and nobody sold by yet; False where something was lost."""
        new = sorted(set(tags(self._present())) - self.parts.opened)
        if not new:
            return True
        if not await self.parts.not_open(new):
            return await self.parts.says(self._market.epoch)
        if recount is not None:
            return await self._open_in_turn(recount, new)
        async with self._books() as books:
            return await self._open_in_turn(books, new)

    async def _open_in_turn(self, recount: Recount, new: Sequence[str]) -> bool:
        """Open these parts, unless others do meanwhile."""
        for polls in count(1):
            left = await self.parts.not_open(new)
            if not left:
                break
            if await recount.try_turn():
                try:
                    return await self.parts.open(recount, await self.parts.not_open(left))
                finally:
                    await recount.end_turn()
            await self._wait_for_turn(recount, polls)
        return await self.parts.says(self._market.epoch)

    async def _wait_for_turn(self, recount: Recount, polls: int) -> None:
        """Wait a little; now and then take the turn from whoever hangs."""
        if polls % POLLS == 0 and await recount.free_turn(HANGS_S):
            logger.warning("whoever built market state hangs")
        await asyncio.sleep(TURN_EVERY_S)

    # All of it

    async def _build(self, recount: Recount) -> bool:
        """Begin another epoch and build all of it; False where somebody was faster."""
        said, server, generation = await self._found()
        number, built_in = await recount.epoch()
        if built_in == server and said == str(number):
            return False
        number = await recount.begin_epoch()
        logger.warning("market state is rebuilt", epoch=number)
        # Whoever finds it as it was has no reason to ask the books, and would never say that it
        # holds under the new one.
        await self.parts.announce()
        await self._adopt(recount, number)
        self._market.whole_in = server
        await self._acknowledged(recount, number)
        snapshot = self._present()
        if not await self.parts.build(recount, snapshot, server):
            return False  # what was written was lost, too
        await recount.finish_epoch(number, server)
        if await recount.epoch() != (number, server):
            return False  # somebody thought that this one was gone, and builds the next
        await self._market.read_rooms()
        self._seen = generation
        self.is_whole = True
        logger.info("market state is whole", epoch=number)
        return True

    async def _acknowledged(self, recount: Recount, number: int) -> None:
        """Wait until no worker can award, or write a lead, under an older epoch any more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ACKNOWLEDGED_WITHIN_S
        # A command takes nobody's leads over: to it, whose lease has run out is gone.
        and_dead = self._terms.worker_id is not None
        while behind := await recount.behind(number, and_dead=and_dead):
            if loop.time() >= until:
                logger.warning("workers say nothing", worker_ids=behind)
                await recount.expire(behind)
                until = loop.time() + ACKNOWLEDGED_WITHIN_S
            await asyncio.sleep(TURN_EVERY_S)
