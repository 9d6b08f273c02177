"""New connections go to the worker with the fewest; what waits is taken all the same."""

import asyncio
import socket
import tempfile

import pytest

from exchange.commands.serve import bound
from exchange.web.acceptor import Acceptor
from exchange.web.crowd import Crowd


@pytest.fixture
def crowd():
    with tempfile.TemporaryFile(buffering=0) as memory:
        yield Crowd.of_nobody(memory)


def test_whoever_has_more_than_another_is_ahead(crowd):
    """Those who left, and those who never came, are nobody to wait for."""
    crowd.join(0)
    crowd.add(0, 5)
    assert not crowd.is_ahead(0), "there is nobody else"
    crowd.join(3)
    assert crowd.is_ahead(0)
    assert not crowd.is_ahead(3)
    crowd.add(3, 5)
    assert not crowd.is_ahead(0), "as many are not more"
    crowd.add(0, -1)
    crowd.leave(0)
    crowd.add(0, -1)
    assert not crowd.is_ahead(3), "what is left of one that retired does not count"


def test_the_numbers_are_shared_by_all_who_have_the_file():
    """By way of the file alone: workers are other processes."""
    with tempfile.TemporaryFile(buffering=0) as memory:
        one = Crowd.of_nobody(memory)
        one.join(7)
        one.add(7, 2)
        other = Crowd(memory)
        other.join(1)
        assert one.is_ahead(7)


class Line(asyncio.Protocol):
    """A connection that says who serves it."""

    def __init__(self, name):
        self.name = name

    def connection_made(self, transport):
        transport.write(self.name)


async def callers(port, number):
    """So many connections, one after the other, kept open; who serves each."""
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]
    served = [await reader.readexactly(1) for reader, _ in lines]
    for _, writer in lines:
        writer.close()
    return served


async def test_connections_are_shared_equally(crowd):
    """Also those that come one by one, for which the same one could always be first."""
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    acceptors = []
    for slot, name in enumerate((b"a", b"b")):
        crowd.join(slot)
        acceptors.append(Acceptor(listening.dup(), lambda name=name: Line(name), crowd, slot))
    served = await callers(port, 20)
    assert sorted(map(served.count, (b"a", b"b"))) == [10, 10]
    for acceptor in acceptors:
        acceptor.close()
    listening.close()


async def test_all_that_wait_are_taken_in_one_turn():
    """A loop whose turns are long would leave them waiting until the queue runs over."""
    listening = bound("127.0.0.1", 0)
    address = listening.getsockname()
    calls = [socket.create_connection(address) for _ in range(40)]
    acceptor = Acceptor(listening, lambda: Line(b"a"))
    acceptor.woken()
    assert len(acceptor.beginning) == len(calls)
    await asyncio.gather(*acceptor.beginning)
    assert [call.recv(1) for call in calls] == [b"a"] * len(calls)
    for call in calls:
        call.close()
    acceptor.close()


async def test_a_connection_does_not_wait_for_one_that_hangs(crowd):
    """The other has none and takes none: who has more takes it after a moment."""
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    crowd.join(0)
    crowd.join(1)
    acceptor = Acceptor(listening.dup(), lambda: Line(b"a"), crowd, 0)
    async with asyncio.timeout(10):
        assert await callers(port, 3) == [b"a"] * 3
    acceptor.close()
    listening.close()


async def test_a_closed_acceptor_leaves_what_waits_to_the_others(crowd):
    """Neither refused nor reset: the socket is still open elsewhere."""
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    crowd.join(0)
    first = Acceptor(listening.dup(), lambda: Line(b"a"), crowd, 0)
    first.close()
    first.close()
    waiting = asyncio.create_task(callers(port, 2))
    _, early = await asyncio.open_connection("127.0.0.1", port)
    second = Acceptor(listening.dup(), lambda: Line(b"b"), crowd, 0)
    assert await waiting == [b"b", b"b"]
    early.close()
    second.close()
    listening.close()
