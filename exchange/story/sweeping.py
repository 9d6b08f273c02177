"""Holds whose lease ran out: the ledger says which count, which are given back, which stand."""

from typing import Protocol

from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.moment import QuoteRow
from exchange.domain.money import Micros
from exchange.domain.states import SaleState
from exchange.domain.volume import is_buyer, seller_of
from exchange.ledger.stored import StoredLead
from exchange.market.holds import Lapsed
from exchange.story import quoted_room
from exchange.story.fencing import fence
from exchange.story.stations import Stations
from exchange.story.volume import Lapsing, is_of_sale


class Archive(Protocol):
    """What was written, read back."""

    async def lead(self, lead_id: LeadId) -> StoredLead | None:
        """Return a lead with its end and its sales."""

    async def quote(self, lead_id: LeadId) -> QuoteRow | None:
        """Return the ping that was answered under this id."""

    async def timeline(self, lead_id: LeadId) -> list[Event]:
        """Return all events of a lead, in order."""


class Holds(Protocol):
    """Holds whose lease ran out, and what is to be done with them."""

    async def lapsed(self, now_us: int) -> tuple[Lapsed, ...]:
        """List holds whose lease ran out."""

    async def extend(self, buyer_id: str, sale_id: SaleId) -> bool:
        """Give a hold another lease: its sale may still count."""


class Sweeping:
    """Looks for lapsed holds, of buyers and of sellers."""

    def __init__(self, stations: Stations, archive: Archive, holds: Holds) -> None:
        """Take the stations, the books, and who lists the holds."""
        self._stations = stations
        self._archive = archive
        self._holds = holds
        self._lapsing = Lapsing(
            stations.market, holds.extend, archive.timeline, self._never_to_come
        )

    async def sweep(self) -> None:
        """Settle or give back lapsed holds, as the ledger says; one that may still count stands."""
        for lapsed in await self._holds.lapsed(self._stations.now_us()):
            await self._decide(lapsed)

    async def _decide(self, lapsed: Lapsed) -> None:
        lead = await self._archive.lead(lapsed.lead_id)
        if not is_buyer(lapsed.buyer_id) and not is_of_sale(lapsed):
            await self._lapsing.decide(lapsed, lead)
            return
        sales = lead.sales if lead else ()
        sale = next((one for one in sales if one.award.sale_id == lapsed.sale_id), None)
        market = self._stations.market
        if sale is not None and sale.end is None:
            await self._holds.extend(lapsed.buyer_id, lapsed.sale_id)
        elif sale is not None and sale.end is not None:
            if sale.end.state is SaleState.ACCEPTED:
                is_paid = seller_of(lapsed.buyer_id) is not None
                amount = sale.award.payout if is_paid else await self._charge(lapsed)
                await market.settle(lapsed.buyer_id, lapsed.sale_id, amount)
            else:
                await market.release(lapsed.buyer_id, lapsed.sale_id)
        elif await self._never_awarded(lapsed.lead_id, lead):
            await market.release(lapsed.buyer_id, lapsed.sale_id)
        elif lead is None:
            await self._holds.extend(lapsed.buyer_id, lapsed.sale_id)

    async def _charge(self, lapsed: Lapsed) -> Micros | None:
        """Return what the buyer of an accepted sale pays: it may be less than was held."""
        for event in await self._archive.timeline(lapsed.lead_id):
            if event.event is EventName.ACCEPTED and event.sale_id == lapsed.sale_id:
                return event.price
        return None

    async def _never_awarded(self, lead_id: LeadId, lead: StoredLead | None) -> bool:
        """Tell whether no award can follow: the lead has ended, or its first number is taken."""
        if lead is not None:
            return lead.end is not None
        return await self._never_to_come(lead_id)

    async def _never_to_come(self, lead_id: LeadId) -> bool:
        """Make sure that no lead of this id comes; False: it is written, or its quote still holds.

        A quote is not used up for the sake of what is held: whoever heard 503 may post it again.
        """
        now_us, spared_us = self._stations.now_us(), quoted_room.SLACK_US
        return await fence(self._archive, self._stations.ledger, lead_id, now_us, spared_us)
