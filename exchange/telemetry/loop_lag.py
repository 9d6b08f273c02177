"""How late the event loop is: the one number that says that a worker has too much to do."""

import asyncio
import time
from collections.abc import Callable


class LoopLag:
    """A heartbeat on the loop; what it is late by is the loop's lag.

    Beats are due at whole intervals since the start, so that a late one does not delay the next;
    those missed altogether are passed over. Measured by a clock of its own: uvloop's is only exact
    to the millisecond, and stands still while a callback runs.
    """

    def __init__(
        self,
        interval_s: float,
        observe: Callable[[float], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        assert interval_s > 0, "a heart beats at an interval above zero"
        self.interval_s = interval_s
        self.observe = observe
        self.clock_s = clock_s
        self.last_ms = 0.0
        self.due_s = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat on the running loop until `stop`."""
        assert self.timer is None, "a heart is started once"
        self.due_s = self.clock_s() + self.interval_s
        self.set_timer(asyncio.get_running_loop())

    def stop(self) -> None:
        """Leave no timer behind; may be called twice."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the next beat at the moment when it is due."""
        self.timer = loop.call_later(max(0.0, self.due_s - self.clock_s()), self.beat, loop)

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Observe by how much this beat is late, and set the next."""
        late_s = max(0.0, self.clock_s() - self.due_s)
        self.last_ms = late_s * 1000
        self.observe(self.last_ms)
        self.due_s += self.interval_s * (1 + late_s // self.interval_s)
        self.set_timer(loop)

    def current_ms(self) -> float:
        """Return the last lag seen, or by how much the beat that has not come yet is overdue."""
        if self.timer is None:
            return 0.0
        return max(self.last_ms, (self.clock_s() - self.due_s) * 1000)
