"""One worker of the exchange as a process of the world: the real story on simulated stores."""

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.health import Health, HealthLimits
from exchange.delivery.delivery import Delivery
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.intake.tokens import Tokens
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.worker import Leases
from exchange.market.link import Link
from exchange.market.market import Market, Terms
from exchange.market.restoring import Restoring
from exchange.story.deciding import Deciding
from exchange.story.rebuilding import Rebuilding
from exchange.story.recounting import Terms as RecountTerms
from exchange.story.recovery import Recovery
from exchange.story.stations import Limits, Stations
from exchange.story.story import Story
from exchange.story.waiting import Waiting
from exchange.web.idempotency import Repeats
from exchange.web.under_way import UnderWay
from exchange.wire.endpoints import CALL_HEADERS, Endpoints
from tests.simulation.buyers import Network
from tests.simulation.connections import OpenVault, SimulatedConnections
from tests.simulation.decisions import SimulatedDecisions
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.loop import Process, World
from tests.simulation.recount import recounting
from tests.simulation.scenery import LESSONS
from tests.simulation.server import Listener, Server

LEASE_S = 8.0
RECOVER_EVERY_S = 2.0
LOOK_EVERY_S = 1.0
DRAIN_S = 5.0
"""So long a worker that stops waits for its leads."""
TERMS = Terms(lease_s=10, rooms_interval_s=2.0)
MARKET_URL = "unix:///valkey?db=0"
CLAIM_SECRET = b"c" * 32


class Observer:
    """Counts nothing."""

    def _nothing(self, *_args: object) -> None:
        return

    stage = offer_answered = offer_left_out = offers_left_out = places_left_out = _nothing
    people_alike = _nothing
    post_answered = lead_ended = in_doubt = auction_closed_early = _nothing


class Around:
    """What a worker stands in: the world, the stores, the buyers, the configuration."""

    def __init__(
        self,
        world: World,
        server: Server,
        network: Network,
        now_us: Callable[[], int],
        alter: Callable[[Stations], Stations],
    ) -> None:
        """Take them; `alter` may put a mutant in the place of a station."""
        self.world = world
        self.server = server
        self.network = network
        self.now_us = now_us
        self.alter = alter


class Worker:
    """A process that sells, from its start until it is killed or its lease is lost."""

    def __init__(self, around: Around, name: str, snapshot: Snapshot, chance: Random) -> None:
        self.name = name
        self.snapshot = snapshot
        """The configuration as this worker knows it; set anew when it hears of another."""
        self.skew_us = 0
        """How far its wall clock is off."""
        self.is_ready = False
        self.lease_lost = False
        self.process = Process(around.world, name)
        self.story: Story
        self.market: Market
        self.tokens = Tokens([CLAIM_SECRET], chance.randbytes)
        self.under_way = UnderWay()
        self.chance = chance
        self.listening: set[asyncio.Task[Any]] = set()
        self._around = around
        self.process.create_task(self._live())

    def now_us(self) -> int:
        return self._around.now_us() + self.skew_us

    async def _live(self) -> None:
        """Open everything, and keep the lease until it is lost."""
        around, server, process = self._around, self._around.server, self.process
        self.leases = Leases(
            SimulatedConnections(process, server),
            self.name,
            OpenVault(),  # type: ignore[arg-type]
            self.now_us,
            lease_s=LEASE_S,
            monotonic=process.time,
        )
        await self._registered()
        self.ledger = SimulatedLedger(process, server, self.name, unheard=self.leases.unheard)
        self.waiting, self.awaited = Waiting(), Waiting()
        for channel, waiting in (("lead", self.waiting), ("decision", self.awaited)):
            server.listeners.append(
                Listener(process, channel, waiting.moved, waiting.all_may_have_moved)
            )
        self.decisions = SimulatedDecisions(process, server)
        keeping = process.create_task(self.leases.keep())
        async with (
            Link(MARKET_URL) as link,
            Market(link, worker=self.name, clock=self.now_us, terms=TERMS) as market,
        ):
            self.market = market
            market.watch((*self.snapshot.buyers, *limited(self.snapshot)))
            stations = around.alter(self._stations())
            self.story = Story(
                stations, self.ledger, self.leases, lambda: self.snapshot, self, self.waiting
            )
            self.doors = self._doors()
            self.repeats = Repeats(self.doors)
            self.recovery = Recovery(
                stations, self.ledger, self.leases, market, lambda: self.snapshot,
                self.story.left_open,
            )  # fmt: skip
            process.create_task(self.recovery.run(RECOVER_EVERY_S))
            self.rebuilding = self._watching_market(link)
            await self.rebuilding.look()
            process.create_task(self.rebuilding.run(LOOK_EVERY_S))
            self.is_ready = True
            await keeping
            self.is_ready = False
            self.lease_lost = True
            self.story.let_go(of_all=True)
            await self.story.close()
            await self.recovery.close()

    async def stop(self) -> None:
        """Go home as the exchange does: take nothing new, finish, leave the rest to the others."""
        self.is_ready = False
        for task in tuple(self.listening):
            task.cancel()
        until_s = self.process.time() + DRAIN_S
        while self.story.under_way and self.process.time() < until_s:
            self.story.let_go()
            await asyncio.sleep(0.1)
        await self.recovery.close()
        await self.story.close()
        try:
            await self.leases.deregister()
        except LedgerUnavailable:
            return

    async def _registered(self) -> None:
        while True:
            try:
                return await self.leases.register("1", ())
            except LedgerUnavailable:
                await asyncio.sleep(0.5)

    async def at(self, version: int) -> Snapshot | None:
        """Return the market as it was, as exchange.story.story.Past does."""
        return self.snapshot if version == self.snapshot.version else None

    def _watching_market(self, link: Link) -> Rebuilding:
        connections = SimulatedConnections(self.process, self._around.server)
        return Rebuilding(
            self.market,
            Restoring(link, lease_s=TERMS.lease_s),
            recounting(connections),  # type: ignore[arg-type]
            lambda: self.snapshot,
            RecountTerms(
                worker_id=self.name,
                once_s=TERMS.once_s,
                claim_secret=CLAIM_SECRET,
                now_us=self.now_us,
                entropy=self.chance.randbytes,
            ),
            written=self.story.written,
        )

    def _doors(self) -> Any:
        """Return the few things of the doors that idempotency and confirmations ask for."""
        return SimpleNamespace(
            once=self.market.once,
            decisions=self.decisions,
            story=self.story,
            under_way=self.under_way,
            worker_id=self.name,
            is_gone=self.leases.is_gone,
            limits=SimpleNamespace(retry_after_s=1),
        )

    def _stations(self) -> Stations:
        process, wire = self.process, self._around.network.of(self.process)
        endpoints = Endpoints(CALL_HEADERS)
        entropy = self.chance.randbytes
        deciding = Deciding(self.decisions, self.awaited, self.now_us)
        return Stations(
            ledger=self.ledger,
            market=self.market,
            auction=Auction(
                wire,
                Health(HealthLimits(), process.time),
                endpoints,
                monotonic=process.time,
                entropy=entropy,
                limits=AuctionLimits(),
                racing=wire,
            ),
            delivery=Delivery(wire, endpoints, now_us=self.now_us, late_grace_ms=1000),
            tokens=self.tokens,
            observer=Observer(),
            now_us=self.now_us,
            monotonic=process.time,
            entropy=entropy,
            spawn=self._listen,
            claim_secret=CLAIM_SECRET,
            lessons=lambda: LESSONS,
            limits=Limits(repeat_longest_s=8.0),
            word_on=deciding.word_on,
            last_word=deciding.last_word,
            said=deciding.said,
        )

    def _listen(self, work: Any) -> asyncio.Task[Any]:
        task = self.process.create_task(work)
        self.listening.add(task)
        task.add_done_callback(self.listening.discard)
        return task

    @property
    def is_at_rest(self) -> bool:
        """Nothing is under way."""
        return not self.story.under_way and not self.recovery._ending and not self.listening
