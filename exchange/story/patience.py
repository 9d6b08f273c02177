"""Waiting for one of several things, but not for ever: `asyncio.wait` at a third of its cost.

Every lead waits so twice, for its story and for its post; `asyncio.wait` builds sets and closures
for what is one thing here, nearly always.
"""

import asyncio
from collections.abc import Collection
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
