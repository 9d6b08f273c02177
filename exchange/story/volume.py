"""What a lead takes of its seller's limits: held before anybody is asked, kept once it is written.

A seller or source that is full is told so, with 429 and the time of its next window. What a crash
leaves held is decided by the books: a lead that is written counts, one that never will be does not.
"""

from collections.abc import Awaitable, Callable
from itertools import count

import structlog

from exchange.contract.denial import Denial
from exchange.domain import volume
from exchange.domain.caps import Hold, HoldLine, HoldRefused
from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.lead import Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import Sent
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import StoredLead
from exchange.market.errors import MarketStale, MarketUnavailable
from exchange.market.holds import Lapsed
from exchange.story.stations import Market, Stations

Written = Callable[[LeadId], Awaitable[StoredLead | None]]
"""Reads a lead, if there is one of this id."""

logger = structlog.get_logger(__name__)
TOO_MANY = 429
BEFORE_ANY_PLACE = frozenset({CapKind.PINGS, *volume.MONEY})
"""What is used up before a lead takes anything of it: its pings and its sales do."""


class Volume:
    """Counts the leads of sellers and campaigns that have limits; of others it knows nothing."""

    def __init__(self, stations: Stations) -> None:
        """Take market state, and the time."""
        self._stations = stations
        self._asked = count(1)

    async def admit(self, lead: Lead, snapshot: Snapshot) -> Denial | None:
        """Hold a lead's place in all limits of its seller and campaign, or say which one is full.

        Errors: MarketUnavailable.
        """
        sent = sent_of(lead, snapshot, lead.received_at_us)
        if not sent.is_limited:
            return None
        market = self._stations.market
        cap = volume.full(sent, BEFORE_ANY_PLACE, market.used)
        if cap is not None:
            return denial(cap, sent)
        # Two posts of one quote rely on one place: whoever meets a limit gives back its own part.
        asker = str(next(self._asked))
        held: list[str] = []
        for holder, wanted in volume.places(sent).items():
            refused = await market.hold(
                Hold(
                    sale_id=SaleId(lead.lead_id),
                    lead_id=lead.lead_id,
                    buyer_id=holder,
                    held_at_us=lead.received_at_us,
                    lines=tuple(line for _, line in wanted),
                    asker=asker,
                )
            )
            if refused is not None:
                for other in held:
                    await market.release(other, SaleId(lead.lead_id), asker)
                return denial(refused_by(refused, wanted), sent)
            held.append(holder)
        return None

    def look(self, lead: Lead, snapshot: Snapshot) -> Denial | None:
        """Say which limit is full, as last read ahead; hold nothing: for a ping."""
        sent = sent_of(lead, snapshot, lead.received_at_us)
        if not sent.is_limited:
            return None
        cap = volume.full(sent, {CapKind.LEADS, *BEFORE_ANY_PLACE}, self._stations.market.used)
        return None if cap is None else denial(cap, sent)

    def keep(self, lead: Lead, snapshot: Snapshot) -> None:
        """Let a lead count that is on the books; what fails is the sweeper's."""
        if lead.seller_id not in snapshot.sellers:
            return
        sent = sent_of(lead, snapshot, lead.received_at_us)
        if sent.is_limited:
            for holder in volume.places(sent):
                self._stations.spawn(
                    settle(self._stations.market, holder, SaleId(lead.lead_id), None)
                )

    async def fenced(self, lead: Lead, snapshot: Snapshot, written: Written) -> None:
        """See to the place of a quote's post that came too late: it is that of the lead, if any.

        Where there is none, and never will be, the place is free.
        """
        sent = sent_of(lead, snapshot, lead.received_at_us)
        if not sent.is_limited:
            return
        try:
            stored = await written(lead.lead_id)
            places = volume.places(sent)
            if stored is not None:
                self.keep(lead, snapshot)
                # A worker with another clock wrote it, in an hour that may be another: whoever
                # held first has the place, and the books say where it counts.
                if volume.places(sent_of(lead, snapshot, stored.received_at_us)) != places:
                    for holder in places:
                        self._stations.market.doubt(holder)
                return
            for holder in places:
                await self._stations.market.release(holder, SaleId(lead.lead_id))
        except (LedgerUnavailable, MarketUnavailable):
            logger.warning("a seller's hold left to the sweeper", sale_id=lead.lead_id)


async def settle(market: Market, holder: str, sale_id: SaleId, amount: Micros | None) -> None:
    """Let what a seller holds count, now that it is written.

    Where it is not held any more, or nobody tells, the books count anew: a loss of market state in
    the moment between hold and ledger leaves nothing missing.
    """
    try:
        try:
            counts_now = await market.settle(holder, sale_id, amount)
        except MarketStale:  # closed for a moment, while it is counted anew: that is no loss
            counts_now = await market.settle_again(holder, sale_id, amount)
    except MarketUnavailable:
        counts_now = False
        logger.warning("a seller's hold left to the sweeper", sale_id=sale_id)
    if not counts_now:
        market.doubt(holder)


def sent_of(lead: Lead, snapshot: Snapshot, at_us: int) -> Sent:
    """Return what a lead's limits depend on."""
    campaign = snapshot.campaigns.get(lead.campaign_id)
    return Sent(snapshot.sellers[lead.seller_id], lead.source.id, at_us, lead.test, campaign)


def refused_by(refused: HoldRefused, wanted: list[tuple[Cap, HoldLine]]) -> Cap:
    """Return the limit that a hold had no room in."""
    cap, _ = wanted[0]  # where none is named its place was given back before it was ever held
    return next((one for one, line in wanted if line.counter == refused.counter), cap)


def denial(cap: Cap, sent: Sent) -> Denial:
    """Return the 429 of a limit that is reached."""
    return Denial(TOO_MANY, volume.sentence(cap), retry_after_s=volume.again_in_s(cap, sent))


def ping_hold(lead_id: LeadId, at_us: int) -> SaleId:
    """Return the name of what the pings of one moment hold; the timeline knows them by it."""
    return SaleId(f"{lead_id}/{at_us}")


def is_of_sale(lapsed: Lapsed) -> bool:
    """Tell whether a hold is a sale's, and not a lead's own or that of its pings."""
    return lapsed.sale_id != SaleId(lapsed.lead_id) and "/" not in lapsed.sale_id


class Lapsing:
    """Ends holds of leads and pings that outlived their lease, as the books say."""

    def __init__(
        self,
        market: Market,
        extend: Callable[[str, SaleId], Awaitable[bool]],
        timeline: Callable[[LeadId], Awaitable[list[Event]]],
        never_to_come: Callable[[LeadId], Awaitable[bool]],
    ) -> None:
        """Take who ends holds and who knows what was written, or may be."""
        self._market = market
        self._extend = extend
        self._timeline = timeline
        self._never_to_come = never_to_come

    async def decide(self, lapsed: Lapsed, lead: StoredLead | None) -> None:
        """Let it count, or not, or wait for what may still be written."""
        holder, sale_id = lapsed.buyer_id, lapsed.sale_id
        if sale_id == SaleId(lapsed.lead_id):
            if lead is not None:
                await self._market.settle(holder, sale_id)
            else:
                await self._release_or_wait(lapsed)
            return
        sent = pings_of(sale_id, await self._timeline(lapsed.lead_id))
        if sent is not None:
            await self._market.settle(holder, sale_id, sent)
        elif lead is not None and lead.end is None:
            await self._extend(holder, sale_id)
        elif lead is not None:
            await self._market.release(holder, sale_id)
        else:
            await self._release_or_wait(lapsed)

    async def _release_or_wait(self, lapsed: Lapsed) -> None:
        """Give back what a lead holds that never comes; the post of a quote may come for long."""
        end = self._market.release if await self._never_to_come(lapsed.lead_id) else self._extend
        await end(lapsed.buyer_id, lapsed.sale_id)


def pings_of(sale_id: SaleId, events: list[Event]) -> Micros | None:
    """Return how many pings were sent in the moment that a hold is named after; None: unknown.

    As an amount: what is held settles at it.
    """
    at_us = int(sale_id.rpartition("/")[2])
    for event in events:
        if event.event is EventName.PINGED and event.at_us == at_us:
            return Micros(len(event.offers or ()))
    return None
