"""The connections to all hosts: opened for a call, kept for the next one, closed when long idle.

A task is made only to open a connection.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.connection import Connection, Limits, Owner
from exchange.wire.dialer import Unreachable
from exchange.wire.endpoint import Endpoint
from exchange.wire.pool import Pool

SWEEP_S = 1.0


class Dials(Protocol):
    """Who opens connections."""

    async def dial(self, endpoint: Endpoint, connection: asyncio.Protocol) -> float:
        """Connect `connection` to the host and return the round trip in ms; else `Unreachable`."""

    def close(self) -> None:
        """Open no connection any more."""


class Holder(Owner, Protocol):
    """Whose connections they are."""

    def settle(self, call: Call, outcome: Outcome, why: Detail, now: float) -> None:
        """Decide the outcome of a call whose connection could not be opened."""


class Stock:
    """Connections by host, with the calls that wait for theirs to stand."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dialer: Dials,
        limits: Limits,
        clock: Callable[[], float],
        owner: Holder,
    ) -> None:
        self.loop = loop
        self.dialer = dialer
        self.limits = limits
        self.clock = clock
        self.owner = owner
        self.sweep_s = min(SWEEP_S, limits.connection_idle_max_s)
        self.pools: dict[str, Pool[Connection]] = {}
        self.standing: set[Connection] = set()
        self.dialing: set[asyncio.Task[None]] = set()
        self.sweep_timer: asyncio.TimerHandle | None = None
        self.emptied: asyncio.Future[None] | None = None
        # Counted since the start
        self.opened_count = 0
        self.refused_count = 0  # connections that could not be opened

    def pool_of(self, key: str) -> Pool[Connection]:
        """Return the connections to a host, made when it is first called."""
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = Pool()
        return pool

    def open(self, pool: Pool[Connection], call: Call) -> None:
        """Open a connection for this call, or for whoever waits once it stands."""
        pool.open += 1
        pool.waiting.append(call)
        task = self.loop.create_task(self._connect(pool, call))
        self.dialing.add(task)
        task.add_done_callback(self.dialing.discard)

    async def _connect(self, pool: Pool[Connection], call: Call) -> None:
        """Open one connection: for this call, else for whoever waits, else for later."""
        connection = Connection(self.owner, pool, self.limits)
        why = Detail.CONNECT_FAILED
        try:
            connection.round_trip_ms = await self.dialer.dial(call.endpoint, connection)
        except Unreachable as refusal:
            why = refusal.why
        finally:
            pool.wait_no_more(call)
            if not connection.made:
                pool.open -= 1
        now = self.clock()
        waits = call.outcome is Outcome.WAITING and call.line is None
        if connection.closing:
            self.refused_count += 1
            if not pool.open:
                self.pools.pop(call.endpoint.key, None)
            if waits:
                self.owner.settle(call, unsent(call), why, now)
            return
        self.opened_count += 1
        if waits and call.due_at > now:
            send(call, connection, now)
        else:
            self.release(connection, now)

    def release(self, connection: Connection, now: float) -> None:
        """Give a free connection to the call that has waited longest, else keep it idle."""
        pool = connection.pool
        if pool.waiting:
            call = pool.next_waiting(now)
            if call is not None:
                send(call, connection, now)
                return
        connection.idle_since = now
        pool.idle.append(connection)
        if self.sweep_timer is None:
            self.sweep_timer = self.loop.call_later(self.sweep_s, self.sweep)

    def sweep(self) -> None:
        """Close connections that were idle for too long, and forget hosts that have none."""
        now = self.clock()
        self.sweep_timer = None
        for key, pool in list(self.pools.items()):
            pool.drop_stale(now)
            if pool.idle and self.sweep_timer is None:
                self.sweep_timer = self.loop.call_later(self.sweep_s, self.sweep)
            if not pool.open:
                del self.pools[key]

    def lose(self, connection: Connection) -> None:
        """Forget a connection that is closed; its place is free."""
        pool = connection.pool
        pool.open -= 1
        if connection in pool.idle:
            pool.idle.remove(connection)
        self.standing.discard(connection)
        if self.emptied is not None and not self.standing:
            self.emptied.set_result(None)

    async def close(self) -> None:
        """Open none any more, close all, and return once they are gone."""
        if self.sweep_timer is not None:
            self.sweep_timer.cancel()
            self.sweep_timer = None
        for task in list(self.dialing):
            task.cancel()
        if self.dialing:
            await asyncio.wait(self.dialing)
        for connection in list(self.standing):
            connection.shut()
        if self.standing:
            self.emptied = self.loop.create_future()
            await self.emptied
        self.dialer.close()
        self.pools.clear()


def send(call: Call, connection: Connection, now: float) -> None:
    """Hand the request to the connection."""
    assert connection.transport is not None, "a connection carries calls once it stands"
    call.line = connection
    call.sent_at = now
    connection.call = call
    connection.transport.write(call.request)


def unsent(call: Call) -> Outcome:
    """How a call ends that cannot be sent: in doubt where it was sent once already."""
    return Outcome.BROKEN if call.sent_at else Outcome.UNREACHABLE
