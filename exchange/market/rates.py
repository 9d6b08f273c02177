"""How often each offer is pinged, counted in market state for all workers and machines together."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from exchange.domain.offer import Offer
from exchange.market import keys
from exchange.market.caller import Caller
from exchange.market.function import RATE


class Rates:
    """The turns of offers that name a rate."""

    def __init__(self, link: Caller, *, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since the epoch."""
        self._link = link
        self._clock = clock

    async def without_turn(self, offers: Iterable[Offer]) -> frozenset[str]:
        """Take a turn for each of these offers; return the ids of those that have none now.

        One round trip, one call for each buyer. Errors: MarketUnavailable.
        """
        by_buyer: defaultdict[str, list[Offer]] = defaultdict(list)
        for offer in offers:
            by_buyer[offer.buyer.id].append(offer)
        now_us = self._clock()
        asked = list(by_buyer.items())
        replies = await asyncio.gather(*[self._ask(*one, now_us) for one in asked])
        return frozenset(
            offer.id
            for (_, theirs), reply in zip(asked, replies, strict=True)
            for offer, has_turn in zip(theirs, reply, strict=True)
            if not has_turn
        )

    def _ask(
        self, buyer_id: str, offers: Sequence[Offer], now_us: int
    ) -> asyncio.Future[Sequence[int]]:
        arguments = [now_us]
        for offer in offers:
            assert offer.ping is not None, "only what is pinged has a rate"
            assert offer.ping.rate is not None, "only offers with a rate are asked for"
            arguments += (offer.ping.rate.most, offer.ping.rate.within_us)
        touched = [keys.rate(buyer_id, offer.id) for offer in offers]
        return self._link.call(RATE, touched, arguments)
