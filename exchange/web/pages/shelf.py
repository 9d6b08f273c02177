"""Rendered pages: each is made once, in a thread, however many ask for it at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable

from aiohttp import web

from exchange.web.pages.representation import Representation

KEPT_MAX = 128
"""A page has some hundred kilobytes at most; what was not asked for longest goes first."""


class Shelf:
    """Keeps what was made under a key; a key that changes with the market is made anew."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._made: OrderedDict[Hashable, asyncio.Task[Representation]] = OrderedDict()

    def holds(self, key: Hashable) -> bool:
        """Tell whether something stands under this key, so that nothing must be prepared for it."""
        task = self._made.get(key)
        return task is not None and not (task.done() and failed(task))

    async def get(self, key: Hashable, make: Callable[[], Representation]) -> Representation:
        """Return what stands under this key, made by whoever asks for it first."""
        task = self._made.get(key)
        if task is None or (task.done() and failed(task)):
            task = self._made[key] = asyncio.ensure_future(asyncio.to_thread(make))
        self._made.move_to_end(key)
        while len(self._made) > self._kept_max:
            self._made.popitem(last=False)
        return await asyncio.shield(task)


def failed(task: asyncio.Task[Representation]) -> bool:
    """Tell whether nothing came of a task that is over."""
    return task.cancelled() or task.exception() is not None


SHELF = web.AppKey("shelf", Shelf)
