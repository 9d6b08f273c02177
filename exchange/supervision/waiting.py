"""Waiting for whichever comes first, and letting know meanwhile that one is still there."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from exchange.supervision import brief as briefs


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


async def speak(line: socket.socket) -> None:
    """Let whoever watches know that this event loop goes round, for as long as it does."""
    while True:
        say(line, briefs.ALIVE)
        await asyncio.sleep(briefs.SPEAK_EVERY_S)


def say(line: socket.socket, words: bytes) -> None:
    """Say something to whoever watches, if it is there and listens."""
    with suppress(OSError):  # without one it is told to stop by now; one that lags hears the next
        line.send(words)
