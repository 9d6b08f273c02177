"""Market state follows the ledger: holds count, or are given back, once that is durable.

What fails here is put right by the sweeper.
"""

import asyncio

import structlog

from exchange.domain.exclusivity import person_keys
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.market.errors import MarketStale, MarketUnavailable
from exchange.story.stations import Stations
from exchange.story.whose import Sale

logger = structlog.get_logger(__name__)
US_PER_S = 1_000_000
Settled = tuple[str, SaleId, Micros]
"""Whose hold is made to count, of which sale, at what price."""


class Following:
    """What follows from the end of each sale of one lead."""

    def __init__(self, stations: Stations, lead_id: LeadId, sale: Sale) -> None:
        """Take whose lead it is; nothing is asked yet."""
        self._stations = stations
        self._lead_id = lead_id
        self._sale = sale
        self._settling: list[tuple[Settled, asyncio.Future[bool]]] = []

    def settle(self, holder: str, sale_id: SaleId, amount: Micros) -> None:
        """Ask that a hold counts; `settled` waits for it."""
        settled = holder, sale_id, amount
        asked = self._stations.market.settle(*settled)
        self._settling.append((settled, asyncio.ensure_future(asked)))

    async def settled(self) -> None:
        """Return once the holds of all sales count, where there were any."""
        for settled, asked in self._settling:
            try:
                await asked
            except MarketStale:
                self._stations.spawn(self._settle_again(*settled))
            except MarketUnavailable:
                lead_id = self._lead_id
                logger.warning("hold left to the sweeper", lead_id=lead_id, end="settled")

    async def _settle_again(self, buyer_id: str, sale_id: SaleId, charge: Micros) -> None:
        try:
            await self._stations.market.settle_again(buyer_id, sale_id, charge)
        except MarketUnavailable:
            logger.warning("hold left to the sweeper", sale_id=sale_id, end="settled")

    async def give_back(self, buyer_id: str, sale_id: SaleId) -> None:
        """Release what is held for a sale that will not be."""
        try:
            for holder in (buyer_id, *(holder for holder, _ in self._sale.trials.limits)):
                await self._stations.market.release(holder, sale_id)
        except MarketUnavailable:
            logger.warning("hold left to the sweeper", sale_id=sale_id, end="released")

    async def remember(self, offer: Offer) -> None:
        """Let the buyer's own duplicate window begin, where it has one."""
        if not offer.buyer.duplicate_window_s or self._sale.test:
            return
        keys = person_keys(self._sale.fingerprint, self._stations.claim_secret)
        until_us = self._stations.now_us() + offer.buyer.duplicate_window_s * US_PER_S
        try:
            await self._stations.market.remember_purchase(keys, offer.buyer.id, until_us)
        except MarketUnavailable:
            logger.warning("purchase not remembered", buyer_id=offer.buyer.id)
