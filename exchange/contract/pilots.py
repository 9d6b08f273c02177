"""Pilots as operators see them: how far each is."""

from decimal import Decimal

import msgspec


class PilotOut(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a pilot; figures hold what is being sold right now, too."""

    kind: str
    """`buyer`, `offer`, `seller` or `campaign`."""
    id: str
    leads: int | None
    leads_max: int | None
    """None: its pilot does not limit leads."""
    spend: Decimal | None
    """What buyers paid."""
    spend_max: Decimal | None
    payout: Decimal | None
    """What the seller was paid."""
    payout_max: Decimal | None
    paused: bool
    """It is over, or somebody paused it."""


class PilotsOut(msgspec.Struct, frozen=True):
    """All pilots of the market, as last read ahead."""

    pilots: tuple[PilotOut, ...]
