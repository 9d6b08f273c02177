"""How much is taken: caps, pilots and rates, each with whose it is."""

from collections.abc import Iterable
from decimal import Decimal

from exchange.contract.market.limits import (
    CapPart,
    PilotPart,
    RatePart,
    SellerPilotPart,
    VolumeCapPart,
)
from exchange.domain.money import Micros, from_decimal
from exchange.domain.offer import Cap, CapKind, Per, Rate
from exchange.domain.pacing import Pace
from exchange.domain.schedule import US_PER_S, Schedule


def volume_of(parts: Iterable[VolumeCapPart], scope: str) -> tuple[Cap, ...]:
    """Return the limits of what a seller or a source brings."""
    return tuple(
        Cap(scope, CapKind.PINGS, part.pings, part.per)
        if part.pings is not None
        else Cap(scope, CapKind.LEADS, part.leads or 0, part.per)
        for part in parts
    )


def pilot_of(part: PilotPart | SellerPilotPart | None, scope: str) -> tuple[Cap, ...]:
    """Return the limits of a pilot, which never begin anew."""
    if part is None:
        return ()
    found = []
    if part.leads is not None:
        found.append(Cap(scope, CapKind.LEADS, part.leads, Per.TOTAL))
    if isinstance(part, PilotPart) and part.spend is not None:
        found.append(Cap(scope, CapKind.SPEND, from_decimal(part.spend), Per.TOTAL))
    if isinstance(part, SellerPilotPart) and part.payout is not None:
        found.append(Cap(scope, CapKind.PAYOUT, from_decimal(part.payout), Per.TOTAL))
    return tuple(found)


def caps_of(parts: Iterable[CapPart], scope: str, hours: Schedule | None) -> tuple[Cap, ...]:
    """Return limits with whose they are; those that are paced are spread over these hours."""
    return tuple(cap_of(part, scope, hours) for part in parts)


def cap_of(part: CapPart, scope: str, hours: Schedule | None) -> Cap:
    """Return one limit: a number of leads or of sales under way, or micros."""
    pace = Pace(hours) if part.pace else None
    if part.spend is not None:
        return Cap(scope, CapKind.SPEND, from_decimal(part.spend), part.per, pace)
    if part.leads is not None:
        return Cap(scope, CapKind.LEADS, part.leads, part.per, pace)
    assert part.concurrent is not None, "a checked cap names one limit"
    return Cap(scope, CapKind.CONCURRENT, part.concurrent, None)


def rate_of(part: RatePart | None) -> Rate | None:
    """Return how often an offer may be pinged."""
    if part is None:
        return None
    if part.per_second is not None:
        return Rate(part.per_second, US_PER_S)
    assert part.per_minute is not None, "a checked rate names one of the two"
    return Rate(part.per_minute, 60 * US_PER_S)


def money_of(amount: Decimal | None) -> Micros:
    """Return the amount in micros; nothing is nothing."""
    return Micros(0) if amount is None else from_decimal(amount)
