"""The front of a worker: its doors, and what stands behind each of them."""

import os
import time
from dataclasses import dataclass

from exchange.intake.intake import Intake
from exchange.intake.tokens import Tokens
from exchange.ledger.duplicates import DuplicateBooks
from exchange.ledger.learning import LearningBooks
from exchange.notify.outbox import Outbox
from exchange.readiness import Readiness
from exchange.story.rebuilding import Rebuilding
from exchange.story.story import Story
from exchange.telemetry.loop_lag import LoopLag
from exchange.trying.means import Means
from exchange.trying.trying import Trying
from exchange.web.application import create_app, create_operations_app
from exchange.web.crowd import Crowd
from exchange.web.doors import Doors
from exchange.web.limits import Limits
from exchange.web.server import HttpServer
from exchange.web.specs import links
from exchange.web.under_way import UnderWay
from exchange.web.valve import Valve
from exchange.worker.base import Base
from exchange.worker.ground import Ground
from exchange.worker.sockets import Sockets

HEARTBEAT_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What is reached through the doors, beside the stores."""

    intake: Intake
    tokens: Tokens
    story: Story
    learning: LearningBooks
    outbox: Outbox
    rebuilding: Rebuilding
    under_way: UnderWay


def open_doors(base: Base, inside: Inside) -> Doors:
    """Return all that the HTTP edge is given; from now on it is watched how late the loop is."""
    ground, books, market = base.ground, base.books, base.state.market
    settings = ground.settings
    valve = Valve(
        settings.loop_lag_target_ms,
        lambda: books.ledger.waiting_ms / settings.ledger_wait_target_ms,
    )
    lag = watched_lag(ground, valve)
    stores = {
        "database": lambda: books.is_up,
        "market": lambda: market.is_up and inside.rebuilding.is_whole,
    }
    return Doors(
        market=base.present,
        intake=inside.intake,
        tokens=inside.tokens,
        story=inside.story,
        trying=trying_of(base, inside.intake),
        once=market.once,
        ledger=books.ledger,
        decisions=books.decisions,
        learning=inside.learning,
        duplicates=DuplicateBooks(books.connections),
        outbox=inside.outbox,
        readiness=Readiness(stores, ground.now_us),
        observer=ground.metrics,
        used=market.used,
        under_way=inside.under_way,
        loop_lag_ms=lag.current_ms,
        market_wait_ms=lambda: market.waiting_ms,
        valve=valve,
        limits=Limits.of(settings),
        digest_secret=ground.vault.derive("idempotency"),
        spec_links=links.Links(ground.vault.derive(links.DERIVED_AS)),
        public_url=settings.public_url or "",
        worker_id=ground.worker_id,
        is_gone=books.leases.is_gone,
        now_us=ground.now_us,
        monotonic=time.monotonic,
        entropy=os.urandom,
    )


def watched_lag(ground: Ground, valve: Valve) -> LoopLag:
    """Tell the metrics and the valve how late the loop is, until the worker closes."""

    def was_late(ms: float) -> None:
        ground.metrics.loop_lag(ms)
        valve.saw(ms)

    lag = LoopLag(HEARTBEAT_S, was_late)
    lag.start()
    ground.stack.callback(lag.stop)
    return lag


def trying_of(base: Base, intake: Intake) -> Trying:
    """Return who tries one offer, and books nothing."""
    return Trying(
        intake,
        Means(
            base.buyers.wire,
            base.buyers.endpoints,
            now_us=base.ground.now_us,
            monotonic=time.monotonic,
            entropy=os.urandom,
        ),
    )


async def open_operations(ground: Ground, doors: Doors, sockets: Sockets) -> HttpServer:
    """Serve health, readiness and metrics on sockets of their own."""
    server = HttpServer(create_operations_app(doors), doors.limits, UnderWay())
    await server.start(sockets.operations)
    ground.stack.push_async_callback(server.stop)
    return server


async def open_front(doors: Doors, sockets: Sockets, share: tuple[Crowd, int] | None) -> HttpServer:
    """Serve sellers, buyers and operators; it is the caller's to stop.

    `share`: other workers listen on the same sockets, and this is its slot among them.
    """
    app = create_app(doors, with_operations=not sockets.operations)
    server = HttpServer(app, doors.limits, doors.under_way, share)
    await server.start(sockets.doors)
    return server
