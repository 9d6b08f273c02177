"""Who bought whom: the buyers of a person, by each way to recognize one."""

import asyncio
from collections.abc import Callable, Sequence

from exchange.market import function, keys
from exchange.market.caller import Caller
from exchange.market.errors import MarketStale
from exchange.market.insisting import Insist


class Purchases:
    """Purchases by person. Errors: MarketUnavailable."""

    def __init__(self, link: Caller, insist: Insist, clock: Callable[[], int]) -> None:
        """Take the link, how to ask where the epoch must be right, and the time in microseconds."""
        self._link = link
        self._insist = insist
        self._clock = clock

    async def remember_purchase(
        self, person_keys: Sequence[str], buyer_id: str, until_us: int
    ) -> None:
        """Remember until then that this buyer bought the person of these keys."""
        arguments = (buyer_id, until_us, self._clock())
        await asyncio.gather(
            *[
                self._link.call(function.REMEMBER, (keys.person(key),), arguments)
                for key in person_keys
            ]
        )

    async def bought_by(self, person_keys: Sequence[str]) -> frozenset[str]:
        """Return which buyers bought the person that any of these keys names."""
        now_us = self._clock()

        async def ask(epoch: str) -> list[list[bytes]]:
            # A person's part has no epoch of its own: nobody could say it of all who never bought.
            of: asyncio.Future[bytes | None] | None = None
            if epoch:
                of = self._link.call(function.EPOCH, (keys.EPOCH,))
            replies: list[list[bytes]] = await asyncio.gather(
                *[
                    self._link.call(function.BOUGHT_BY, (keys.person(key),), (now_us,))
                    for key in person_keys
                ]
            )
            if of is not None and await of != epoch.encode():
                raise MarketStale(address="its server", problem="its data are being rebuilt")
            return replies

        replies = await self._insist(ask)
        return frozenset(buyer_id.decode() for reply in replies for buyer_id in reply)
