"""What the supervisor does about what it cannot choose: signals that crowd, starts that fail."""

import asyncio
import sys

import msgspec

from exchange.settings import load_settings
from exchange.supervision.supervisor import Supervisor
from exchange.worker.sockets import Sockets

NOBODY = Sockets([], [])


def editions(count):
    """Settings that differ, each by the size of a body."""
    usual = load_settings(None, {})
    return [msgspec.structs.replace(usual, body_max_bytes=1000 + n) for n in range(count)]


async def test_restarts_that_are_asked_for_at_once_are_each_an_edition_of_their_own():
    """Whoever sends SIGHUP three times before the first was heard restarts with the last."""
    first, *others = editions(4)
    read = iter(others)
    supervisor = Supervisor(first, NOBODY, "", lambda _: 0, lambda: next(read))
    for _ in others:
        supervisor.renew()
    while not supervisor.events.empty():
        await supervisor.hear(supervisor.events.get_nowait())
    assert supervisor.roster.edition == 3
    assert supervisor.settings[supervisor.roster.edition] is others[-1]


async def test_workers_that_cannot_be_started_end_it_with_a_status(monkeypatch):
    """No interpreter, no memory, no file left: counted as ends, not a fault of the supervisor."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    [settings] = editions(1)
    supervisor = Supervisor(settings, NOBODY, "", lambda _: 1, lambda: settings)
    assert await asyncio.wait_for(supervisor.run(), 60) == 1
    assert supervisor.children == {}


async def test_a_worker_that_ended_before_it_was_told_anything_is_buried(monkeypatch):
    """Its end of the line is closed; so are five of them, and that is the end."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    [settings] = editions(1)
    supervisor = Supervisor(settings, NOBODY, "", lambda _: 1, lambda: settings)
    assert await asyncio.wait_for(supervisor.run(), 60) == 1
    assert supervisor.children == {}
