"""Who posts leads, and the feeds that they post."""

from enum import StrEnum

import msgspec

from exchange.domain.money import Micros


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


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher."""

    id: str
    name: str
    sources: dict[str, DeclaredSource]
    undeclared_sources: UndeclaredSources = UndeclaredSources.ACCEPT
    always_200: bool = False
    paused: bool = False
