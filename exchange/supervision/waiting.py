"""Waiting for whichever comes first."""

import asyncio
from typing import Any


async def first_of(
    *events: asyncio.Event, beside: "asyncio.Future[Any] | None" = None
) -> asyncio.Event | None:
    """Return the first of these events that is set; None where `beside` is done before."""
    waits = {asyncio.ensure_future(event.wait()): event for event in events}
    others = set() if beside is None else {beside}
    try:
        done, _ = await asyncio.wait({*waits, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return next((waits[wait] for wait in waits if wait in done), None)
