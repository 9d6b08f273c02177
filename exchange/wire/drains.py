"""Connections whose call ran out of time: the answer may still come in, for a while.

So the connection lives, and how long its server really took is known.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from exchange.wire.call import Call
from exchange.wire.connection import Connection

TIMER_SLACK_S = 0.001
"""A loop's timer may ring this much early: its clock counts whole milliseconds."""


class Drains:
    """Late connections, each shut once its grace is over; one timer for all of them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float], grace_s: float
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.grace_s = grace_s
        self.waiting: deque[tuple[float, Connection, Call]] = deque()
        self.timer: asyncio.TimerHandle | None = None
        self.closing = False

    def add(self, connection: Connection, call: Call, now: float) -> None:
        """Let the answer to this call come in until its grace is over."""
        self.waiting.append((now + self.grace_s, connection, call))
        if self.timer is None and not self.closing:
            self.timer = self.loop.call_later(self.grace_s, self.stop)

    def stop(self) -> None:
        """Close connections whose late answer did not come."""
        now = self.clock() + TIMER_SLACK_S
        waiting = self.waiting
        while waiting and (waiting[0][0] <= now or waiting[0][1].call is not waiting[0][2]):
            _, connection, call = waiting.popleft()
            if connection.call is call:
                connection.shut()
        self.timer = None
        if waiting:
            delay = waiting[0][0] - now + TIMER_SLACK_S
            self.timer = self.loop.call_later(delay, self.stop)

    def close(self) -> None:
        """Wait for nobody any more."""
        self.closing = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.waiting.clear()
