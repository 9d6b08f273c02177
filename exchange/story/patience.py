"""Waiting for one of several things, but not for ever: `asyncio.wait` at a third of its cost.

Every lead waits so twice, for its story and for its post; `asyncio.wait` builds sets and closures
for what is one thing here, nearly always.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from typing import Any


async def any_done(tasks: Collection["asyncio.Future[Any]"], within_s: float | None) -> None:
    """Return once one of these is done, or the time is over; whoever is waited for goes on."""
    for task in tasks:
        if task.done():
            return
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_task: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = None if within_s is None else loop.call_later(within_s, wake)
    for task in tasks:
        task.add_done_callback(wake)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for task in tasks:
            task.remove_done_callback(wake)


async def all_ended(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel all of these and return once they have ended; what they raise is theirs alone."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def all_done(works: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Do all at once; where one fails the others are broken off, and its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        await all_ended(tasks)
