"""One seed, from its first lead to quiet: build the world, let it run, look at what is left."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from exchange.story.stations import Stations
from tests.making import NOW_US
from tests.simulation import logs
from tests.simulation.books import Books
from tests.simulation.buyers import Buyer, Network
from tests.simulation.cluster import Cluster
from tests.simulation.confirming import Confirming
from tests.simulation.faults import Faults, Plan, plan_of
from tests.simulation.history import History
from tests.simulation.loop import World
from tests.simulation.scenery import MARKS, plainly, scenery
from tests.simulation.sellers import Habits, Sellers
from tests.simulation.server import Server
from tests.simulation.valkey import LUA, Valkey
from tests.simulation.worker import Around

QUIET_S = 10.0
"""How long all is left in peace after the last lead, again and again until all rests."""

LONGEST_S = 1200.0
"""Longer than all leads of a seed take, under whatever befalls."""

FAULTS_S = 300.0
"""When nothing more goes wrong: who can never keep a lease takes nobody's leads over, by design."""

QUIETS_MAX = 25
"""Longer than leases and doubts last, and than clocks were ahead when they were made."""

HOUR_US = 3_600_000_000


class Simulated(msgspec.Struct):
    """What one seed came to."""

    seed: int
    history: list[tuple[Any, ...]]
    digest: str
    leads: int
    sales: int
    faults: dict[str, int]
    steps: int
    crashed_at: set[str]
    """Places in exchange/story where a crash found a story."""
    logged: list[str]
    """What workers logged as errors."""
    errors: list[str]
    """What nobody caught, in the exchange or in the simulation."""


class Setting(msgspec.Struct, frozen=True):
    """What a seed is run with, beside its number."""

    leads: int = 1000
    plan: Plan | None = None
    """None: drawn from the seed."""
    alter: Callable[[Stations], Stations] = lambda stations: stations
    losses: bool = True
    """The market may lose its data."""
    lua: str = LUA
    """What runs the market's functions."""


def same(stations: Stations) -> Stations:
    """Leave the stations as they are."""
    return stations


def simulate(seed: int, setting: Setting) -> Simulated:
    """Run one seed; the same seed, setting and code make the same history."""
    world = World(seed)
    history = History(world)
    chance = Random(f"scene {seed}")
    plan = setting.plan or plan_of(Random(f"faults {seed}"), losses=setting.losses)
    stage = scenery(
        chance, setting.leads, Random(f"sharing {seed}"), Random(f"merging {seed}")
    )  # fmt: skip
    for snapshot in stage.snapshots:
        history.add("market", snapshot.version, plainly(snapshot))
    first = stage.snapshots[0]
    for cap in (*first.sellers["fastquotes"].caps, *first.campaigns["auto-us"].pilot):
        history.add("limit", cap.scope, str(cap.kind), cap.limit, str(cap.per))
    history.add("terms", MARKS, stage.answer_ms / 1000)
    history.add("duplicates", stage.snapshots[0].campaigns["auto-us"].duplicates.merges)
    # An hour ends somewhere in the middle: windows change while leads are being sold.
    began_us = NOW_US - NOW_US % HOUR_US + HOUR_US - chance.randrange(40_000_000)

    def now_us() -> int:
        return began_us + int(world.now * 1_000_000)

    delays = Random(f"delays {seed}")
    longest_s = chance.choice((0.0005, 0.003, 0.01))

    def delay_s() -> float:
        return longest_s * delays.random()

    valkey = Valkey(world, now_us, delay_s, setting.lua)
    world.places["/valkey"] = valkey
    server = Server(world, Books(now_us, history.moment, history.decided), delay_s)
    confirming = Confirming(world, history, Random(f"confirming {seed}"), lambda: cluster.workers)
    buyers = {
        name: Buyer(name, Random(f"{name} {seed}"), history, plan.manners, confirming.plan)
        for name in stage.snapshots[0].buyers
    }
    network = Network(world, history, buyers, Random(f"network {seed}"))
    around = Around(world, server, network, now_us, setting.alter)
    cluster = Cluster(around, history, stage.snapshots, Random(f"workers {seed}"))
    for _ in range(plan.workers):
        cluster.start()
    cluster.replace_lost()
    habits = Habits(gap_s=chance.choice((0.002, 0.01, 0.03)))
    sellers = Sellers(
        world, history, habits, Random(f"sellers {seed}"), lambda: cluster.workers,
        stage.answer_ms,
    )  # fmt: skip
    faults = Faults(world, history, plan, Random(f"befalls {seed}"))
    faults.begin(cluster, valkey, server, network)
    world.call_at(FAULTS_S, faults.end)
    sellers.begin(setting.leads, after_s=0.5)
    try:
        world.run(until=lambda: sellers.is_done or world.now > LONGEST_S)
        assert sellers.is_done, "sellers still wait for a word: some worker should have come up"
        faults.end()
        history.add("quiet")
        for _ in range(QUIETS_MAX):
            wait(world, QUIET_S)
            if is_at_rest(valkey, server, cluster):
                break
        look_around(history, valkey, server, cluster)
        logged = list(logs.heard)  # what is said while the dead are swept is nobody's word
    finally:
        cluster.sweep()
    sales = sum(
        1 for row in history.rows if row[0] == "moment" and row[8] and row[8][1] == "accepted"
    )
    return Simulated(
        seed, history.rows, history.digest(), sellers.sent, sales, dict(history.faults),
        world.steps, cluster.crashed_at, logged, world.errors,
    )  # fmt: skip


def wait(world: World, for_s: float) -> None:
    """Let this much time pass."""
    until = world.now + for_s
    world.call_at(until, int)
    world.run(until=lambda: world.now >= until)


def is_at_rest(valkey: Valkey, server: Server, cluster: Cluster) -> bool:
    """Tell whether nothing is open or under way: what is so still after long is a leak."""
    return (
        not any(valkey.hashes(":holds").values())
        and all(lead.end is not None for lead in server.books.leads.values() if lead.row)
        and all(
            worker.is_ready
            and worker.is_at_rest
            and not worker.story.left_open
            and worker.rebuilding.is_whole
            and not worker.process.is_away
            for worker in cluster.workers
        )
    )


def look_around(history: History, valkey: Valkey, server: Server, cluster: Cluster) -> None:
    """Note what is still held or under way after quiet."""
    for key, holds in valkey.hashes(":holds").items():
        history.add("held", key, sorted(holds))
    for key, counts in valkey.hashes(":counters").items():
        history.add("counted", key, counts)
    for lead_id, lead in server.books.leads.items():
        if lead.message is not None:
            history.add("message", lead_id, lead.message.topic.value)
    for worker in cluster.workers:
        if worker.is_ready:
            history.add(
                "at rest", worker.name, worker.is_at_rest, worker.story.under_way,
                len(worker.listening), len(worker.story.left_open),
            )  # fmt: skip
    history.add("locks", len(server.locks))
