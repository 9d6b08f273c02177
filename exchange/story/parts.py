"""Parts of market state put right: closed under a name, written from the books, opened by it.

None is ever opened blindly. What was lost between closing and opening has lost the name as well and
stays closed, however long whoever closed it slept.
"""

import asyncio
from collections.abc import Iterable, Sequence

from exchange.domain.recounting import tags
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.ledger.recount import Recount
from exchange.market import keys
from exchange.market.market import Market
from exchange.market.restoring import AT_ONCE, CLOSED, Restoring, closed
from exchange.story.recounting import (
    Present,
    Terms,
    read_books,
    read_claims,
    read_purchases,
    read_requests,
    restored,
)

CLOSED_FOR_S = 60.0
NAME_BYTES = 8


class Parts:
    """Opens parts of market state, of the epoch that its market holds under."""

    def __init__(self, market: Market, state: Restoring, present: Present, terms: Terms) -> None:
        """Take market state and the market as it is; nothing is asked yet."""
        self._market = market
        self._state = state
        self._present = present
        self._terms = terms
        self.opened: set[str] = set()
        """Those that were of the present epoch when last looked at."""

    async def says(self, epoch: str) -> bool:
        """Tell whether all of market state is of this epoch, in the server that is believed."""
        in_it = self._state.server == self._market.whole_in
        return in_it and await self._state.epoch() == epoch

    async def not_open(self, some: Sequence[str]) -> list[str]:
        """Return those parts that are not of the present epoch; a closed holder opens by itself."""
        others, _, _ = parted(some, self._present())
        left = []
        for tag, epoch in zip(some, await self._state.epochs(some), strict=True):
            if epoch == self._market.epoch:
                self.opened.add(tag)
            elif tag in others or not epoch.startswith(CLOSED):
                left.append(tag)
        return left

    async def open(self, recount: Recount, new: Sequence[str]) -> bool:
        """Open parts of a market that is whole; a buyer may have been in it before.

        That all of it is whole after they were closed shows that nobody lost anything of them; that
        the name is still there when they are opened, that nobody did since.
        """
        name, epoch, snapshot = self._name(), self._market.epoch, self._present()
        parts, buyer_ids, seller_ids = parted(new, snapshot)
        others = sorted(parts)
        await self._state.shut(others, name, CLOSED_FOR_S)
        if not await self.says(epoch):
            return False
        if not await self._state.open(others, name, epoch, self._market.whole_in):
            return False
        if not await self.restore_buyers(recount, snapshot, [*buyer_ids, *seller_ids]):
            return False
        self.opened |= set(new)
        return True

    async def announce(self) -> None:
        """Let everybody find that market state is not whole: it is about to be built."""
        await self._state.shut_all(self._name())

    async def build(self, recount: Recount, snapshot: Snapshot, server: str) -> bool:
        """Write and open all of them, while nobody holds or claims; False where any was lost."""
        name, epoch = self._name(), self._market.epoch
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
            return False
        self.opened |= set(tags(snapshot))
        return True

    async def _restore_rest(self, recount: Recount, snapshot: Snapshot) -> None:
        """Let claims stand, and requests and purchases be remembered, as the books say.

        Turns are not restored: they are no truth, and where they were lost they begin anew.
        """
        now_us = self._terms.now_us()
        # An older copy has claims and keys of leads that came to nothing, and were others' since.
        await self._state.keep(await read_claims(recount, snapshot, now_us), anew=True)
        requests = await read_requests(recount, self._terms, now_us)
        await self._state.recall(requests, anew=True)
        bought = await read_purchases(recount, snapshot, self._terms, now_us)
        for start in range(0, len(bought), AT_ONCE):
            some = bought[start : start + AT_ONCE]
            await asyncio.gather(
                *[
                    self._market.remember_purchase(one.person_keys, one.buyer_id, one.until_us)
                    for one in some
                ]
            )

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
            if not await self.says(self._market.epoch if while_says is None else while_says):
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
