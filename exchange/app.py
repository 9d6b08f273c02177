"""Builds one worker from its settings, and closes everything again, in order."""

import asyncio
import gc
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from exchange.clock import now_us
from exchange.configuration.holder import SnapshotHolder
from exchange.domain.newly_limited import newly_limited
from exchange.domain.offer import BillingMode
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.tokens import Tokens
from exchange.ledger.beginning import begin
from exchange.ledger.connections import connect
from exchange.ledger.learning import LearningBooks
from exchange.ledger.migrations import migrate
from exchange.ledger.vault import Vault
from exchange.notify.outbox import Outbox
from exchange.open_files import OpenFiles
from exchange.settings import Settings
from exchange.stores.embedded import StoreUrls
from exchange.story.rebuilding import Rebuilding
from exchange.telemetry.metrics import Metrics
from exchange.web.server import HttpServer
from exchange.web.under_way import UnderWay
from exchange.worker import front, learning, messages, selling, upkeep
from exchange.worker.base import Base
from exchange.worker.books import open_books
from exchange.worker.buyers import open_buyers
from exchange.worker.ground import Ground
from exchange.worker.sockets import Part, Sockets
from exchange.worker.state import open_state

RECOVER_EVERY_S = 2.0
COUNT_PEOPLE_EVERY_S = 5.0
LET_GO_EVERY_S = 0.1
COLLECT_AFTER = 20_000
"""Objects that were made and are still there: a few megabytes."""


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
    """One process that sells: its parts, in the order in which they stand on each other."""

    def __init__(
        self,
        settings: Settings,
        urls: StoreUrls,
        vault: Vault,
        stack: AsyncExitStack,
        part: Part | None = None,
    ) -> None:
        """Take the settings, the stores and the keys; nothing is opened yet."""
        self.worker_id = str(uuid.uuid4()) if part is None else part.worker_id
        self.lease_lost = asyncio.Event()
        """Another worker took this one's leads over: it can write nothing more and should end."""
        metrics = Metrics(CollectorRegistry(), None if part is None else part.shared)
        self._ground = Ground(self.worker_id, settings, urls, vault, metrics, now_us, stack)
        self._share = None if part is None else (part.crowd, part.shared.slot)
        self._rebuilding: Rebuilding | None = None
        self._sold_under: Snapshot | None = None
        """The latest market that was taken in; None: none was yet."""
        self._servers: list[HttpServer] = []
        self._listeners = selling.Listeners()
        self._open_files = OpenFiles(settings)
        self._under_way = UnderWay(metrics.in_flight.set)

    async def open(self, sockets: Sockets) -> None:
        """Open everything, from the stores up to the doors."""
        # In a thread: where no file of it is kept yet the table takes half a second; and first,
        # for a worker that is still busy with itself must not yet hold a lease that runs out.
        geography = await asyncio.to_thread(Geography.load, self._ground.settings.data_dir)
        await self._open_base(sockets)
        inside = await self._open_story(Intake(geography))
        await self._open_doors(inside, sockets)
        let_be()

    async def _open_base(self, sockets: Sockets) -> None:
        """Open both stores and the way to the buyers, and follow the market file."""
        ground = self._ground
        self._books = await open_books(ground, sockets.addresses, self.lease_lost.set)
        self._state = await open_state(ground)
        self._buyers = open_buyers(ground)
        await self._follow_configuration()
        self._base = Base(ground, self._books, self._state, self._buyers, self._snapshot)

    async def _follow_configuration(self) -> None:
        """Load the present configuration and its caps, and swap it whenever it changes."""
        ground = self._ground

        async def opened() -> Any:
            return await connect(ground.urls.database_url, ground.database_timeout_s)

        self._holder = SnapshotHolder(opened, ground.vault, ground.worker_id, self._swapped)
        await self._holder.start()
        ground.stack.push_async_callback(self._holder.close)

    def _swapped(self, snapshot: Snapshot) -> None:
        """Prepare for a new snapshot: whose room to read ahead, whose health to remember."""
        billed = (b.id for b in snapshot.buyers.values() if b.billing.mode is not BillingMode.OPEN)
        capped = (offer.buyer.id for offer in snapshot.offers.values() if offer.caps)
        self._state.market.watch({*billed, *capped, *limited(snapshot)})
        before, self._sold_under = self._sold_under, snapshot
        for holder in newly_limited(before, snapshot) if before is not None else ():
            self._state.market.doubt(holder)
        if self._rebuilding is not None:
            self._rebuilding.changed()
        self._buyers.health.forget_all_but(snapshot.offers.keys())
        self._ground.metrics.version.set(snapshot.version)
        self._open_files.expect(snapshot)

    def _snapshot(self) -> Snapshot:
        return self._holder.snapshot

    async def _open_story(self, intake: Intake) -> front.Inside:
        """Open the story of every lead, and all that runs beside the sales."""
        ground, base = self._ground, self._base
        self._census = learning.open_census(base, COUNT_PEOPLE_EVERY_S)
        outbox = Outbox(base.books.connections)
        notices = messages.open_notices(ground, outbox)
        tokens = Tokens([ground.vault.derive("quotes")], os.urandom)
        learned = LearningBooks(base.books.connections)
        learner = await learning.open_learner(base, learned)
        beside = selling.Beside(
            lessons=learner.lessons,
            alike=self._census.k,
            notice=notices.push,
            listeners=self._listeners,
        )
        stations = selling.stations_of(base, tokens, beside)
        self._story = story = selling.open_story(base, stations)
        selling.open_recovery(base, stations, story, RECOVER_EVERY_S)
        self._rebuilding = rebuilding = await upkeep.open_rebuilding(base, story)
        ground.beside(upkeep.tidy(base))
        self._piloting = upkeep.open_piloting(base)
        upkeep.open_sealer(base)
        messages.open_sender(base, outbox, story)
        upkeep.open_counting(ground)
        return front.Inside(
            intake=intake,
            tokens=tokens,
            story=story,
            learning=learned,
            outbox=outbox,
            rebuilding=rebuilding,
            under_way=self._under_way,
        )

    async def _open_doors(self, inside: front.Inside, sockets: Sockets) -> None:
        """Let everybody in, now that what they ask for stands."""
        doors = front.open_doors(self._base, inside)
        if sockets.operations:
            self._servers.append(await front.open_operations(self._ground, doors, sockets))
        server = await front.open_front(doors, sockets, self._share)
        self._ground.stack.push_async_callback(self._close_doors, server)
        self._servers.append(server)

    async def retire(self) -> None:
        """Leave new connections to the others, and return when the old ones have been answered."""
        await asyncio.gather(*(server.retire() for server in self._servers))

    async def _close_doors(self, server: HttpServer) -> None:
        """Finish what is under way; sellers of sales in doubt hear `pending` without delay."""
        self._listeners.stop()
        stopping = asyncio.ensure_future(server.stop())
        while not stopping.done():
            self._story.let_go(of_all=self.lease_lost.is_set())
            await asyncio.wait({stopping}, timeout=LET_GO_EVERY_S)
        stopping.result()


def let_be() -> None:
    """Keep what stands for good out of the collector's way.

    A lead leaves no cycle behind: looking for some after every few hundred objects, as Python does
    by itself, finds leads that are still being sold.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
