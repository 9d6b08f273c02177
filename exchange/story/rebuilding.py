"""The third story: market state that was lost is noticed, and built anew before selling goes on.

All of it is of an epoch that the ledger knows, in a server that the ledger knows. Where the server
says another one, or none (emptied, failed over to an older copy, restarted without its last
second), a new epoch begins: nothing can be held or claimed under the old one, every worker says
that what it awarded under the old one is written, and one of them builds everything from the books.
"""

import asyncio
from collections.abc import Sequence

import structlog

from exchange.domain.recounting import tags
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import Recount, Recounting
from exchange.market.errors import MarketUnavailable
from exchange.market.market import Market
from exchange.market.restoring import Restoring
from exchange.story.recounting import (
    Present,
    Terms,
    read_books,
    read_claims,
    read_purchases,
    read_requests,
    restored,
)

logger = structlog.get_logger(__name__)

TURN_EVERY_S = 0.05
ACKNOWLEDGED_WITHIN_S = 3.0
"""A worker that says nothing for so long hangs or is gone: its leads are taken over."""
CLOSED_FOR_S = 60.0
NAME_BYTES = 8
UNKNOWN = "unknown"
"""An epoch that nothing is of: what this worker asks for while it knows no other."""


class Rebuilding:
    """Keeps one worker's market state whole; without a worker's id it holds nothing itself."""

    def __init__(
        self, market: Market, state: Restoring, books: Recounting, present: Present, terms: Terms
    ) -> None:
        """Take market state and the books; nothing is asked yet, and nothing can be held."""
        self._market = market
        self._state = state
        self._books = books
        self._present = present
        self._terms = terms
        self._marked: set[str] = set()
        self._seen = -1
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
            self._marked.clear()

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
        if await self._is_unchanged():
            await self._mark()
            if await self._is_unchanged():
                return False
        self.is_whole = False
        async with self._books() as recount:
            while True:
                number, server = await recount.epoch()
                await self._adopt(recount, number)
                found = self._state.server
                if server == found and await self._state.epoch() == str(number):
                    self._market.whole_in = found
                    break
                if await recount.try_turn():
                    try:
                        if await self._build(recount):
                            return True
                    finally:
                        await recount.end_turn()
                else:
                    await asyncio.sleep(TURN_EVERY_S)
        self._seen = self._state.generation
        await self._mark()
        await self._market.read_rooms()  # what was read ahead may be of what was lost
        self.is_whole = True
        return False

    async def _is_unchanged(self) -> bool:
        """Tell whether it is the server that was seen whole, and says the same epoch still."""
        if not self.is_whole or self._seen != self._state.generation:
            return False
        return await self._state.epoch() == self._market.epoch

    async def _adopt(self, recount: Recount, number: int) -> None:
        """Hold under this epoch from now on, and say so."""
        if self._market.epoch == str(number):
            return
        # First this: a story that finds it unchanged after its award was durable has awarded before
        # anybody was told, and is seen by whoever reads the books after that.
        self._market.epoch = str(number)
        self._marked.clear()
        if self._terms.worker_id is not None:
            await recount.acknowledge(self._terms.worker_id, number)

    async def _mark(self) -> None:
        """Open what this market sells by and nobody sold by yet."""
        new = set(tags(self._present())) - self._marked
        if new:
            await self._state.mark(sorted(new), self._market.epoch)
            self._marked |= new

    async def _build(self, recount: Recount) -> bool:
        """Begin another epoch and build all of it; False where somebody was faster."""
        server, generation = self._state.server, self._state.generation
        number, built_in = await recount.epoch()
        if built_in == server and await self._state.epoch() == str(number):
            return False
        number = await recount.begin_epoch()
        logger.warning("market state is rebuilt", epoch=number)
        await self._adopt(recount, number)
        self._market.whole_in = server
        await self._acknowledged(recount, number)
        await self._state.begin(self._market.epoch)
        snapshot = self._present()
        await self.restore_buyers(recount, snapshot, list(snapshot.buyers))
        await self._restore_rest(recount, snapshot)
        # Not before the requests of the same sellers are known again: this opens them.
        await self.restore_buyers(recount, snapshot, limited(snapshot))
        # Each buyer was marked with what was written of it.
        self._marked |= {f"buyer:{name}" for name in snapshot.buyers}
        await self._mark()
        if not await self._state.make_whole(self._market.epoch):
            return False  # what was written was lost, too
        if self._state.generation != generation:
            return False
        await recount.finish_epoch(number, server)
        await self._market.read_rooms()
        self._seen = generation
        self.is_whole = True
        logger.info("market state is whole", epoch=number)
        return True

    async def _acknowledged(self, recount: Recount, number: int) -> None:
        """Wait until no worker can award under an older epoch any more."""
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

    async def _restore_rest(self, recount: Recount, snapshot: Snapshot) -> None:
        """Let claims stand, and requests and purchases be remembered, as the books say.

        Turns are not restored: they are no truth, and where they were lost they begin anew.
        """
        now_us = self._terms.now_us()
        await self._state.keep(await read_claims(recount, snapshot, self._terms, now_us))
        await self._state.recall(await read_requests(recount, self._terms, now_us))
        for one in await read_purchases(recount, snapshot, self._terms, now_us):
            await self._market.remember_purchase(one.person_keys, one.buyer_id, one.until_us)

    async def restore_buyers(
        self, recount: Recount, snapshot: Snapshot, buyer_ids: Sequence[str]
    ) -> None:
        """Put these buyers or sellers right; who sells to, or for, them waits, for a moment."""
        left = list(buyer_ids)
        while left:
            name = self._terms.entropy(NAME_BYTES).hex()
            standings = await self._state.close(left, name, CLOSED_FOR_S)
            books = await read_books(recount, snapshot, standings, self._terms.now_us())
            again = []
            for buyer_id in left:
                wanted = restored(buyer_id, books, standings[buyer_id], snapshot)
                if not await self._state.restore(
                    wanted, name, self._market.epoch, self._terms.now_us()
                ):
                    again.append(buyer_id)
            left = again
