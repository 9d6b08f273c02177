"""A world in which time jumps and chance decides who goes next: event loops that a seed repeats.

A process is an event loop of its own, and all loops of a world share one queue. So a crash is
plain: a loop that is dead runs nothing more, between any two of its callbacks, no `finally` and
no `except` of it either, as with a real kill -9. Time stands still while anybody can run; then
it jumps to the next timer. Nothing here looks at the wall's clock, opens a socket or a thread.
"""

import asyncio
import heapq
from asyncio import events
from itertools import count
from random import Random
from typing import Any

import msgspec

STEPS_MAX = 2_000_000
"""So many callbacks at one moment of virtual time are a loop that never waits."""


OUTAGES = {"LedgerUnavailable", "MarketUnavailable", "MarketStale"}
"""Where a story was cut off, nobody may be left to hear of these."""

CLOSINGS_MAX = 20
"""So many things a coroutine may still wait for while it is ended."""


class Handle(msgspec.Struct, eq=False):
    """A callback that is due, or will be; the few methods that asyncio asks of one."""

    loop: Any
    callback: Any
    args: Any
    context: Any = None
    due_at: float = 0.0

    def cancel(self):
        self.callback = None
        self.args = ()

    def cancelled(self):
        return self.callback is None

    def when(self):
        return self.due_at


Timer = tuple[float, int, Handle]
SPANS_PER_S = 4


class Stuck(Exception):  # noqa: N818 - said as people say it
    """The world goes on and on without its time passing."""


class World:
    """Everything that happens under one seed, one callback after the other."""

    def __init__(self, seed: Any) -> None:
        self.chance = Random(f"schedule {seed}")
        self.now = 0.0
        self.steps = 0
        self.places: dict[str, Any] = {}
        """Who answers under which path; see `Process.create_unix_connection`."""
        self.watchers: list[tuple[int, Any]] = []
        """What is to happen after so many callbacks: a heap of steps and what to call."""
        self.errors: list[str] = []
        """What nobody caught."""
        self.is_orderly = self.chance.random() < 1 / 4
        """In such a world what was ready first runs first, as under a real loop."""
        self._ready: list[Handle] = []
        self._soon: list[Timer] = []
        """A heap of the timers that are due before `_horizon`."""
        self._horizon = 0
        self._later: dict[int, list[Timer]] = {}
        """All others, by their span, unsorted: most are cancelled before their time comes."""
        self._spans: list[int] = []
        self._numbers = count()

    # What the world itself does: stores, buyers and the network between them

    def call_soon(self, callback, *args):
        handle = Handle(None, callback, args)
        self._ready.append(handle)
        return handle

    def call_at(self, when, callback, *args):
        handle = Handle(None, callback, args, None, when)
        self.put_timer(handle)
        return handle

    def call_later(self, delay_s, callback, *args):
        handle = Handle(None, callback, args, None, self.now + delay_s)
        self.put_timer(handle)
        return handle

    def after_steps(self, steps, callback):
        """Call this between two callbacks of whomever, so many from now."""
        heapq.heappush(self.watchers, (self.steps + steps, next(self._numbers), callback))

    # What its processes ask

    def put(self, handle):
        self._ready.append(handle)

    def put_timer(self, handle):
        span = int(handle.due_at * SPANS_PER_S)
        timer = handle.due_at, next(self._numbers), handle
        if span < self._horizon:
            heapq.heappush(self._soon, timer)
        elif span in self._later:
            self._later[span].append(timer)
        else:
            self._later[span] = [timer]
            heapq.heappush(self._spans, span)

    def run(self, until=None):  # noqa: C901, PLR0912, PLR0915 - the one loop that all goes through
        """Go on until this returns true (looked at whenever time passes), or nothing is left."""
        ready, watchers, chance = self._ready, self.watchers, self.chance.random
        set_running, running = events._set_running_loop, None
        orderly, moment_began = self.is_orderly, self.steps
        outside = events._get_running_loop()
        in_order: list[Handle] = []
        try:
            while True:
                if in_order:
                    handle = in_order.pop()
                elif not ready:
                    if not (self._soon or self._spans) or (until is not None and until()):
                        return
                    self._jump()
                    moment_began = self.steps
                    continue
                elif self.steps - moment_began > STEPS_MAX:
                    raise Stuck(f"at {self.now}: {[h.callback for h in ready[:5]]}")
                elif len(ready) == 1:
                    handle = ready.pop()
                elif orderly:
                    in_order = ready[::-1]
                    ready.clear()
                    continue
                else:
                    place = int(chance() * len(ready))
                    handle, ready[place] = ready[place], ready[-1]
                    del ready[-1]
                callback = handle.callback
                if callback is None:
                    continue
                loop = handle.loop
                if loop is not None and loop.is_away:
                    loop.keep(handle)
                    continue
                if loop is not running:
                    set_running(loop)
                    running = loop
                self.steps += 1
                try:
                    if handle.context is None:
                        callback(*handle.args)
                    elif handle.args:
                        handle.context.run(callback, *handle.args)
                    else:
                        handle.context.run(callback)
                except Exception as error:  # noqa: BLE001 - told like a loop's own
                    self.errors.append(f"{callback!r}: {error!r}")
                if watchers and watchers[0][0] <= self.steps:
                    heapq.heappop(watchers)[2]()
        finally:
            set_running(outside)

    def _jump(self):
        """Let time pass until the next timers are due; for what was cancelled none passes."""
        soon, ready, pop = self._soon, self._ready, heapq.heappop
        handle = None
        while handle is None or handle.callback is None:
            if not soon:
                if not self._spans:
                    return
                span = pop(self._spans)
                soon[:], self._horizon = self._later.pop(span), span + 1
                heapq.heapify(soon)
            when, _, handle = pop(soon)
        now = self.now = max(self.now, when)
        ready.append(handle)
        while soon and soon[0][0] <= now:
            ready.append(pop(soon)[2])


class SimulatedTask(asyncio.Task):
    """A task that is the same in every run: sets of tasks are walked in the order of their hash."""

    def __init__(self, coro, *, loop, number, name=None, context=None):
        self.number = number
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self):
        return self.number

    def __eq__(self, other):
        return self is other


class Process(asyncio.AbstractEventLoop):
    """One process of the world: the part of an event loop that the exchange calls."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.is_away = False
        """It is dead or stopped: nothing of it runs."""
        self.is_dead = False
        self.tasks: list[SimulatedTask] = []
        self._kept: list[Handle] = []
        self._numbers = count(1)
        self._put, self._put_timer = world.put, world.put_timer

    # What may befall it

    def kill(self):
        """Let nothing of it ever run again."""
        self.is_away = self.is_dead = True
        self._kept.clear()

    def stop_running(self):
        """Stop it where it is, as SIGSTOP does."""
        self.is_away = True

    def go_on(self):
        """Let a stopped process run again; what fell due meanwhile is due now."""
        if not self.is_dead:
            self.is_away = False
            for handle in self._kept:
                self.world.put(handle)
            self._kept.clear()

    def keep(self, handle):
        if not self.is_dead:
            self._kept.append(handle)

    def sweep(self):
        """End what a dead process left half done, without a word; call it when the run is over."""
        self.kill()
        for task in self.tasks:
            task._log_destroy_pending = False
            for _ in range(CLOSINGS_MAX):
                try:
                    task.get_coro().close()
                except RuntimeError:  # it awaits something while it closes: it is told again
                    continue
                except Exception:  # noqa: BLE001 - nobody is left to whom it matters
                    pass
                break
        self.tasks.clear()

    # An event loop

    def time(self):
        return self.world.now

    def get_debug(self):
        return False

    def is_running(self):
        return True

    def is_closed(self):
        return False

    def call_soon(self, callback, *args, context=None):
        handle = Handle(self, callback, args, context)
        self._put(handle)
        return handle

    def call_later(self, delay, callback, *args, context=None):
        handle = Handle(self, callback, args, context, self.world.now + delay)
        self._put_timer(handle)
        return handle

    def call_at(self, when, callback, *args, context=None):
        handle = Handle(self, callback, args, context, when)
        self._put_timer(handle)
        return handle

    def create_future(self):
        return asyncio.Future(loop=self)

    def create_task(self, coro, *, name=None, context=None):
        number = next(self._numbers)
        # Named by its number: Python would count the tasks of all runs.
        task = SimulatedTask(
            coro, loop=self, number=number, name=name or str(number), context=context
        )
        self.tasks.append(task)
        if number % 1024 == 0:
            self.tasks = [one for one in self.tasks if not one.done()]
        return task

    def call_exception_handler(self, context):
        problem = context.get("exception") or context.get("message")
        if not self.is_dead and type(problem).__name__ not in OUTAGES:
            self.world.errors.append(f"{self.name}: {problem!r}")

    async def create_unix_connection(self, protocol_factory, path=None, **_more):
        """Connect to whoever stands at this path of the world."""
        return await self.world.places[path].connect(self, protocol_factory)

    async def shutdown_asyncgens(self):
        return


def run(process: Process, coroutine):
    """Run this in a process until it ends; return what it returned, or raise."""
    task = process.create_task(coroutine)
    process.world.run(until=task.done)
    assert task.done(), "the world came to rest before this did"
    return task.result()
