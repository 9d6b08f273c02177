"""A worker's books: how it reaches the ledger, its lease there, and who waits for news of it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import structlog

from exchange.ledger.connections import Connections, Limits
from exchange.ledger.decisions import Decisions
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.ledger import Ledger
from exchange.ledger.listener import Listener
from exchange.ledger.worker import Leases
from exchange.readiness import Pulse
from exchange.story.waiting import Waiting
from exchange.worker.ground import Ground

logger = structlog.get_logger(__name__)

PULSE_EVERY_S = 1.0
FLUSH_LANES = 2
STANDING_CONNECTIONS = 2
"""One follows the configuration, one listens for leads that move."""
S_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Books:
    """The truth, and how this worker reads, writes and follows it."""

    connections: Connections
    leases: Leases
    ledger: Ledger
    decisions: Decisions
    moved: Waiting
    """Who waits for a lead to move, in whichever worker it does."""
    decided: Waiting
    """Who waits for word on a sale."""
    pulse: Pulse

    @property
    def is_up(self) -> bool:
        """Whether the ledger takes what is written, and answers."""
        return self.ledger.is_up and self.pulse.is_up


async def open_books(
    ground: Ground, addresses: tuple[str, ...], lease_lost: Callable[[], None]
) -> Books:
    """Connect to the ledger and take a lease; without one nothing can be written.

    `lease_lost` is called once another worker took this one's leads over.
    """
    limits = limits_of(ground)
    connections = Connections(ground.urls.database_url, limits)
    await connections.open()
    ground.stack.push_async_callback(connections.close)
    leases = await take_lease(ground, connections, addresses, lease_lost)
    ledger = Ledger(connections, ground.worker_id, ground.vault, leases.unheard)
    await ledger.open()
    ground.stack.push_async_callback(ledger.close)
    moved, decided = Waiting(), Waiting()

    def all_may_have_moved() -> None:
        """Let everybody look again: notices may have been missed."""
        moved.all_may_have_moved()
        decided.all_may_have_moved()

    listener = Listener(
        ground.urls.database_url,
        limits,
        {"lead": moved.moved, "decision": decided.moved},
        all_may_have_moved,
    )
    await listener.open()
    ground.stack.push_async_callback(listener.close)
    pulse = Pulse(ledger, PULSE_EVERY_S)
    ground.beside(pulse.beat())
    decisions = Decisions(connections, ground.vault)
    return Books(connections, leases, ledger, decisions, moved, decided, pulse)


def limits_of(ground: Ground) -> Limits:
    """Return how a worker of these settings uses the ledger."""
    settings = ground.settings
    return Limits(
        timeout_s=ground.database_timeout_s,
        lanes=FLUSH_LANES,
        batch_max=settings.flush_leads_max,
        readers=max(1, settings.database_connections_max - FLUSH_LANES - STANDING_CONNECTIONS),
        capture_keep_s=settings.capture_hours * S_PER_HOUR,
    )


async def take_lease(
    ground: Ground,
    connections: Connections,
    addresses: tuple[str, ...],
    lost: Callable[[], None],
) -> Leases:
    """Register this worker, and keep its lease until it closes or loses it."""
    leases = Leases(
        connections,
        ground.worker_id,
        ground.vault,
        ground.now_us,
        lease_s=ground.settings.worker_lease_s,
    )
    await leases.register(version("ping-post-exchange"), addresses)

    async def leave() -> None:
        """Give the lease back; where the ledger is away it runs out by itself."""
        try:
            await leases.deregister()
        except LedgerUnavailable:
            logger.warning("lease left to run out", worker_id=ground.worker_id)

    async def keep() -> None:
        await leases.keep()
        lost()

    ground.stack.push_async_callback(leave)
    ground.beside(keep())
    return leases
