"""Lets in as many new leads as the worker can sell; asked once for each, before it is read."""

import os
import time
import weakref
from collections.abc import Callable

from exchange.domain.throttle import Look, Throttle, adjusted, room

LOOK_S = 0.025
NS_PER_S = 1e9
MS_PER_S = 1000.0
LINE_BYTES = 100
WAITED = "/proc/thread-self/schedstat"
"""Where Linux tells how long this thread worked, and how long it waited for a core."""

FEW = 16
"""With fewer leads than this under way nobody is turned away for being one too many."""


class Valve:
    """Follows how late the loop is, and takes leads at the rate that this allows."""

    def __init__(
        self,
        target_ms: float,
        store_wait: Callable[[], float] = lambda: 0.0,
        clock_s: Callable[[], float] = time.monotonic,
        worked: "Worked | None" = None,
        few: int = FEW,
    ) -> None:
        """Take how late the loop may be, and how long work waits for a store, in targets."""
        self.few = few
        self.target_ms = target_ms
        self.store_wait = store_wait
        self.clock_s = clock_s
        self.worked = worked or Worked()
        self.throttle = Throttle()
        self.looked_s = self.refilled_s = clock_s()
        self.tokens = 0.0
        self.worst_ms = 0.0
        self.offered = 0
        self.taken = 0

    @property
    def is_throttled(self) -> bool:
        """Whether some are turned away."""
        return self.throttle.rate is not None

    def takes(self, under_way: int) -> bool:
        """Tell whether the next lead is let in, beside so many; it counts as one that asked."""
        self.offered += 1
        rate = self.throttle.rate
        # Whatever made a worker late that has next to nothing to do, such as its own start: one
        # lead more is not too much for it, and the first seller of the day is not sent away.
        if rate is not None and under_way >= self.few:
            now_s = self.clock_s()
            self.tokens += rate * (now_s - self.refilled_s)
            self.tokens = min(self.tokens, room(rate))
            self.refilled_s = now_s
            if self.tokens < 1:
                return False
            self.tokens -= 1
        self.taken += 1
        return True

    def saw(self, lag_ms: float) -> None:
        """Hear how late the loop was just now; look at it all now and then."""
        now_s = self.clock_s()
        # What it waited for a core is its neighbours' doing: fewer leads would not change it.
        own_ms = lag_ms - self.worked.waited_s() * MS_PER_S
        self.worst_ms = max(self.worst_ms, own_ms)
        passed_s = now_s - self.looked_s
        if passed_s >= LOOK_S:
            self.look(passed_s)

    def look(self, passed_s: float) -> None:
        """Decide how many to let in until the next look."""
        look = Look(
            passed_s,
            self.worst_ms / self.target_ms,
            self.worked.part_of(passed_s),
            self.store_wait(),
            self.offered,
            self.taken,
        )
        self.throttle = adjusted(self.throttle, look)
        self.looked_s += passed_s
        self.worst_ms, self.offered, self.taken = 0.0, 0, 0


class Worked:
    """How much this thread worked, and how long it waited for a core."""

    def __init__(self) -> None:
        try:
            # Kept open: opening it two hundred times a second costs more than all else here.
            self.figures: int | None = os.open(WAITED, os.O_RDONLY)
            weakref.finalize(self, os.close, self.figures)
        except OSError:  # not on Linux
            self.figures = None
        self.cpu_s = time.thread_time()
        self.waited_in_all_s = self.waited_now_s = self.read()

    def waited_s(self) -> float:
        """Return for how long it waited for a core since this was last asked."""
        before_s, self.waited_now_s = self.waited_now_s, self.read()
        return self.waited_now_s - before_s

    def part_of(self, passed_s: float) -> float:
        """Return which part it worked of the last `passed_s` in which it had a core or needed none.

        What it waited since then is what `waited_s` saw.
        """
        cpu_s = time.thread_time()
        worked_s, without_s = cpu_s - self.cpu_s, self.waited_now_s - self.waited_in_all_s
        self.cpu_s, self.waited_in_all_s = cpu_s, self.waited_now_s
        return worked_s / max(passed_s - without_s, worked_s, 1e-9)

    def read(self) -> float:
        """Return for how long this thread has waited for a core in all; 0 where none can tell."""
        if self.figures is None:
            return 0.0
        try:
            return int(os.pread(self.figures, LINE_BYTES, 0).split()[1]) / NS_PER_S
        except (OSError, ValueError, IndexError):  # it says something else
            return 0.0
