"""Who sells: a publisher, its sources, and how much each may bring."""

from decimal import Decimal

from exchange.contract.market.limits import SellerPilotPart, VolumeCapPart
from exchange.contract.parts import Amount, Id, Part, SourceId, Title, Url
from exchange.domain.message import Topic
from exchange.domain.seller import UndeclaredSources


class SourcePart(Part, frozen=True, kw_only=True):
    """One feed of a seller."""

    id: SourceId
    channel: Title | None = None
    cost: Amount = Decimal(0)
    """What one lead of it costs the exchange beside the payout."""
    floor: Amount = Decimal(0)
    caps: tuple[VolumeCapPart, ...] = ()
    paused: bool = False


class WebhookPart(Part, frozen=True, kw_only=True):
    """Where a seller is told of its leads."""

    url: Url
    events: tuple[Topic, ...] = (Topic.LEAD_RESOLVED,)


class SellerPart(Part, frozen=True, kw_only=True):
    """A publisher."""

    id: Id
    name: Title | None = None
    source: tuple[SourcePart, ...] = ()
    undeclared_sources: UndeclaredSources = UndeclaredSources.ACCEPT
    always_200: bool = False
    """Answers errors with status 200, for sellers that cannot read 4xx."""
    time_zone: str = "UTC"
    """In which its caps count; weeks begin on Monday."""
    caps: tuple[VolumeCapPart, ...] = ()
    """Limits on all of its sources together."""
    pilot: SellerPilotPart | None = None
    webhook: WebhookPart | None = None
    paused: bool = False
