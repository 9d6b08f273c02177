"""Many small requests go out at once under one deadline, for little more than the kernel's cost.

No task, future or timer is made per call: a fan-out has one future and one timer, a connection
calls straight into the batch that waits for it. A task is made only to open a connection.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from operator import attrgetter

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.connection import Connection, Head, Limits
from exchange.wire.drains import TIMER_SLACK_S, Drains
from exchange.wire.fan_out import FanOut, OnAnswer
from exchange.wire.stock import Dials, Stock, send, unsent

WAITING = Outcome.WAITING
ANSWERED = Outcome.ANSWERED

by_due = attrgetter("due_at")


class Wire:
    """A client for many small HTTP/1.1 requests; whatever a server sends ends as an outcome."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dialer: Dials,
        limits: Limits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_late: Callable[[Call], None] | None = None,
    ) -> None:
        self.loop = loop
        self.limits = limits or Limits()
        self.clock = clock
        self.on_late = on_late
        self.closing = False
        self.stock = Stock(loop, dialer, self.limits, clock, self)
        self.batches: set[FanOut] = set()
        self.drains = Drains(loop, clock, self.limits.late_grace_ms / 1000.0)
        # Counted since the start, for the metrics page
        self.reused_count = 0
        self.repeated_count = 0
        self.late_count = 0
        self.throttled_count = 0

    # What callers ask for

    async def fan_out(
        self, calls: Sequence[Call], deadline_at: float, on_answer: OnAnswer | None = None
    ) -> None:
        """Send every call at once; when this returns, each has its outcome.

        Returns when all have ended, at `deadline_at` (of the wire's clock), or as soon as
        `on_answer`, told of every call that ends, returns True: what is still open then is
        abandoned. A call's own `timeout_ms` counts from now.
        """
        if not calls:
            return
        now = self.clock()
        batch = FanOut(calls, self.loop.create_future(), on_answer)
        self.batches.add(batch)
        try:
            ready, others = self.line_up(batch, now, deadline_at)
            for call in ready:
                call.line.transport.write(call.request)
            for call in others:
                if call.outcome is WAITING:
                    self.begin(call, now)
            if batch.left:
                self.arm(batch, now)
            await batch.done
        finally:
            self.end(batch)

    async def request(self, call: Call) -> None:
        """Send one call and wait for its outcome, at most its own `timeout_ms`."""
        await self.fan_out((call,), float("inf"))

    async def close(self) -> None:
        """End every call, close every connection; afterwards nothing of the wire is left."""
        self.closing = True
        for batch in list(self.batches):
            self.end(batch, Detail.WIRE_CLOSED)
        self.drains.close()
        await self.stock.close()

    # The way of a call

    def line_up(
        self, batch: FanOut, now: float, deadline_at: float
    ) -> tuple[list[Call], list[Call]]:
        """Give calls the connections that are kept for them; return those calls, and the others.

        Nothing is sent yet: sending runs through the whole network of the kernel, and what comes
        after it finds nothing where it was. So all that can be done before is done before.
        """
        ready: list[Call] = []
        others: list[Call] = []
        pools = self.stock.pools
        for call in batch.calls:
            assert call.outcome is WAITING, "a call is sent once; make a new one to send again"
            call.batch = batch
            call.begun_at = now
            due_at = now + call.timeout_ms * 0.001
            call.due_at = due_at if due_at < deadline_at else deadline_at  # noqa: FURB136 - hot
            pool = pools.get(call.endpoint.key)
            if pool is None or not pool.idle or due_at <= now or self.closing:
                others.append(call)
                continue
            connection = pool.take(now, repeatable=call.repeatable)
            if connection is None:
                others.append(call)
                continue
            call.line = connection
            call.sent_at = now
            connection.call = call
            ready.append(call)
        self.reused_count += len(ready)
        return ready, others

    def begin(self, call: Call, now: float, *, fresh: bool = False) -> None:
        """Send the call on a kept connection, or open one for it, or refuse it."""
        if self.closing:
            self.settle(call, unsent(call), Detail.WIRE_CLOSED, now)
            return
        if call.due_at <= now:
            self.settle(call, unsent(call), Detail.NO_TIME, now)
            return
        pool = self.stock.pool_of(call.endpoint.key)
        connection = None if fresh else pool.take(now, repeatable=call.repeatable)
        if connection is not None:
            self.reused_count += 1
            send(call, connection, now)
            return
        if pool.open >= self.limits.connections_per_host_max:
            self.throttled_count += 1
            if call.sent_at:
                self.settle(call, Outcome.BROKEN, Detail.CLOSED_SILENTLY, now)
            else:
                self.settle(call, Outcome.THROTTLED, Detail.NONE, now)
            return
        self.stock.open(pool, call)

    def settle(self, call: Call, outcome: Outcome, why: Detail, now: float) -> None:
        """Decide the call's outcome, once, and tell the fan-out that waits for it."""
        call.outcome = outcome
        call.detail = why
        call.ended_at = now
        self.tell(call)

    def tell(self, call: Call) -> None:
        """Tell the fan-out that one of its calls has ended; end it where it has heard enough."""
        batch: FanOut = call.batch
        batch.left -= 1
        stop = False
        if batch.on_answer is not None:
            try:
                stop = batch.on_answer(call)
            except Exception as error:  # noqa: BLE001 - the caller's own fault, raised where it waits
                if not batch.done.done():
                    batch.done.set_exception(error)
        if stop or not batch.left:
            self.end(batch)

    def end(self, batch: FanOut, why: Detail = Detail.NONE) -> None:
        """Stop waiting; calls that are still open are abandoned and may drain."""
        self.batches.discard(batch)
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None
        if batch.left:
            now = self.clock()
            for call in batch.calls:
                if call.outcome is WAITING:
                    self.abandon(call, Outcome.ABANDONED, why, now)
            batch.left = 0
        batch.calls = batch.order = ()  # the calls hold it, and no collector looks for cycles there
        batch.on_answer = None
        if not batch.done.done():
            batch.done.set_result(None)

    def abandon(self, call: Call, outcome: Outcome, why: Detail, now: float) -> None:
        """Decide the outcome of a call without telling its fan-out; its answer may still drain."""
        call.outcome = outcome
        call.detail = why
        call.ended_at = now
        self.drain(call, now)

    # What time does

    def arm(self, batch: FanOut, now: float) -> None:
        """Set the fan-out's one timer for the next call that is still open."""
        order = batch.order = batch.order or sorted(batch.calls, key=by_due)
        while order[batch.next].outcome is not WAITING:
            batch.next += 1
        delay = max(order[batch.next].due_at - now, TIMER_SLACK_S)
        batch.timer = self.loop.call_later(delay, self.ring, batch)

    def ring(self, batch: FanOut) -> None:
        """End the calls whose time is up, and wait for the next."""
        batch.timer = None
        now = self.clock()
        while batch.left:
            call = batch.order[batch.next]
            if call.outcome is WAITING:
                if call.due_at - now > TIMER_SLACK_S:
                    break
                self.time_out(call, now)
            else:
                batch.next += 1
        if batch.left:
            self.arm(batch, now)

    def time_out(self, call: Call, now: float) -> None:
        """End a call that was not answered in time."""
        if call.sent_at:
            self.drain(call, now)
            self.settle(call, Outcome.TIMEOUT, Detail.NONE, now)
        else:
            self.settle(call, Outcome.UNREACHABLE, Detail.CONNECT_TIMEOUT, now)

    def drain(self, call: Call, now: float) -> None:
        """Let a late answer come in for a while: the connection lives and its time is known."""
        if call.line is not None:
            self.drains.add(call.line, call, now)
            call.line = None

    # What connections say

    def made(self, connection: Connection) -> None:
        """The connection stands; whoever dials it hears so."""
        connection.stand(self.clock())
        self.stock.standing.add(connection)

    def answered(self, connection: Connection, call: Call, head: Head, body: bytes) -> None:
        """A whole answer came: in time, or late."""
        now = self.clock()
        in_time = call.outcome is WAITING
        if in_time:
            call.status = head.status
            call.head = head.text
            call.body = body
            call.outcome = ANSWERED
            call.ended_at = now
        else:
            self.note_late(call, now)
        if not head.keep or now >= connection.old_at or self.closing:
            connection.shut()
        elif connection.pool.waiting or self.stock.sweep_timer is None:
            self.stock.release(connection, now)
        else:  # the everyday way of `release`
            connection.idle_since = now
            connection.pool.idle.append(connection)
        if in_time:
            batch: FanOut = call.batch
            if batch.on_answer is None and batch.left > 1:
                batch.left -= 1  # the everyday way of `tell`
            else:
                self.tell(call)

    def failed(self, connection: Connection, call: Call, outcome: Outcome, why: Detail) -> None:
        """The connection broke under its call; a repeatable one gets a second chance."""
        if call.outcome is not WAITING:
            return
        now = self.clock()
        call.line = None
        stale = why is Detail.CLOSED_SILENTLY and connection.met
        if stale and call.repeatable and not call.repeated:
            call.repeated = True
            self.repeated_count += 1
            self.begin(call, now, fresh=True)
            return
        self.settle(call, outcome, why, now)

    def gone(self, connection: Connection) -> None:
        """The connection is closed; its place is free."""
        self.stock.lose(connection)

    def note_late(self, call: Call, now: float) -> None:
        """Count an answer that came after its call had ended, and tell how long it took."""
        self.late_count += 1
        call.late_ms = (now - call.begun_at) * 1000.0
        if self.on_late is not None:
            self.on_late(call)
