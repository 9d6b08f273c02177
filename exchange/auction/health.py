"""An offer whose endpoint fails is left alone for a while, then tried with one call at a time.

Per offer, not per host. No I/O and no clock of its own below `Health`: `now` is an argument,
in seconds of any clock that never goes back.
"""

from collections import deque
from collections.abc import Callable, Collection
from enum import StrEnum

import msgspec

from exchange.auction.quantile import Quantile
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.wire.call import Call, Detail, Outcome


class BreakerState(StrEnum):
    """Whether an offer is asked."""

    CLOSED = "closed"  # asked
    OPEN = "open"  # left alone
    PROBING = "probing"  # one call is out to see how it fares


class BreakerEvent(StrEnum):
    """What moves a breaker."""

    TRIPPED = "tripped"  # too many of the last calls failed
    RESTED = "rested"  # the pause is over and a call is wanted
    PROBE_SOUND = "probe_sound"
    PROBE_FAILED = "probe_failed"


TRANSITIONS: dict[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (BreakerState.CLOSED, BreakerEvent.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.RESTED): BreakerState.PROBING,
    (BreakerState.PROBING, BreakerEvent.PROBE_SOUND): BreakerState.CLOSED,
    (BreakerState.PROBING, BreakerEvent.PROBE_FAILED): BreakerState.OPEN,
}
"""All that can happen to a breaker; anything else cannot."""


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much failure is too much."""

    breaker_calls: int = 50
    """The breaker looks at so many last calls."""
    breaker_calls_min: int = 20
    """Fewer calls than this say nothing."""
    breaker_failed_percent: int = 80
    breaker_pause_s: float = 1.0
    """The first pause; every failed probe doubles it."""
    breaker_pause_max_s: float = 30.0
    calls_in_flight_max: int = 256
    """Of one offer; an offer may name its own."""
    dry_run: bool = False
    """Count what would be refused, refuse nothing but calls beyond the limit in flight."""


class Breaker:
    """Decides whether a call may go out; every call counts once."""

    __slots__ = (
        "failed",
        "last",
        "limits",
        "open_count",
        "pause_s",
        "probe_out",
        "since",
        "state",
        "withheld_count",
    )

    def __init__(self, limits: HealthLimits) -> None:
        self.limits = limits
        self.state = BreakerState.CLOSED
        self.since = float("-inf")
        self.pause_s = limits.breaker_pause_s
        self.probe_out = False
        self.last: deque[bool] = deque(maxlen=limits.breaker_calls)
        self.failed = 0
        self.open_count = 0
        self.withheld_count = 0

    def admits(self, now: float) -> bool:
        """True where a call may go out now; while probing, this one is the probe."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN:
            if now - self.since >= self.pause_s:
                self.move(BreakerEvent.RESTED, now)
                self.probe_out = True
                return True
        elif not self.probe_out or now - self.since >= self.pause_s:
            self.since = now
            self.probe_out = True
            return True
        self.withheld_count += 1
        return self.limits.dry_run

    def ended(self, now: float, begun_at: float, *, sound: bool) -> None:
        """Count a call that the buyer answered well, or failed."""
        if self.state is BreakerState.CLOSED:
            self.count(sound=sound)
            if self.failed and self.too_many_failed():
                self.move(BreakerEvent.TRIPPED, now)
                self.open_count += 1
        elif self.is_probe(begun_at):
            self.probe_out = False
            if sound:
                self.move(BreakerEvent.PROBE_SOUND, now)
                self.pause_s = self.limits.breaker_pause_s
                self.last.clear()
                self.failed = 0
            else:
                self.move(BreakerEvent.PROBE_FAILED, now)
                self.pause_s = min(self.pause_s * 2, self.limits.breaker_pause_max_s)

    def ended_unheard(self, begun_at: float) -> None:
        """Forget a call that says nothing of the buyer; another probe may take its place."""
        if self.is_probe(begun_at):
            self.probe_out = False

    def is_probe(self, begun_at: float) -> bool:
        """True for the call that is out to see; stragglers from before the pause are not."""
        return self.state is BreakerState.PROBING and begun_at >= self.since

    def count(self, *, sound: bool) -> None:
        """Keep the last calls and how many of them failed."""
        if len(self.last) == self.last.maxlen and not self.last[0]:
            self.failed -= 1
        self.last.append(sound)
        self.failed += not sound

    def too_many_failed(self) -> bool:
        """True where the share of failed calls crosses the limit and there were enough of them."""
        calls = len(self.last)
        enough = calls >= min(self.limits.breaker_calls_min, self.limits.breaker_calls)
        return enough and self.failed * 100 >= self.limits.breaker_failed_percent * calls

    def move(self, event: BreakerEvent, now: float) -> None:
        """Change the state as the table says."""
        self.state = TRANSITIONS[self.state, event]
        self.since = now


class OfferHealth:
    """What is known of one offer's endpoint."""

    __slots__ = ("breaker", "in_flight", "network", "refused_count")

    def __init__(self, limits: HealthLimits) -> None:
        self.breaker = Breaker(limits)
        self.in_flight = 0
        self.network = Quantile()
        self.refused_count = 0


CLOSED = BreakerState.CLOSED
UNHEARD = frozenset({Outcome.THROTTLED, Outcome.ABANDONED})
OWN_FAULT = frozenset({Detail.NO_TIME, Detail.WIRE_CLOSED})
"""Calls that ended for reasons of ours say nothing of the buyer."""


class Health:
    """Admits calls to offers and learns from how they end; refuses, never queues."""

    def __init__(self, limits: HealthLimits, clock: Callable[[], float]) -> None:
        """`clock` is the wire's: calls carry its times."""
        self.limits = limits
        self.clock = clock
        self.offers: dict[str, OfferHealth] = {}

    def admit(self, offer: Offer) -> Reason | None:
        """Say why this offer may not be called now, or None and count the call as under way."""
        health = self.offers.get(offer.id) or self.of(offer.id)
        in_flight_max = offer.in_flight_max or self.limits.calls_in_flight_max
        if health.in_flight >= in_flight_max or not (
            health.breaker.state is CLOSED or health.breaker.admits(self.clock())
        ):
            health.refused_count += 1
            return Reason.THROTTLED
        health.in_flight += 1
        return None

    def ended(self, offer: Offer, call: Call, *, sound: bool) -> None:
        """Count a call that was admitted and has ended, once; `sound`: its answer could be used."""
        health = self.offers.get(offer.id) or self.of(offer.id)
        if health.in_flight:
            health.in_flight -= 1
        if call.round_trip_ms:
            health.network.add(call.round_trip_ms)
        breaker = health.breaker
        if sound and breaker.state is CLOSED and not breaker.failed:
            breaker.last.append(True)  # the everyday way of `Breaker.ended`
        # By identity: hashing an enumeration's member is a call in Python.
        elif call.outcome is Outcome.ANSWERED:
            health.breaker.ended(self.clock(), call.begun_at, sound=sound)
        elif call.outcome in UNHEARD or call.detail in OWN_FAULT:
            health.breaker.ended_unheard(call.begun_at)
        else:
            health.breaker.ended(self.clock(), call.begun_at, sound=False)

    def network_ms(self, offer: Offer) -> float:
        """Estimate how much of a call's time the network takes (95th percentile); 0 if unknown."""
        health = self.offers.get(offer.id)
        return health.network.at(0.95) if health is not None else 0.0

    def forget_all_but(self, offer_ids: Collection[str]) -> None:
        """Drop what is known of offers that are no more; those with calls under way stay."""
        for offer_id, health in list(self.offers.items()):
            if offer_id not in offer_ids and not health.in_flight:
                del self.offers[offer_id]

    def of(self, offer_id: str) -> OfferHealth:
        """What is known of this offer, from nothing where it is new."""
        health = self.offers.get(offer_id)
        if health is None:
            health = self.offers[offer_id] = OfferHealth(self.limits)
        return health
