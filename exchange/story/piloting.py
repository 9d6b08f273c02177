"""Pilots are watched: whoever has come to the end of one is paused, by whichever worker sees it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import structlog

from exchange.domain import pilot
from exchange.domain.caps import Hold, HoldLine, Used
from exchange.domain.offer import Cap
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import holder_of, holder_of_campaign
from exchange.market.errors import MarketUnavailable
from exchange.market.standing import Standing

logger = structlog.get_logger(__name__)
BUYER, OFFER, SELLER, CAMPAIGN = "buyer", "offer", "seller", "campaign"


class Pilot(NamedTuple):
    """Somebody with limits for the whole of its pilot."""

    kind: str
    name: str
    holder: str
    limits: Sequence[Cap]
    paused: bool


class Counters(Protocol):
    """What of market state tells how far a pilot is."""

    def used(self, buyer_id: str) -> Used:
        """Return settled plus held by counter, as last read ahead."""

    async def standing(self, buyer_id: str) -> Standing:
        """Return what is settled and what is held."""


class Piloting:
    """Ends pilots; between two looks the limits alone hold, and they hold exactly."""

    def __init__(
        self,
        counters: Counters,
        present: Callable[[], Snapshot],
        end: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        """Take the counters, the market, and who pauses by kind and id; True where that did it."""
        self._counters = counters
        self._present = present
        self._end = end
        self._refused: dict[str, dict[str, int]] = {}
        """By holder and counter: the least amount that a pilot had no room for."""

    def refused(self, hold: Hold, line: HoldLine) -> None:
        """Take note of a hold that had no room, whichever limit that was."""
        if pilot.is_of_pilot(line.counter):
            amounts = self._refused.setdefault(hold.buyer_id, {})
            amounts[line.counter] = min(line.amount, amounts.get(line.counter, line.amount))

    async def run(self, every_s: float) -> None:
        """Look now and then for good; an outage of a store is waited out."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look()
            except MarketUnavailable as outage:
                logger.warning("pilots not looked at", problem=str(outage))
            except Exception as error:  # whatever it is: the limits hold, and the next look comes
                logger.exception("pilots not looked at", exc_info=error)

    async def look(self) -> None:
        """Pause everybody whose pilot is over."""
        for one in pilots(self._present()):
            refused = self._refused.get(one.holder, {})
            if one.paused or not (
                refused or pilot.may_be_over(one.limits, self._counters.used(one.holder))
            ):
                continue
            found = await self._counters.standing(one.holder)
            if pilot.is_over(one.limits, found.settled, found.held, refused):
                await self._end(one.kind, one.name)
                for cap in one.limits:
                    refused.pop(pilot.name_of(cap), None)


def pilots(snapshot: Snapshot) -> Iterator[Pilot]:
    """Yield everybody who is in a pilot."""
    for buyer in snapshot.buyers.values():
        if buyer.pilot:
            yield Pilot(BUYER, buyer.id, buyer.id, buyer.pilot, buyer.paused)
    for offer in snapshot.offers.values():
        if offer.pilot:
            yield Pilot(OFFER, offer.id, offer.buyer.id, offer.pilot, offer.paused)
    for seller in snapshot.sellers.values():
        if seller.pilot:
            yield Pilot(SELLER, seller.id, holder_of(seller.id), seller.pilot, seller.paused)
    for campaign in snapshot.campaigns.values():
        if campaign.pilot:
            holder = holder_of_campaign(campaign.id)
            yield Pilot(CAMPAIGN, campaign.id, holder, campaign.pilot, campaign.paused)
