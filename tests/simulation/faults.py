"""What goes wrong in a world, and when: drawn from its seed before anything happens."""

from random import Random

import msgspec

from tests.simulation.buyers import Manners, Network
from tests.simulation.cluster import Cluster
from tests.simulation.history import History
from tests.simulation.loop import World
from tests.simulation.server import Server
from tests.simulation.valkey import Valkey
from tests.simulation.worker import Worker


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what goes wrong; 0 is never. Means are between two of a kind."""

    crash_steps: int = 0
    """A worker is killed after about so many callbacks of all."""
    stop_steps: int = 0
    """A worker is stopped, and goes on later; sometimes longer than its lease lasts."""
    stop_s: float = 4.0
    market_s: float = 0.0
    """The market hangs, loses packets, or dies for a moment."""
    ledger_s: float = 0.0
    """The database hangs, loses packets, or dies for a moment."""
    loss_s: float = 0.0
    """The market loses its data, or falls back to an older state."""
    restart_s: float = 0.0
    """A worker is stopped in order, and another one started."""
    clock_s: float = 0.0
    """A worker's wall clock jumps."""
    network_s: float = 0.0
    """No buyer is reached for a moment."""
    configuration_s: float = 0.0
    """The next version of the market is applied."""
    manners: Manners = Manners()
    workers: int = 2


def plan_of(chance: Random, *, losses: bool) -> Plan:
    """Draw what goes wrong under a seed: some of it, seldom all."""

    def often(share: float, least: float, most: float) -> float:
        return chance.uniform(least, most) if chance.random() < share else 0.0

    plan = Plan(
        crash_steps=int(often(0.6, 2_000, 12_000)),
        stop_steps=int(often(0.4, 4_000, 20_000)),
        stop_s=chance.choice((0.5, 3.0, 20.0)),
        market_s=often(0.5, 0.5, 6.0),
        ledger_s=often(0.5, 0.5, 6.0),
        loss_s=often(0.3, 3.0, 20.0) if losses else 0.0,
        restart_s=often(0.3, 1.0, 6.0),
        clock_s=often(0.3, 1.0, 8.0),
        network_s=often(0.3, 2.0, 10.0),
        configuration_s=often(0.6, 0.5, 5.0),
        manners=Manners(
            ping_fails=often(0.7, 0.02, 0.3),
            post_fails=often(0.8, 0.05, 0.6),
            refuses=chance.uniform(0.0, 0.4),
            latency_s=chance.choice((0.005, 0.02, 0.08)),
        ),
        workers=chance.choice((1, 2, 2, 3)),
    )
    manners = msgspec.structs.replace(plan.manners, confirms=chance.choice((0.0, 0.1, 0.4)))
    return msgspec.structs.replace(plan, manners=manners)


class Faults:
    """Lets happen what is planned, for as long as it is asked to."""

    def __init__(self, world: World, history: History, plan: Plan, chance: Random) -> None:
        self._world = world
        self._history = history
        self._plan = plan
        self._chance = chance
        self._is_over = False
        self._cluster: Cluster
        self._valkey: Valkey
        self._server: Server
        self._network: Network

    def begin(self, cluster: Cluster, valkey: Valkey, server: Server, network: Network) -> None:
        """Let things go wrong from now on."""
        self._cluster, self._valkey = cluster, valkey
        self._server, self._network = server, network
        plan = self._plan
        for steps, befalls in ((plan.crash_steps, self._crash), (plan.stop_steps, self._stop)):
            if steps:
                self._after_steps(steps, befalls)
        for mean_s, befalls in (
            (plan.market_s, self._market),
            (plan.ledger_s, self._ledger),
            (plan.loss_s, self._lose),
            (plan.restart_s, self._restart),
            (plan.clock_s, self._clock),
            (plan.network_s, self._unreach),
            (plan.configuration_s, self._configure),
        ):
            if mean_s:
                self._after(mean_s, befalls)

    def end(self) -> None:
        """Let nothing more go wrong; what is down comes up, clocks are right."""
        self._is_over = True
        self._server.come_up()
        self._valkey.come_up()
        self._valkey.cuts = self._server.cuts = 0
        self._network.is_down = False
        for worker in self._cluster.workers:
            worker.skew_us = 0

    def _after(self, mean_s: float, befalls) -> None:
        def due() -> None:
            if not self._is_over:
                befalls()
                self._after(mean_s, befalls)

        self._world.call_later(self._chance.expovariate(1 / mean_s), due)

    def _after_steps(self, mean: int, befalls) -> None:
        def due() -> None:
            if not self._is_over:
                befalls()
                self._after_steps(mean, befalls)

        self._world.after_steps(1 + int(self._chance.expovariate(1 / mean)), due)

    def _some_worker(self):
        """Return one that runs, if there is any."""
        able = [one for one in self._cluster.workers if not one.process.is_away]
        return able[self._chance.randrange(len(able))] if able else None

    # What befalls

    def _crash(self) -> None:
        if self._chance.random() < 1 / 10:
            self._history.fault("all crash")
            for worker in tuple(self._cluster.workers):
                self._cluster.kill(worker, back_after_s=self._chance.uniform(0.1, 3.0))
            return
        worker = self._some_worker()
        if worker is not None:
            self._history.fault("crash", worker.name)
            self._cluster.kill(worker, back_after_s=self._chance.uniform(0.1, 6.0))

    def _restart(self) -> None:
        worker = self._some_worker()
        if worker is not None and worker.is_ready:
            self._history.fault("restart", worker.name)
            self._cluster.stop(worker)

    def _stop(self) -> None:
        worker = self._some_worker()
        if worker is not None:
            self._stop_worker(worker, self._chance.expovariate(1 / self._plan.stop_s))

    def _stop_worker(self, worker: Worker, for_s: float) -> None:
        self._history.fault("stop", worker.name, for_s)
        worker.process.stop_running()
        self._world.call_later(for_s, worker.process.go_on)

    def _market(self) -> None:
        self._befall_store("market", self._valkey)

    def _ledger(self) -> None:
        self._befall_store("ledger", self._server)

    def _befall_store(self, name: str, store: Valkey | Server) -> None:
        kind, some = self._chance.randrange(3), self._chance.random()
        if kind == 0:
            self._history.fault(f"{name} hangs", some * 1.5)
            store.hang(some * 1.5)
        elif kind == 1:
            self._history.fault(f"{name} cut")
            store.cut(self._chance.randint(1, 4))
        else:
            self._history.fault(f"{name} down", some * 2)
            store.go_down()
            self._world.call_later(some * 2, store.come_up)

    def _lose(self) -> None:
        """Lose the market's data; sometimes again while they are being rebuilt."""
        valkey = self._valkey
        if self._chance.random() < 1 / 3:
            again_s = self._chance.choice((0.05, 0.5, 3.0)) * self._chance.random()
            self._world.call_later(again_s, self._lose_again)
            if self._chance.random() < 1 / 2:
                self._world.call_later(again_s * self._chance.random(), self._stop_for_a_moment)
        if self._chance.random() < 1 / 2:
            self._history.fault("market lost")
            if self._chance.random() < 1 / 2:
                valkey.lose_all()  # flushed: its process goes on
            else:
                self._after_restart(valkey.lose_all)
        else:
            go_back = valkey.keep()
            back_s = self._chance.uniform(0.05, 3.0)

            def older() -> None:
                if not self._is_over:
                    self._history.fault("market older", back_s)
                    self._after_restart(go_back)

            self._world.call_later(back_s, older)

    def _lose_again(self) -> None:
        if not self._is_over:
            self._lose()

    def _stop_for_a_moment(self) -> None:
        """Stop a worker that may be the one that rebuilds, for longer than until the next loss."""
        worker = self._some_worker()
        if worker is not None and not self._is_over:
            self._stop_worker(worker, 0.5 + 4 * self._chance.random())

    def _after_restart(self, changes) -> None:
        """Change the data while the server is down, as a restart or a failover does."""
        self._valkey.go_down()
        changes()
        self._world.call_later(self._chance.uniform(0.01, 0.5), self._valkey.come_up)

    def _clock(self) -> None:
        worker = self._some_worker()
        if worker is not None:
            jump_us = int(self._chance.choice((-1, 1)) * self._chance.expovariate(1 / 20e6))
            self._history.fault("clock", worker.name, jump_us)
            worker.skew_us = 0 if worker.skew_us else jump_us

    def _unreach(self) -> None:
        self._history.fault("unreachable")
        self._network.is_down = True
        self._world.call_later(self._chance.random(), setattr, self._network, "is_down", False)

    def _configure(self) -> None:
        if self._cluster.apply_next():
            self._history.fault("configured")
