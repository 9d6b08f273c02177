"""Room that is held for a quote: a short hold for each leg, which its award takes over.

Nobody gives it back where the quote is never posted: its lease runs out soon after the quote, and
the sweeper makes sure first that the quote can be used no more. What was held for a quote that its
seller never got is given back at once.
"""

import asyncio
from collections.abc import Sequence

from exchange.domain.caps import Hold, HoldRefused, hold_lines
from exchange.domain.events import EventName
from exchange.domain.ids import ENTROPY_BYTES, SaleId, uuid7
from exchange.domain.lead import Lead
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.reason import Reason
from exchange.domain.remaining import Full
from exchange.domain.snapshot import Snapshot
from exchange.domain.spent import spent
from exchange.market.errors import MarketUnavailable
from exchange.story.chain import Chain
from exchange.story.stations import Stations

SLACK_US = 5_000_000
"""A hold outlasts its quote by this: a post may come in its last moment, by another clock."""


class QuotedRoom:
    """Holds what a quote promises, all legs or none."""

    def __init__(self, stations: Stations, snapshot: Snapshot, lead: Lead, chain: Chain) -> None:
        """Take the ping, and where its events are noted; nothing is held yet."""
        self._stations = stations
        self._snapshot = snapshot
        self._lead = lead
        self._chain = chain
        self._held: dict[str, Hold] = {}

    def spent(self, deals: Sequence[Deal], at_us: int) -> Full:
        """Return the offers that could not buy now, nor whatever else were given back, and why."""
        full: dict[str, Reason] = {}
        for offer_id, _, hold in self._holds(deals, at_us, at_us):
            refused = spent(hold.lines, self._stations.market.settled(hold.buyer_id))
            if refused is not None:
                full[offer_id] = self._noted(offer_id, refused)
        return full

    async def hold(self, deals: Sequence[Deal], at_us: int, until_us: int) -> Full:
        """Hold all until then; where some offers have no room hold none, and return them."""
        holds = self._holds(deals, at_us, until_us)
        held = await asyncio.gather(
            *[self._stations.market.hold(hold) for _, _, hold in holds], return_exceptions=True
        )
        failed = [one for one in held if isinstance(one, BaseException)]
        full: dict[str, Reason] = {}
        for (offer_id, price, hold), refused in zip(holds, held, strict=True):
            if isinstance(refused, HoldRefused):
                full[offer_id] = self._noted(offer_id, refused)
            elif refused is None:
                self._chain.note(EventName.HELD, offer=offer_id, price=price, sale_id=hold.sale_id)
        self._held = {
            offer_id: hold
            for (offer_id, _, hold), refused in zip(holds, held, strict=True)
            if refused is None
        }
        if failed or full:
            await self.give_back()
        if failed:
            raise failed[0]
        return full

    @property
    def sales(self) -> dict[str, SaleId]:
        """Under which sale room is held for each offer that needs any."""
        return {offer_id: hold.sale_id for offer_id, hold in self._held.items()}

    def _noted(self, offer_id: str, refused: HoldRefused) -> Reason:
        """Write down why an offer has no room, and return it."""
        why = refused.reason
        self._chain.note(EventName.HOLD_FAILED, offer=offer_id, reason=why, detail=refused.counter)
        return why

    def _holds(
        self, deals: Sequence[Deal], at_us: int, until_us: int
    ) -> list[tuple[str, Micros, Hold]]:
        parts = [self._of(deal, at_us, until_us) for deal in deals]
        return [part for part in parts if part is not None]

    def _of(self, deal: Deal, at_us: int, until_us: int) -> tuple[str, Micros, Hold] | None:
        """Return what one leg takes of its buyer's limits; None where there is nothing to hold."""
        offer = deal.bid.offer
        credited = self._snapshot.credited.get(offer.buyer.id, Micros(0))
        lines = hold_lines(offer, deal.price, at_us, credited=credited, test=self._lead.test)
        if not lines:
            return None
        hold = Hold(
            sale_id=SaleId(uuid7(at_us, self._stations.entropy(ENTROPY_BYTES))),
            lead_id=self._lead.lead_id,
            buyer_id=offer.buyer.id,
            held_at_us=at_us,
            lines=lines,
            until_us=until_us + SLACK_US,
        )
        return offer.id, deal.price, hold

    async def give_back(self) -> None:
        """Release all: no quote came of it. What market state does not hear is the sweeper's."""
        market, held = self._stations.market, self._held
        self._held = {}
        for offer_id, hold in held.items():
            self._chain.note(EventName.RELEASED, offer=offer_id, sale_id=hold.sale_id)
        done = await asyncio.gather(
            *[market.release(hold.buyer_id, hold.sale_id) for hold in held.values()],
            return_exceptions=True,
        )
        for one in done:
            if isinstance(one, BaseException) and not isinstance(one, MarketUnavailable):
                raise one
