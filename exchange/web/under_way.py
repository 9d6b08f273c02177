"""What goes on whether or not anyone listens: leads being sold, and what follows from them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_EVERY_S = 0.05
"""How often the oldest lead is looked for at most: a look goes through all of them."""


class ClosingError(Exception):
    """The worker closes; nobody waits any longer."""


class UnderWay:
    """Holds every running story, so that none is lost, and waits for all of them at the end."""

    def __init__(self, count_changed: Callable[[int], None] = lambda _count: None) -> None:
        self.count_changed = count_changed
        self.leads: dict[asyncio.Task[Any], float] = {}
        """When each should have ended, by the loop's clock; its task may go on to its answer."""
        self.others: set[asyncio.Task[Any]] = set()
        self.closing = asyncio.Event()
        self.retiring = False
        """New requests are answered as ever, and their connections closed: others go on."""
        self.looked_at_s = float("-inf")
        self.overdue = 0.0

    @property
    def count(self) -> int:
        """How many leads are being sold now."""
        return len(self.leads)

    def sell(self, story: Coroutine[Any, Any, T], within_s: float) -> asyncio.Task[T]:
        """Run a lead's story in a task of its own; it should end `within_s` from now."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(story)
        self.leads[task] = loop.time() + within_s
        self.count_changed(len(self.leads))
        task.add_done_callback(self.ended)
        return task

    async def see_through(self, story: Coroutine[Any, Any, T], within_s: float) -> T:
        """Run a lead's story in the caller's own task, which nobody else may cancel; as `sell`."""
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self.leads[task] = asyncio.get_running_loop().time() + within_s
        self.count_changed(len(self.leads))
        try:
            return await story
        finally:
            self.ended(task)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run what follows from a story beside it, such as the repetition of a post."""
        task = asyncio.get_running_loop().create_task(work)
        self.others.add(task)
        task.add_done_callback(self.others.discard)
        return task

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Forget a story that ended."""
        self.leads.pop(task, None)
        self.count_changed(len(self.leads))

    def overdue_ms(self) -> float:
        """Return by how much the most overdue lead is late, as seen within the last moments."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self.looked_at_s >= LOOK_EVERY_S:
            self.looked_at_s = now_s
            due_s = min(self.leads.values(), default=now_s)
            self.overdue = max(0.0, now_s - due_s) * 1000
        return self.overdue

    async def unless_closing(self, wanted: Coroutine[Any, Any, T]) -> T:
        """Return what was waited for; raise `ClosingError` where the worker closes before."""
        waiting = asyncio.ensure_future(wanted)
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            raise ClosingError
        finally:
            waiting.cancel()
            closing.cancel()

    @property
    def lets_go(self) -> bool:
        """Whether a connection ends with its present answer."""
        return self.retiring or self.closing.is_set()

    def retire(self) -> None:
        """Have every connection end with its next answer."""
        self.retiring = True

    def close(self) -> None:
        """Let nobody wait any longer for what may take long; new leads are turned away."""
        self.closing.set()

    async def drain(self, timeout_s: float) -> int:
        """Wait for all stories; cancel what is left at the end and return how many that were.

        What is cut off is found in the ledger and finished by another worker.
        """
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while tasks := [*self.leads, *self.others]:
            left_s = deadline_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                return len(tasks)
            await asyncio.wait(tasks, timeout=left_s)
        return 0
