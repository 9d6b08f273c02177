"""Broken exchanges, for the auditor to find: each does one thing wrong, at the edge of its story.

They live here alone. What each one does has been done by real systems of this kind.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from exchange.auction.tender import AuctionResult, Tender
from exchange.delivery.answer import Accepted
from exchange.delivery.delivery import Delivered, Parcel
from exchange.domain.caps import Hold, HoldRefused
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.market.errors import MarketUnavailable
from exchange.story.stations import Stations


class Instead:
    """Stands before a station and does as it does, but for what a mutant does otherwise."""

    def __init__(self, station: Any) -> None:
        self._station = station

    def __getattr__(self, name: str) -> Any:
        return getattr(self._station, name)


def altered(stations: Stations, **instead: Any) -> Stations:
    """Return the stations with some of them replaced."""
    given = {name: getattr(stations, name) for name in stations.__slots__}
    return Stations(**{**given, **instead})


# Hold after post: whoever answers first has the slot, and the cap is looked at afterwards


def hold_after_post(stations: Stations) -> Stations:
    """Return stations that hold only once the buyer has accepted."""
    holds: dict[str, Hold] = {}

    class Market(Instead):
        async def hold(self, hold: Hold) -> HoldRefused | None:
            holds[hold.sale_id] = hold
            return None

    class Courier(Instead):
        async def post(self, parcel: Parcel, *, repeated: bool) -> Delivered:
            delivered: Delivered = await self._station.post(parcel, repeated=repeated)
            hold = holds.pop(parcel.sale_id, None)
            if hold is not None and isinstance(delivered.result, Accepted):
                await stations.market.hold(hold)
            return delivered

    return altered(stations, market=Market(stations.market), delivery=Courier(stations.delivery))


# Release on timeout: silence is taken for a no, and the slot is given to the next lead


def release_on_timeout(stations: Stations) -> Stations:
    """Return stations that give a hold back where its post is not answered in time."""

    class Courier(Instead):
        async def post(self, parcel: Parcel, *, repeated: bool) -> Delivered:
            assert parcel.offer.post is not None, "this market posts"
            call = asyncio.ensure_future(self._station.post(parcel, repeated=repeated))
            try:
                await asyncio.wait({call}, timeout=parcel.offer.post.timeout_ms / 1000)
                if not call.done():
                    with contextlib.suppress(MarketUnavailable):
                        await stations.market.release(parcel.offer.buyer.id, parcel.sale_id)
                return await call
            finally:
                call.cancel()

    return altered(stations, delivery=Courier(stations.delivery))


# Claim by get, then set: between the two somebody else looks


def claim_by_get_then_set(stations: Stations) -> Stations:
    """Return stations that look who has the person, and claim it where nobody has."""

    class Market(Instead):
        async def claim(self, claim: Claim) -> LeadId | None:
            first = await self._station.look_up(claim)
            if first is None:
                await self._station.keep_claim(msgspec.structs.replace(claim, window_s=600))
            return first

    return altered(stations, market=Market(stations.market))


# Forgotten terms: whoever bids is sold to, with however many others, and beside its competitors


def forgotten_terms(stations: Stations) -> Stations:
    """Return stations whose auctions bring bids that say nothing of sharing."""

    class Auctions(Instead):
        async def run(self, tender: Tender) -> AuctionResult:
            result = await self._station.run(tender)
            ranked = [
                msgspec.structs.replace(
                    bid,
                    offer=msgspec.structs.replace(
                        bid.offer, share_with_max=None, not_with=frozenset()
                    ),
                )
                for bid in result.ranked
            ]
            changed: AuctionResult = msgspec.structs.replace(result, ranked=tuple(ranked))
            return changed

    return altered(stations, auction=Auctions(stations.auction))


# Limits of buyers alone: whatever the seller's or the campaign's pilot says is not asked


def only_buyers_hold(stations: Stations) -> Stations:
    """Return stations that hold nothing of a sale but what its buyer's limits want."""

    class Market(Instead):
        async def hold(self, hold: Hold) -> HoldRefused | None:
            is_of_sale = hold.sale_id != hold.lead_id and "/" not in hold.sale_id
            if ":" in hold.buyer_id and is_of_sale:
                return None
            refused: HoldRefused | None = await self._station.hold(hold)
            return refused

    return altered(stations, market=Market(stations.market))


MUTANTS: dict[str, Callable[[Stations], Stations]] = {
    "hold_after_post": hold_after_post,
    "release_on_timeout": release_on_timeout,
    "claim_by_get_then_set": claim_by_get_then_set,
    "forgotten_terms": forgotten_terms,
    "only_buyers_hold": only_buyers_hold,
}
