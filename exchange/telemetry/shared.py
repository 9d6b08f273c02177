"""Numbers that several workers count together: each in a file of its own, read by whoever is asked.

Files are named by the worker's slot, so that whoever takes a slot over counts on where the one
before ended, and there are never more files than slots.
"""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

LIBRARYS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the library looks for the folder; it takes it from nowhere else."""
PROCESS_GAUGES = {
    "resident_memory_bytes": "Memory of all workers; what they share is counted for each",
    "open_fds": "Open files and connections of all workers",
}


class SharedFolder:
    """The numbers of one worker in the folder of all, and the sums over all of them."""

    def __init__(self, path: Path, slot: int) -> None:
        self.path = path
        self.slot = slot

    def count_here(self) -> None:
        """Have every metric that this process makes from now on count in this folder."""
        os.environ[LIBRARYS_VARIABLE] = str(self.path)
        # As the library's own pages tell, for servers that number their workers.
        values.ValueClass = values.MultiProcessValue(lambda: self.slot)  # type: ignore[no-untyped-call]

    def registry(self) -> CollectorRegistry:
        """Return a registry whose collection is the sum over all workers, as they wrote it."""
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self.path))  # type: ignore[no-untyped-call]
        return together


def worker_gone(path: Path, slot: int) -> None:
    """Leave a worker that ended out of what is true only of those that live; its counts stay."""
    with suppress(OSError):  # whoever tidies up the folder may be faster
        mark_process_dead(slot, str(path))  # type: ignore[no-untyped-call]


class ProcessFigures:
    """What the processes of all workers use together: time of those that ended, too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._collector = ProcessCollector(registry=None)
        self._cpu = Counter(
            "process_cpu_seconds", "CPU time of all workers, user and system", registry=registry
        )
        self._gauges = {
            f"process_{name}": Gauge(
                f"process_{name}", help_text, registry=registry, multiprocess_mode="livesum"
            )
            for name, help_text in PROCESS_GAUGES.items()
        }
        self._cpu_read_s = 0.0

    def read(self) -> None:
        """Take the present figures of this process."""
        for family in self._collector.collect():
            [sample] = family.samples
            if sample.name == "process_cpu_seconds_total":
                self._cpu.inc(sample.value - self._cpu_read_s)
                self._cpu_read_s = sample.value
            elif sample.name in self._gauges:
                self._gauges[sample.name].set(sample.value)
