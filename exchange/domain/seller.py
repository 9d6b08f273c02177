"""Who posts leads, and the feeds that they post."""

from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.message import Webhook
from exchange.domain.money import Micros
from exchange.domain.offer import Cap

UTC = ZoneInfo("UTC")


class UndeclaredSources(StrEnum):
    """What becomes of a source that the market file does not know."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class DeclaredSource(msgspec.Struct, frozen=True):
    """One feed of a seller, the unit of the profit-and-loss report."""

    id: str
    channel: str | None
    cost: Micros
    floor: Micros
    paused: bool
    caps: tuple[Cap, ...] = ()
    """Of leads taken in and of pings sent to buyers for them."""


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher."""

    id: str
    name: str
    sources: dict[str, DeclaredSource]
    undeclared_sources: UndeclaredSources = UndeclaredSources.ACCEPT
    always_200: bool = False
    webhook: Webhook | None = None
    """None: it is told nothing, but what it asks for."""
    paused: bool = False
    zone: ZoneInfo = UTC
    """In which its limits count."""
    caps: tuple[Cap, ...] = ()
    """Of all its sources together."""
    pilot: tuple[Cap, ...] = ()
    """How far it may go in all before it is paused; these stand among its caps, too."""
    is_limited: bool = False
    """It, or a source of it, has any limit."""
