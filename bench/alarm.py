"""Wakes an event loop at a moment, to a few microseconds; its own timers know milliseconds."""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable

MONOTONIC = 1
NONBLOCKING = os.O_NONBLOCK | os.O_CLOEXEC
ABSOLUTE = 1
NS = 1_000_000_000


class Moment(ctypes.Structure):
    """A `struct itimerspec`: no repetition, one moment."""

    _fields_ = tuple(
        (name, ctypes.c_long) for name in ("again_s", "again_ns", "moment_s", "moment_ns")
    )


class Alarm:
    """Calls `ring` at the moment set last, on the scale of `time.perf_counter`.

    On Linux by a timerfd; elsewhere by the loop's own timer, up to a millisecond late.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self.loop = loop
        self.ring = ring
        self.file = -1
        if sys.platform == "linux":
            self.libc = ctypes.CDLL(None, use_errno=True)
            self.file = self.libc.timerfd_create(MONOTONIC, NONBLOCKING)
        if self.file >= 0:
            loop.add_reader(self.file, self._expired)

    def set(self, at_s: float) -> None:
        """Ring then, at once where it is past; at most one moment is set."""
        if self.file < 0:
            self.loop.call_later(max(0.001, at_s - time.perf_counter()), self.ring)
            return
        whole, part = divmod(max(1, int(at_s * NS)), NS)
        moment = Moment(0, 0, whole, part)
        self.libc.timerfd_settime(self.file, ABSOLUTE, ctypes.byref(moment), None)

    def _expired(self) -> None:
        try:
            os.read(self.file, 8)
        except BlockingIOError:
            return  # set anew since it rang
        self.ring()

    def close(self) -> None:
        """Ring no more."""
        if self.file >= 0:
            self.loop.remove_reader(self.file)
            os.close(self.file)
            self.file = -1
