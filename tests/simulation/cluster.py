"""The workers of one exchange: started, killed, started again; each hears of a new market late."""

from collections.abc import Sequence
from itertools import count
from random import Random

from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from tests.simulation.crashes import stood
from tests.simulation.history import History
from tests.simulation.worker import Around, Worker


class Cluster:
    """All workers, those that are gone too: their processes stay dead, and are swept at the end."""

    def __init__(
        self, around: Around, history: History, snapshots: Sequence[Snapshot], chance: Random
    ) -> None:
        self.workers: list[Worker] = []
        """Those that run, or will again."""
        self.crashed_at: set[str] = set()
        """Where the stories stood that were cut off."""
        self._gone: list[Worker] = []
        self._around = around
        self._history = history
        self._snapshots = snapshots
        self._version = 0
        self._chance = chance
        self._names = count(1)

    def start(self) -> None:
        """Start one more worker."""
        name = f"w{next(self._names)}"
        chance = Random(self._chance.random())
        self.workers.append(Worker(self._around, name, self._snapshots[self._version], chance))

    def kill(self, worker: Worker, back_after_s: float) -> None:
        """Kill it between two of its callbacks; another one comes in its place."""
        self.crashed_at |= stood(worker.process)
        worker.process.kill()
        worker.is_ready = False
        self.workers.remove(worker)
        self._gone.append(worker)
        self._around.server.hang_up(worker.process)
        self._around.world.call_later(back_after_s, self.start)

    def stop(self, worker: Worker) -> None:
        """Let it go home; another one comes in its place as soon as it has."""
        if worker.is_ready:
            going = worker.process.create_task(worker.stop())
            going.add_done_callback(lambda _: self._around.world.call_soon(self._gone_home, worker))

    def _gone_home(self, worker: Worker) -> None:
        if worker in self.workers:
            self.kill(worker, back_after_s=0.1)

    def replace_lost(self) -> None:
        """Let those end that lost their lease, as their supervisor does."""
        for worker in [one for one in self.workers if one.lease_lost]:
            self._history.add("lease lost", worker.name)
            self.kill(worker, back_after_s=0.5)
        self._around.world.call_later(1.0, self.replace_lost)

    def apply_next(self) -> bool:
        """Let every worker hear of the next version, each in its time; False: there is none."""
        if self._version + 1 >= len(self._snapshots):
            return False
        self._version += 1
        version = self._version
        for worker in self.workers:
            self._around.world.call_later(self._chance.random() / 5, self._swap, worker, version)
        return True

    def _swap(self, worker: Worker, version: int) -> None:
        snapshot = self._snapshots[version]
        if snapshot.version > worker.snapshot.version:
            worker.snapshot = snapshot
            if worker.is_ready:
                worker.process.call_soon(
                    worker.market.watch, [*snapshot.buyers, *limited(snapshot)]
                )
                worker.process.call_soon(worker.rebuilding.changed)

    def sweep(self) -> None:
        """End all processes for good."""
        for worker in self.workers + self._gone:
            worker.process.sweep()
