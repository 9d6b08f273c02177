"""A seller with its declared sources."""

from zoneinfo import ZoneInfo

from exchange.configuration.compiling.limits import pilot_of, volume_of
from exchange.contract.market.sellers import SellerPart, WebhookPart
from exchange.domain.message import Webhook
from exchange.domain.money import from_decimal
from exchange.domain.pilot import scope_of
from exchange.domain.seller import DeclaredSource, Seller


def seller_of(part: SellerPart, secret: bytes | None = None) -> Seller:
    """Return a seller with its declared sources; `secret` signs what it is told."""
    sources = {
        source.id: DeclaredSource(
            id=source.id,
            channel=source.channel,
            cost=from_decimal(source.cost),
            floor=from_decimal(source.floor),
            paused=source.paused,
            caps=volume_of(source.caps, f"source/{part.id}:{source.id}"),
        )
        for source in part.source
    }
    pilot = pilot_of(part.pilot, scope_of(part.id))
    return Seller(
        id=part.id,
        name=part.name or part.id,
        sources=sources,
        undeclared_sources=part.undeclared_sources,
        always_200=part.always_200,
        webhook=webhook_of(part.webhook, secret),
        paused=part.paused,
        zone=ZoneInfo(part.time_zone),
        caps=(*volume_of(part.caps, f"seller/{part.id}"), *pilot),
        pilot=pilot,
        is_limited=bool(part.caps or pilot) or any(source.caps for source in part.source),
    )


def webhook_of(part: WebhookPart | None, secret: bytes | None) -> Webhook | None:
    """Return where a seller is told of its leads, and of what."""
    return None if part is None else Webhook(part.url, frozenset(part.events), secret)
