"""Builds one worker from its settings, and closes everything again, in order."""

import asyncio
import gc
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from socket import socket
from typing import Any

import asyncpg
import structlog
from prometheus_client import CollectorRegistry

from exchange.anonymity.census import Census
from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.health import Health, HealthLimits
from exchange.configuration.holder import SnapshotHolder
from exchange.configuration.past import Past
from exchange.configuration.pausing import end_pilot
from exchange.delivery.delivery import Delivery
from exchange.domain.bid import Contender
from exchange.domain.ids import LeadId
from exchange.domain.offer import BillingMode
from exchange.domain.recounting_volume import limited
from exchange.domain.sandbox import HOST
from exchange.domain.snapshot import Snapshot
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.tokens import Tokens
from exchange.learning.learner import Learner
from exchange.ledger.beginning import begin
from exchange.ledger.connections import Connections, connect
from exchange.ledger.connections import Limits as LedgerLimits
from exchange.ledger.decisions import Decisions
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.learning import LearningBooks
from exchange.ledger.ledger import Ledger
from exchange.ledger.listener import Listener
from exchange.ledger.migrations import migrate
from exchange.ledger.recount import recounting
from exchange.ledger.sealing import SEALS, Sealer
from exchange.ledger.vault import Vault
from exchange.ledger.worker import Leases
from exchange.market.errors import MarketUnavailable
from exchange.market.link import Link
from exchange.market.market import Market, Terms
from exchange.market.rates import Rates
from exchange.market.restoring import Restoring
from exchange.notify.batching import Batches
from exchange.notify.batching import Limits as NoticeLimits
from exchange.notify.keeping import keep
from exchange.notify.outbox import Outbox
from exchange.notify.recipients import Recipients
from exchange.notify.sender import Limits as SenderLimits
from exchange.notify.sender import Means, Sender
from exchange.notify.webhook import told
from exchange.open_files import OpenFiles
from exchange.readiness import Pulse, Readiness
from exchange.sandbox.server import Sandbox
from exchange.settings import Settings
from exchange.stores.embedded import StoreUrls
from exchange.story.deciding import Deciding
from exchange.story.piloting import Piloting
from exchange.story.rebuilding import Rebuilding
from exchange.story.recounting import Terms as RecountTerms
from exchange.story.recovery import Recovery
from exchange.story.stations import Stations
from exchange.story.story import Story
from exchange.story.waiting import Waiting
from exchange.telemetry.loop_lag import LoopLag
from exchange.telemetry.metrics import Metrics
from exchange.telemetry.shared import SharedFolder
from exchange.trying.trying import Trying
from exchange.web.application import create_app, create_operations_app
from exchange.web.crowd import Crowd
from exchange.web.doors import Doors
from exchange.web.limits import Limits as WebLimits
from exchange.web.server import HttpServer
from exchange.web.specs import links
from exchange.web.under_way import UnderWay
from exchange.web.valve import Valve
from exchange.wire.call import Call
from exchange.wire.connection import Limits as WireLimits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoints import CALL_HEADERS, FOREIGN_HEADERS, Endpoints
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire

logger = structlog.get_logger(__name__)

RECOVER_EVERY_S = 2.0
LOOK_EVERY_S = 1.0
PULSE_EVERY_S = 1.0
COUNT_EVERY_S = 1.0
COUNT_PEOPLE_EVERY_S = 5.0
TIDY_EVERY_S = 60.0
TIDIED_AT_ONCE = 1000
HEARTBEAT_S = 0.005
LET_GO_EVERY_S = 0.1
CANCEL_AGAIN_S = 1.0
COLLECT_AFTER = 20_000
"""Objects that were made and are still there: a few megabytes."""
FLUSH_LANES = 2
STANDING_CONNECTIONS = 2
"""One follows the configuration, one listens for leads that move."""
S_PER_HOUR = 3600
MS = 0.001


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where a worker listens: sockets that are bound already, inherited from whoever owns them."""

    doors: Sequence[socket]
    operations: Sequence[socket] = ()
    """For health and metrics alone; none: they stand beside the doors."""
    addresses: tuple[str, ...] = field(init=False)
    """The doors' addresses, as they are registered; known after the sockets were closed, too."""

    def __post_init__(self) -> None:
        """Read the addresses while the sockets are ours."""
        object.__setattr__(self, "addresses", tuple(map(address_of, self.doors)))


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker is given that is one of several on the same sockets."""

    worker_id: str
    shared: SharedFolder
    """Where this process counts already."""
    crowd: Crowd


def address_of(bound: socket) -> str:
    """Return where a socket is bound, as it stands in a URL."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def now_us() -> int:
    """Return the wall's time, in microseconds since the epoch."""
    return time.time_ns() // 1000


@asynccontextmanager
async def worker(
    settings: Settings,
    urls: StoreUrls,
    master_key: bytes,
    sockets: Sockets,
    part: Part | None = None,
) -> AsyncIterator["Worker"]:
    """Run one worker for as long as the block lasts; it can sell when the block begins.

    `part`: it is one of several on these sockets.
    On the way out it takes nothing new, finishes what is under way, and leaves nothing behind.
    """
    await migrate(urls.database_url)
    await begin_ledger(urls.database_url, master_key)
    async with AsyncExitStack() as stack:
        built = Worker(settings, urls, Vault(master_key), stack, part)
        await built.open(sockets)
        yield built


async def begin_ledger(database_url: str, master_key: bytes) -> None:
    """Make sure that the ledger is this key's. Errors: MasterKeyError."""
    connection = await asyncpg.connect(database_url)
    try:
        await begin(connection, master_key)
    finally:
        await connection.close()


class Worker:
    """One process that sells: its stations, in the order in which they stand on each other."""

    def __init__(
        self,
        settings: Settings,
        urls: StoreUrls,
        vault: Vault,
        stack: AsyncExitStack,
        part: Part | None = None,
    ) -> None:
        """Take the settings, the stores and the keys; nothing is opened yet."""
        self.settings = settings
        self.urls = urls
        self.vault = vault
        self.part = part
        self.worker_id = str(uuid.uuid4()) if part is None else part.worker_id
        self.lease_lost = asyncio.Event()
        """Another worker took this one's leads over: it can write nothing more and should end."""
        self._stack = stack
        self._rebuilding: Rebuilding | None = None
        self._metrics = Metrics(CollectorRegistry(), None if part is None else part.shared)
        self._servers: list[HttpServer] = []
        self._listening: set[asyncio.Task[object]] = set()
        """To buyers whose sale was given up: nothing that anybody waits for."""
        self._open_files = OpenFiles(settings)
        self._under_way = UnderWay(self._metrics.in_flight.set)

    async def open(self, sockets: Sockets) -> None:
        """Open everything, from the stores up to the doors."""
        # In a thread: where no file of it is kept yet the table takes half a second; and first,
        # for a worker that is still busy with itself must not yet hold a lease that runs out.
        self._geography = await asyncio.to_thread(Geography.load, self.settings.data_dir)
        await self._open_books(sockets)
        await self._open_market()
        await self._open_wire()
        await self._follow_configuration()
        await self._open_story()
        await self._open_doors(sockets)
        self._let_be()

    @staticmethod
    def _let_be() -> None:
        """Keep what stands for good out of the collector's way.

        A lead leaves no cycle behind: looking for some after every few hundred objects, as Python
        does by itself, finds leads that are still being sold.
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])

    # The books and market state

    async def _open_books(self, sockets: Sockets) -> None:
        """Connect to the ledger and take a lease; without one nothing can be written."""
        settings = self.settings
        limits = LedgerLimits(
            timeout_s=settings.database_timeout_ms * MS,
            lanes=FLUSH_LANES,
            batch_max=settings.flush_leads_max,
            readers=max(1, settings.database_connections_max - FLUSH_LANES - STANDING_CONNECTIONS),
            capture_keep_s=settings.capture_hours * S_PER_HOUR,
        )
        connections = Connections(self.urls.database_url, limits)
        await connections.open()
        self._stack.push_async_callback(connections.close)
        self._leases = Leases(
            connections, self.worker_id, self.vault, now_us, lease_s=settings.worker_lease_s
        )
        await self._leases.register(version("ping-post-exchange"), sockets.addresses)
        self._stack.push_async_callback(self._leave)
        self._beside(self._keep_lease())
        self._ledger = Ledger(connections, self.worker_id, self.vault)
        await self._ledger.open()
        self._stack.push_async_callback(self._ledger.close)
        self._waiting, self._awaited = Waiting(), Waiting()
        self._decisions = Decisions(connections, self.vault)
        listener = Listener(
            self.urls.database_url,
            limits,
            {"lead": self._waiting.moved, "decision": self._awaited.moved},
            self._all_may_have_moved,
        )
        await listener.open()
        self._stack.push_async_callback(listener.close)
        self._pulse = Pulse(self._ledger, PULSE_EVERY_S)
        self._beside(self._pulse.beat())

    def _all_may_have_moved(self) -> None:
        """Let everybody look again: notices may have been missed."""
        self._waiting.all_may_have_moved()
        self._awaited.all_may_have_moved()

    async def _keep_lease(self) -> None:
        await self._leases.keep()
        self.lease_lost.set()

    async def _leave(self) -> None:
        """Give the lease back; where the ledger is away it runs out by itself."""
        try:
            await self._leases.deregister()
        except LedgerUnavailable:
            logger.warning("lease left to run out", worker_id=self.worker_id)

    async def _open_market(self) -> None:
        settings = self.settings
        link = Link(self.urls.market_url, timeout_s=settings.market_timeout_ms * MS)
        terms = Terms(
            lease_s=int(settings.hold_lease_s),
            rooms_interval_s=settings.caps_read_every_ms * MS,
            once_s=settings.idempotency_hours * S_PER_HOUR,
        )
        self._market = Market(link, worker=self.worker_id, clock=now_us, terms=terms)
        self._state = Restoring(link, lease_s=terms.lease_s)
        self._rates = Rates(link, clock=now_us)
        await self._stack.enter_async_context(link)
        await self._stack.enter_async_context(self._market)

    # The buyers

    async def _open_wire(self) -> None:
        settings, loop = self.settings, asyncio.get_running_loop()
        resolver = Resolver(loop, Guard(settings.networks), ttl_s=settings.dns_ttl_s)
        self._stack.push_async_callback(resolver.close)
        sandbox = Sandbox()
        self._stack.push_async_callback(sandbox.close)
        dialer = Dialer(
            loop,
            resolver,
            client_tls(),
            connect_timeout_ms=settings.connect_timeout_ms,
            own={HOST: sandbox.address},
        )
        self._wire = Wire(
            loop,
            dialer,
            WireLimits(
                connections_per_host_max=settings.connections_per_host_max,
                answer_max_bytes=settings.answer_max_bytes,
                late_grace_ms=settings.late_grace_ms,
                connection_idle_max_s=settings.connection_idle_max_s,
            ),
            on_late=self._answered_late,
        )
        self._stack.push_async_callback(self._wire.close)
        self._endpoints = Endpoints(CALL_HEADERS, FOREIGN_HEADERS)
        self._health = Health(
            HealthLimits(
                breaker_calls=settings.breaker_calls,
                breaker_failed_percent=settings.breaker_failed_percent,
                breaker_pause_s=settings.breaker_pause_s,
                breaker_pause_max_s=settings.breaker_pause_max_s,
                calls_in_flight_max=settings.calls_in_flight_max,
            ),
            time.monotonic,
        )

    def _answered_late(self, call: Call) -> None:
        """Note an answer to a ping that came after its time: it is seen, and wins nothing."""
        if isinstance(call.tag, Contender):
            offer_id, ms = call.tag.offer.id, round(call.late_ms, 3)
            self._metrics.answered_late(offer_id, ms)
            logger.debug("bid came late", offer_id=offer_id, ms=ms)

    # The market file

    async def _follow_configuration(self) -> None:
        """Load the present configuration and its caps, and swap it whenever it changes."""

        async def opened() -> Any:
            return await connect(self.urls.database_url, self.settings.database_timeout_ms * MS)

        self._holder = SnapshotHolder(opened, self.vault, self.worker_id, self._swapped)
        await self._holder.start()
        self._stack.push_async_callback(self._holder.close)

    def _swapped(self, snapshot: Snapshot) -> None:
        """Prepare for a new snapshot: whose room to read ahead, whose health to remember."""
        billed = (b.id for b in snapshot.buyers.values() if b.billing.mode is not BillingMode.OPEN)
        capped = (offer.buyer.id for offer in snapshot.offers.values() if offer.caps)
        self._market.watch({*billed, *capped, *limited(snapshot)})
        if self._rebuilding is not None:
            self._rebuilding.changed()
        self._health.forget_all_but(snapshot.offers.keys())
        self._metrics.version.set(snapshot.version)
        self._open_files.expect(snapshot)

    def _snapshot(self) -> Snapshot:
        return self._holder.snapshot

    # The story

    async def _open_story(self) -> None:
        self._census = Census(
            self._ledger.connections, self.vault, self._snapshot, now_us, os.urandom
        )
        self._beside(self._census.run(COUNT_PEOPLE_EVERY_S))
        self._outbox = Outbox(self._ledger.connections)
        self._notices = Batches(
            self._outbox,
            self._metrics,
            now_us=now_us,
            entropy=os.urandom,
            limits=NoticeLimits(every_s=self.settings.notices_every_s),
        )
        self._stack.push_async_callback(self._notices.flush)
        self._beside(self._notices.run())
        self._tokens = Tokens([self.vault.derive("quotes")], os.urandom)
        self._learning = LearningBooks(self._ledger.connections)
        self._learner = Learner(self._learning, self._snapshot, now_us)
        await self._learner.look()
        self._beside(self._learner.run(self.settings.learn_every_s))
        stations = self._stations()
        past = Past(self._ledger.connections.use, self._snapshot)
        self._story = Story(
            stations, self._ledger, self._leases, self._snapshot, past, self._waiting
        )
        self._stack.push_async_callback(self._story.close)
        recovery = Recovery(
            stations,
            self._ledger,
            self._leases,
            self._market,
            self._snapshot,
            self._story.left_open,
        )
        self._stack.push_async_callback(recovery.close)
        self._beside(recovery.run(RECOVER_EVERY_S))
        rebuilding = self._rebuilding = self._watching_market()
        await rebuilding.look()
        self._beside(rebuilding.run(LOOK_EVERY_S))
        self._beside(self._tidy())
        self._piloting = Piloting(self._market, self._snapshot, self._end_pilot)
        self._market.on_refused = self._piloting.refused
        self._beside(self._piloting.run(LOOK_EVERY_S))
        sealer = Sealer(self._ledger.connections, self.vault.derive(SEALS), now_us)
        self._beside(sealer.run(self.settings.seal_every_s))
        self._open_outbox()
        self._stack.callback(self._metrics.hand_over)
        self._beside(self._count())

    async def _end_pilot(self, kind: str, name: str) -> bool:
        """Pause a buyer or seller whose pilot is over; True where no other worker was faster."""
        # Not one of the ledger's: those send JSON as bytes.
        timeout_s = self.settings.database_timeout_ms * MS
        connection = await asyncpg.connect(
            self.urls.database_url, timeout=timeout_s, command_timeout=timeout_s
        )
        try:
            version = await end_pilot(connection, kind, name)
        finally:
            await connection.close()
        if version is not None:
            self._metrics.pilot_ended(kind, name)
        return version is not None

    def _open_outbox(self) -> None:
        """Deliver what waits for sellers and buyers, beside the sales."""
        known = Recipients()
        means = Means(
            wire=self._wire,
            endpoints=self._endpoints,
            recipients=lambda: known.of(self._snapshot()),
            told=self._told,
            observer=self._metrics,
            now_us=now_us,
            monotonic=time.monotonic,
            luck=random.random,
        )
        limits = SenderLimits(
            look_every_s=self.settings.webhook_look_every_s,
            timeout_s=self.settings.webhook_timeout_s,
        )
        sender = Sender(self._outbox, means, limits)
        self._stack.push_async_callback(sender.close)
        self._beside(sender.run())
        self._beside(keep(self._outbox, self._metrics.messages_wait, now_us))

    async def _told(self, topic: str, at_us: int, lead_id: LeadId) -> bytes | None:
        standing = await self._story.standing(lead_id)
        return None if standing is None else told(topic, at_us, standing)

    def _watching_market(self) -> Rebuilding:
        settings = self.settings
        return Rebuilding(
            self._market,
            self._state,
            recounting(self._ledger.connections, self.vault),
            self._snapshot,
            RecountTerms(
                worker_id=self.worker_id,
                once_s=settings.idempotency_hours * S_PER_HOUR,
                claim_secret=self.vault.derive("claims"),
                now_us=now_us,
                entropy=os.urandom,
            ),
            written=self._story.written,
        )

    def _stations(self) -> Stations:
        auction = Auction(
            self._wire,
            self._health,
            self._endpoints,
            monotonic=time.monotonic,
            entropy=os.urandom,
            limits=AuctionLimits(),
            racing=self._wire,
        )
        delivery = Delivery(
            self._wire,
            self._endpoints,
            now_us=now_us,
            late_grace_ms=self.settings.post_late_grace_ms,
        )
        deciding = Deciding(self._decisions, self._awaited, now_us)
        return Stations(
            ledger=self._ledger,
            market=self._market,
            auction=auction,
            delivery=delivery,
            tokens=self._tokens,
            observer=self._metrics,
            now_us=now_us,
            monotonic=time.monotonic,
            entropy=os.urandom,
            spawn=self._listen,
            claim_secret=self.vault.derive("claims"),
            lessons=self._learner.lessons,
            rates=self._rates,
            alike=self._census.k,
            notice=self._notices.push,
            word_on=deciding.word_on,
            last_word=deciding.last_word,
        )

    async def _count(self) -> None:
        """Hand over what was counted, so that any worker's page shows all of it soon."""
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            self._metrics.tasks.set(len(asyncio.all_tasks()))
            self._metrics.hand_over()

    async def _tidy(self) -> None:
        """Delete now and then what is kept for a set time only."""
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            try:
                await self._ledger.expire_captures(now_us(), TIDIED_AT_ONCE)
                await self._market.prune(now_us())
            except (LedgerUnavailable, MarketUnavailable) as outage:
                logger.warning("tidying waits", error=str(outage))

    # The doors

    async def _open_doors(self, sockets: Sockets) -> None:
        doors = self._doors(Intake(self._geography))
        limits = doors.limits
        if sockets.operations:
            operations = HttpServer(create_operations_app(doors), limits, UnderWay())
            await operations.start(sockets.operations)
            self._stack.push_async_callback(operations.stop)
            self._servers.append(operations)
        app = create_app(doors, with_operations=not sockets.operations)
        share = None if self.part is None else (self.part.crowd, self.part.shared.slot)
        server = HttpServer(app, limits, self._under_way, share)
        await server.start(sockets.doors)
        self._stack.push_async_callback(self._close_doors, server)
        self._servers.append(server)

    async def retire(self) -> None:
        """Leave new connections to the others, and return when the old ones have been answered."""
        await asyncio.gather(*(server.retire() for server in self._servers))

    async def _close_doors(self, server: HttpServer) -> None:
        """Finish what is under way; sellers of sales in doubt hear `pending` without delay."""
        for task in self._listening:
            task.cancel()
        stopping = asyncio.ensure_future(server.stop())
        while not stopping.done():
            self._story.let_go(of_all=self.lease_lost.is_set())
            await asyncio.wait({stopping}, timeout=LET_GO_EVERY_S)
        stopping.result()

    def _doors(self, intake: Intake) -> Doors:
        settings = self.settings
        valve = Valve(
            settings.loop_lag_target_ms,
            lambda: self._ledger.waiting_ms / settings.ledger_wait_target_ms,
        )

        def was_late(ms: float) -> None:
            self._metrics.loop_lag(ms)
            valve.saw(ms)

        lag = LoopLag(HEARTBEAT_S, was_late)
        lag.start()
        self._stack.callback(lag.stop)
        rebuilding = self._rebuilding
        assert rebuilding is not None, "the story stands before the doors"
        stores = {
            "database": lambda: self._ledger.is_up and self._pulse.is_up,
            "market": lambda: self._market.is_up and rebuilding.is_whole,
        }
        return Doors(
            market=self._snapshot,
            intake=intake,
            tokens=self._tokens,
            story=self._story,
            trying=self._trying(intake),
            once=self._market.once,
            ledger=self._ledger,
            decisions=self._decisions,
            learning=self._learning,
            outbox=self._outbox,
            readiness=Readiness(stores, now_us),
            observer=self._metrics,
            used=self._market.used,
            under_way=self._under_way,
            loop_lag_ms=lag.current_ms,
            market_wait_ms=lambda: self._market.waiting_ms,
            valve=valve,
            limits=WebLimits.of(settings),
            digest_secret=self.vault.derive("idempotency"),
            spec_links=links.Links(self.vault.derive(links.DERIVED_AS)),
            public_url=settings.public_url or "",
            worker_id=self.worker_id,
            is_gone=self._leases.is_gone,
            now_us=now_us,
            monotonic=time.monotonic,
            entropy=os.urandom,
        )

    def _trying(self, intake: Intake) -> Trying:
        return Trying(
            intake,
            self._wire,
            self._endpoints,
            now_us=now_us,
            monotonic=time.monotonic,
            entropy=os.urandom,
        )

    def _listen(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.ensure_future(work)
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)
        return task

    def _beside(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something until the worker closes."""
        task = asyncio.ensure_future(work)

        async def stop() -> None:
            # Who is told once may miss it, in the middle of a driver's own cleaning up.
            while not task.done():
                task.cancel()
                await asyncio.wait((task,), timeout=CANCEL_AGAIN_S)

        self._stack.push_async_callback(stop)
