"""A worker's way to the buyers: the wire, what is called on it, and how healthy each offer is."""

import asyncio
import time
from dataclasses import dataclass

import structlog

from exchange.auction.health import Health, HealthLimits
from exchange.domain.bid import Contender
from exchange.domain.sandbox import HOST
from exchange.sandbox.server import Sandbox
from exchange.wire.call import Call
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoints import CALL_HEADERS, FOREIGN_HEADERS, Endpoints
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire
from exchange.worker.ground import Ground

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Buyers:
    """All that is needed to call buyers."""

    wire: Wire
    endpoints: Endpoints
    health: Health


def open_buyers(ground: Ground) -> Buyers:
    """Make ready to call buyers; a connection is opened when somebody is first called."""
    return Buyers(
        wire=open_wire(ground),
        endpoints=Endpoints(CALL_HEADERS, FOREIGN_HEADERS),
        health=Health(health_limits(ground), time.monotonic),
    )


def open_wire(ground: Ground) -> Wire:
    """Return the wire; the sandbox's buyers are reached over it like all others."""
    settings, loop = ground.settings, asyncio.get_running_loop()
    resolver = Resolver(loop, Guard(settings.networks), ttl_s=settings.dns_ttl_s)
    ground.stack.push_async_callback(resolver.close)
    sandbox = Sandbox()
    ground.stack.push_async_callback(sandbox.close)
    dialer = Dialer(
        loop,
        resolver,
        client_tls(),
        connect_timeout_ms=settings.connect_timeout_ms,
        own={HOST: sandbox.address},
    )
    limits = Limits(
        connections_per_host_max=settings.connections_per_host_max,
        answer_max_bytes=settings.answer_max_bytes,
        late_grace_ms=settings.late_grace_ms,
        connection_idle_max_s=settings.connection_idle_max_s,
    )

    def answered_late(call: Call) -> None:
        """Note an answer to a ping that came after its time: it is seen, and wins nothing."""
        if isinstance(call.tag, Contender):
            offer_id, ms = call.tag.offer.id, round(call.late_ms, 3)
            ground.metrics.answered_late(offer_id, ms)
            logger.debug("bid came late", offer_id=offer_id, ms=ms)

    wire = Wire(loop, dialer, limits, on_late=answered_late)
    ground.stack.push_async_callback(wire.close)
    return wire


def health_limits(ground: Ground) -> HealthLimits:
    """Return when an offer is no longer asked for a while."""
    settings = ground.settings
    return HealthLimits(
        breaker_calls=settings.breaker_calls,
        breaker_failed_percent=settings.breaker_failed_percent,
        breaker_pause_s=settings.breaker_pause_s,
        breaker_pause_max_s=settings.breaker_pause_max_s,
        calls_in_flight_max=settings.calls_in_flight_max,
    )
