"""What one process announces the others hear, through every break of their connections."""

import asyncio

import pytest

from exchange.domain.moment import MomentKind
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.listener import Listener

QUICK = Limits(timeout_s=0.5, retry_s=0.005)


class Ear:
    """Keeps what was heard, for a test to wait for."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.resyncs: asyncio.Queue[str] = asyncio.Queue()

    def fail(self, payload: str) -> None:
        raise ValueError(payload)

    def resync(self) -> None:
        self.resyncs.put_nowait("again")


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def make_listener(closing, database_url, ear):
    async def make(dsn: str = "") -> Listener:
        channels = {"lead": ear.heard.put_nowait, "configuration": ear.fail}
        listener = Listener(dsn or database_url, QUICK, channels, ear.resync)
        await listener.open()
        closing.push_async_callback(listener.close)
        return listener

    return make


async def test_an_announced_moment_is_heard_once_it_is_durable(make_listener, ledger, story, ear):
    """And a moment that announces nothing is not."""
    await make_listener()
    quiet, told = story.new_id(), story.new_id()
    await ledger.commit(story.moment(quiet, 1, MomentKind.NOTE))
    await ledger.commit(story.moment(told, 1, MomentKind.NOTE, announce=True))

    assert await ear.heard.get() == told
    assert ear.heard.empty()


async def test_a_fenced_moment_announces_nothing(make_listener, ledger, story, ear):
    """What was not written has not happened."""
    await make_listener()
    lead_id, other = story.new_id(), story.new_id()
    await ledger.commit(story.moment(lead_id, 1, MomentKind.NOTE))
    assert not await ledger.commit(story.moment(lead_id, 1, MomentKind.NOTE, announce=True))
    await ledger.commit(story.moment(other, 1, MomentKind.NOTE, announce=True))

    assert await ear.heard.get() == other


async def test_a_callback_that_fails_costs_the_others_nothing(make_listener, database, ear):
    """One channel's mistake is logged, the next notification comes."""
    await make_listener()
    await database.execute("SELECT pg_notify('configuration', '7')")
    await database.execute("SELECT pg_notify('lead', 'x')")

    assert await ear.heard.get() == "x"


async def test_a_broken_connection_is_replaced_and_what_was_missed_made_up_for(
    make_listener, wire, database, ear
):
    """After a break nobody knows what was missed, so all is looked at again."""
    listener = await make_listener(wire.dsn)
    wire.cut()

    assert await ear.resyncs.get() == "again"
    assert listener.is_up
    await database.execute("SELECT pg_notify('lead', 'after')")
    assert await ear.heard.get() == "after"


async def test_a_server_that_comes_back_is_found_again(make_listener, wire, database, ear):
    """However many attempts it takes."""
    listener = await make_listener(wire.dsn)
    await wire.close()
    await asyncio.sleep(0)
    await wire.open()

    await ear.resyncs.get()
    assert listener.is_up
    await database.execute("SELECT pg_notify('lead', 'after')")
    assert await ear.heard.get() == "after"


async def test_a_silent_connection_is_found_out(make_listener, wire, ear, monkeypatch):
    """A connection that was dropped without a word does not look alive forever."""
    monkeypatch.setattr("exchange.ledger.listener.HEARTBEAT_S", 0.01)
    await make_listener(wire.dsn)
    wire.silence()
    breaks = asyncio.get_running_loop().call_later(0.6, wire.speak)

    assert await ear.resyncs.get() == "again"
    breaks.cancel()


async def test_a_listener_that_cannot_begin_says_so(make_listener, wire):
    """A start without a server fails."""
    await wire.close()

    with pytest.raises(LedgerUnavailable):
        await make_listener(wire.dsn)
