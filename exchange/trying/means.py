"""What a try is made with: the exchange's own auction and delivery, on a wire that is watched."""

from collections.abc import Callable, Sequence
from typing import Protocol

from exchange.auction.auction import Auction, AuctionLimits
from exchange.delivery.delivery import Delivery
from exchange.delivery.sending import Endpoints
from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.offer import Offer
from exchange.wire.call import Call, Outcome


class Calls(Protocol):
    """Who carries calls to the buyers."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


class Watched:
    """A wire whose calls are seen; without one behind it nothing is sent."""

    def __init__(self, wire: Calls | None) -> None:
        """Take who carries the calls; None: nobody."""
        self._wire = wire
        self.call: Call | None = None

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Keep the one call, and send it where there is a wire."""
        [self.call] = calls
        if self._wire is None:
            self.call.outcome = Outcome.ABANDONED
        else:
            await self._wire.fan_out(calls, deadline_at)


class Uncounted:
    """Admits every call and remembers none: a try is no sign of an endpoint's health."""

    def admit(self, offer: Offer) -> None:
        """Let it be called."""

    def network_ms(self, offer: Offer) -> float:
        """Estimate nothing."""
        del offer
        return 0.0

    def ended(self, offer: Offer, call: Call, *, sound: bool) -> None:
        """Count nothing."""


class Means:
    """Makes auctions and deliveries that book nothing."""

    def __init__(
        self,
        wire: Calls,
        endpoints: Endpoints,
        *,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        """Take how calls are carried, time and chance."""
        self._wire = wire
        self._endpoints = endpoints
        self._monotonic = monotonic
        self._entropy = entropy
        self.now_us = now_us

    def new_id(self) -> str:
        """Return an id that nothing has."""
        return uuid7(self.now_us(), self._entropy(ENTROPY_BYTES))

    def auction(self, wire: Calls) -> Auction:
        """Return an auction on this wire."""
        return Auction(
            wire,
            Uncounted(),
            self._endpoints,
            monotonic=self._monotonic,
            entropy=self._entropy,
            limits=AuctionLimits(),
        )

    def delivery(self, wire: Calls) -> Delivery:
        """Return a delivery on this wire."""
        return Delivery(wire, self._endpoints, now_us=self.now_us, late_grace_ms=0.0)

    def watched(self, *, send: bool) -> Watched:
        """Return a wire whose call is seen, and sent where it is to be."""
        return Watched(self._wire if send else None)
