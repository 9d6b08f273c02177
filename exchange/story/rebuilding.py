"""The third story: market state that was lost is noticed, and built anew before selling goes on.

All of it is of an epoch that the ledger knows, in a server that the ledger knows. Where the server
says another one, or none (emptied, failed over to an older copy, restarted without its last
second), a new epoch begins: nothing can be held or claimed under the old one, every worker says
that what it began and awarded under the old one is written, and one of them builds everything from
the books.

No part is ever opened blindly: it is closed under a name, then put right, then opened by that name.
What was lost in between has lost the name and stays closed, however long its builder slept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from exchange.domain.recounting import tags
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import Recount, Recounting
from exchange.market import keys
from exchange.market.errors import MarketUnavailable
from exchange.market.market import Market
from exchange.market.restoring import CLOSED, Restoring, closed
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
        self._opened: set[str] = set()
        """Parts that were of the present epoch when last looked at."""
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
            self._opened.clear()

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
            return False
        self.is_whole = False
        async with self._books() as recount:
            while True:
                number, server = await recount.epoch()
                await self._adopt(recount, number)
                found, generation = self._state.server, self._state.generation
                if server == found and await self._state.epoch() == str(number):
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
                    await asyncio.sleep(TURN_EVERY_S)
        await self._market.read_rooms()  # what was read ahead may be of what was lost
        self._seen = generation
        self.is_whole = True
        return False

    async def _is_unchanged(self) -> bool:
        """Tell whether it is the server that was seen whole, and says the same epoch still."""
        if not self.is_whole or self._seen != self._state.generation:
            return False
        return await self._says(self._market.epoch)

    async def _says(self, epoch: str) -> bool:
        """Tell whether all of market state is of this epoch, in the server that is believed."""
        in_it = self._state.server == self._market.whole_in
        return in_it and await self._state.epoch() == epoch

    async def _adopt(self, recount: Recount, number: int) -> None:
        """Hold and claim under this epoch from now on, and say so once the past is written."""
        if self._told == number:
            return
        # First this: a story that finds it unchanged after its award was durable has awarded before
        # anybody was told, and is seen by whoever reads the books after that.
        self._market.epoch = str(number)
        self._opened.clear()
        if self._terms.worker_id is not None:
            await self._written()
            await recount.acknowledge(self._terms.worker_id, number)
        self._told = number

    # What is new to a market that is whole

    async def _open_new(self, recount: Recount | None = None) -> bool:
        """Open what this market sells by and nobody sold by yet; False where something was lost."""
        new = sorted(set(tags(self._present())) - self._opened)
        if not new:
            return True
        if not await self._not_open(new):
            return await self._says(self._market.epoch)
        if recount is not None:
            return await self._open_in_turn(recount, new)
        async with self._books() as books:
            return await self._open_in_turn(books, new)

    async def _not_open(self, some: Sequence[str]) -> list[str]:
        """Return those parts that are not of the present epoch; a closed holder opens by itself."""
        others, _, _ = parted(some, self._present())
        left = []
        for tag, epoch in zip(some, await self._state.epochs(some), strict=True):
            if epoch == self._market.epoch:
                self._opened.add(tag)
            elif tag in others or not epoch.startswith(CLOSED):
                left.append(tag)
        return left

    async def _open_in_turn(self, recount: Recount, new: Sequence[str]) -> bool:
        """Open these parts, unless others do meanwhile."""
        while left := await self._not_open(new):
            if await recount.try_turn():
                try:
                    return await self._open(recount, await self._not_open(left))
                finally:
                    await recount.end_turn()
            await asyncio.sleep(TURN_EVERY_S)
        return await self._says(self._market.epoch)

    async def _open(self, recount: Recount, new: Sequence[str]) -> bool:
        """Open parts of a market that is whole; a buyer may have been in it before.

        That all of it is whole after they were closed shows that nobody lost anything of them; that
        the name is still there when they are opened, that nobody did since.
        """
        name, epoch, snapshot = self._name(), self._market.epoch, self._present()
        parts, buyer_ids, seller_ids = parted(new, snapshot)
        others = sorted(parts)
        await self._state.shut(others, name, CLOSED_FOR_S)
        if not await self._says(epoch):
            return False
        if not await self._state.open(others, name, epoch, self._market.whole_in):
            return False
        if not await self.restore_buyers(recount, snapshot, [*buyer_ids, *seller_ids]):
            return False
        self._opened |= set(new)
        return True

    # All of it

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
        name, epoch = self._name(), str(number)
        snapshot = self._present()
        parts, buyer_ids, seller_ids = parted(tags(snapshot), snapshot)
        others = sorted(parts)
        await self._state.shut_all(name)
        await self._state.shut(others, name)
        while_says = closed(name)
        if not await self.restore_buyers(recount, snapshot, buyer_ids, while_says=while_says):
            return False
        await self._restore_rest(recount, snapshot)
        # Not before the requests of the same sellers are known again: this opens them.
        if not (
            await self.restore_buyers(recount, snapshot, seller_ids, while_says=while_says)
            and await self._state.open(others, name, epoch, server)
            and await self._state.open_all(name, epoch, server)
        ):
            return False  # what was written was lost, too
        await recount.finish_epoch(number, server)
        if await recount.epoch() != (number, server):
            return False  # somebody thought that this one was gone, and builds the next
        await self._market.read_rooms()
        self._opened |= set(tags(snapshot))
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

    async def _restore_rest(self, recount: Recount, snapshot: Snapshot) -> None:
        """Let claims stand, and requests and purchases be remembered, as the books say.

        Turns are not restored: they are no truth, and where they were lost they begin anew.
        """
        now_us = self._terms.now_us()
        # An older copy has claims and keys of leads that came to nothing, and were others' since.
        await self._state.keep(await read_claims(recount, snapshot, now_us), anew=True)
        requests = await read_requests(recount, self._terms, now_us)
        await self._state.recall(requests, anew=True)
        for one in await read_purchases(recount, snapshot, self._terms, now_us):
            await self._market.remember_purchase(one.person_keys, one.buyer_id, one.until_us)

    async def restore_buyers(
        self,
        recount: Recount,
        snapshot: Snapshot,
        buyer_ids: Sequence[str],
        *,
        while_says: str | None = None,
    ) -> bool:
        """Put these buyers or sellers right; who sells to, or for, them waits, for a moment.

        False where all of market state does not say `while_says` (the present epoch) once they are
        closed: something was lost, and a hold that is on no book yet may be among it.
        """
        left = list(buyer_ids)
        while left:
            name = self._name()
            for_s = CLOSED_FOR_S if while_says is None else None  # who builds all must end it
            standings = await self._state.close(left, name, for_s)
            if not await self._says(self._market.epoch if while_says is None else while_says):
                return False
            books = await read_books(recount, snapshot, standings, self._terms.now_us())
            wanted = [restored(one, books, standings[one], snapshot) for one in left]
            left = await self._state.restore(wanted, name, self._market.epoch, self._terms.now_us())
        return True

    def _name(self) -> str:
        """Return a name under which nobody else closes anything."""
        return self._terms.entropy(NAME_BYTES).hex()


def parted(some: Iterable[str], snapshot: Snapshot) -> tuple[set[str], list[str], list[str]]:
    """Return the parts in which nothing is held, the buyers, and the sellers that hold, too."""
    buyers = {keys.tag(one): one for one in snapshot.buyers}
    sellers = {keys.tag(one): one for one in limited(snapshot)}
    tags_of = list(some)
    others = {tag for tag in tags_of if tag not in buyers and tag not in sellers}
    return (
        others,
        [buyers[tag] for tag in tags_of if tag in buyers],
        [sellers[tag] for tag in tags_of if tag in sellers],
    )
