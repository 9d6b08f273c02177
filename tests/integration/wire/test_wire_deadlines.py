"""A fan-out ends when it must, and leaves nothing behind."""

import asyncio

import pytest

from exchange.wire.call import Detail, Outcome

pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


async def answers(peer):
    while True:
        await peer.answer(await peer.request())


async def silent(peer):
    await peer.request()
    await peer.gone()


def gated(gate):
    """Answer once the gate is open."""

    async def script(peer):
        while True:
            body = await peer.request()
            await gate.wait()
            await peer.answer(body)

    return script


async def test_the_fan_out_ends_at_its_deadline(serve, open_wire, make_call):
    """Whatever a call's own timeout says, the deadline is the deadline."""
    quick, slow = await serve(answers), await serve(silent)
    wire = open_wire()
    calls = [make_call(server.url, timeout_ms=60_000) for server in (quick, slow, slow)]
    began = wire.clock()
    await wire.fan_out(calls, began + 0.15)
    assert 0.14 < wire.clock() - began < 0.6
    assert [call.outcome for call in calls] == [
        Outcome.ANSWERED,
        Outcome.TIMEOUT,
        Outcome.TIMEOUT,
    ]


async def test_each_call_has_its_own_timeout(serve, open_wire, make_call):
    """Short ones end while longer ones wait, in the order of their timeouts."""
    server = await serve(silent)
    wire = open_wire()
    calls = [make_call(server.url, timeout_ms=ms) for ms in (150, 50, 100)]
    ended = []
    await wire.fan_out(calls, wire.clock() + 5, lambda call: ended.append(call.timeout_ms))
    assert ended == [50, 100, 150]
    for call in calls:
        assert call.outcome is Outcome.TIMEOUT
        assert call.timeout_ms - 3 <= call.took_ms < call.timeout_ms + 300


async def test_the_fan_out_ends_as_soon_as_all_have_answered(serve, open_wire, make_call):
    """No deadline is waited for in vain."""
    server = await serve(answers)
    wire = open_wire()
    calls = [make_call(server.url, b"%d" % n, timeout_ms=30_000) for n in range(30)]
    await wire.fan_out(calls, wire.clock() + 60)
    assert [call.body for call in calls] == [b"%d" % n for n in range(30)]
    assert max(call.took_ms for call in calls) < 5000


async def test_a_deadline_that_has_passed_ends_at_once(serve, open_wire, make_call):
    """A late auction asks nobody: nothing is sent that nobody would hear the answer of."""
    server = await serve(silent)
    wire = open_wire()
    call = make_call(server.url)
    await wire.fan_out([call], wire.clock() - 1)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.NO_TIME)
    assert server.accepted == 0


async def test_no_calls_are_no_wait(open_wire):
    """Nobody to ask is an answer."""
    wire = open_wire()
    await wire.fan_out([], wire.clock() + 60)


async def test_who_hears_enough_may_stop_early(serve, open_wire, make_call):
    """`on_answer` returns True: the rest is abandoned, not timed out."""
    quick, slow = await serve(answers), await serve(silent)
    wire = open_wire(late_grace_ms=20)
    calls = [make_call(slow.url), make_call(quick.url), make_call(slow.url)]
    await wire.fan_out(calls, wire.clock() + 60, lambda call: call.outcome is Outcome.ANSWERED)
    assert [call.outcome for call in calls] == [
        Outcome.ABANDONED,
        Outcome.ANSWERED,
        Outcome.ABANDONED,
    ]


async def test_stopping_before_all_were_sent_sends_no_more(serve, open_wire, make_call):
    """A refusal on the way out may already be enough."""
    server = await serve(answers)
    wire = open_wire(connections_per_host_max=1)
    calls = [make_call(server.url) for _ in range(3)]
    await wire.fan_out(calls, wire.clock() + 5, lambda call: call.outcome is Outcome.THROTTLED)
    assert [call.outcome for call in calls] == [
        Outcome.ABANDONED,
        Outcome.THROTTLED,
        Outcome.ABANDONED,
    ]


async def test_a_fault_of_the_listener_is_raised_to_who_waits(serve, open_wire, make_call):
    """It neither hangs the fan-out nor hurts the connection."""
    server = await serve(answers)
    wire = open_wire()

    def faulty(_call):
        raise LookupError("the caller's own fault")

    with pytest.raises(LookupError):
        await wire.fan_out([make_call(server.url)], wire.clock() + 5, faulty)
    await wire.request(make_call(server.url))
    assert server.accepted == 1


async def test_a_late_answer_drains_and_its_connection_lives(serve, open_wire, make_call):
    """The outcome stays what it was; the true time becomes known."""
    gate = asyncio.Event()
    heard = asyncio.get_running_loop().create_future()
    server = await serve(gated(gate))
    wire = open_wire(on_late=heard.set_result)
    call = make_call(server.url, b"late", timeout_ms=60)
    await wire.request(call)
    assert call.outcome is Outcome.TIMEOUT
    gate.set()
    assert await heard is call
    assert (call.outcome, call.status, call.body) == (Outcome.TIMEOUT, 0, b"")
    assert call.late_ms > call.took_ms >= 57
    following = make_call(server.url, b"next")
    await wire.request(following)
    assert following.body == b"next"
    assert server.accepted == 1
    assert wire.late_count == 1


async def test_draining_has_an_end(serve, open_wire, make_call):
    """A server that never answers keeps no connection."""
    server = await serve(silent)
    wire = open_wire(late_grace_ms=30)
    await wire.fan_out([make_call(server.url, timeout_ms=400) for _ in range(3)], wire.clock() + 5)
    assert len(wire.stock.standing) == 3
    async with asyncio.timeout(5):
        await server.all_closed()
    assert wire.drains.timer is None
    assert wire.late_count == 0


async def test_a_draining_connection_is_nobody_elses(serve, open_wire, make_call, until):
    """While an old answer may come, no other call is sent there."""
    gate = asyncio.Event()
    server = await serve(gated(gate))
    wire = open_wire()
    old = make_call(server.url, b"old", timeout_ms=30)
    await wire.request(old)
    new = make_call(server.url, b"new", timeout_ms=5000)
    waiting = asyncio.create_task(wire.request(new))
    await until(lambda: len(server.requests) >= 2)
    gate.set()
    await waiting
    assert new.body == b"new"
    assert server.accepted == 2


async def test_a_cancelled_fan_out_leaves_nothing_behind(serve, open_wire, make_call, until):
    """Calls are abandoned, the timer is gone, the connections drain and live on."""
    gate = asyncio.Event()
    server = await serve(gated(gate))
    wire = open_wire()
    calls = [make_call(server.url) for _ in range(5)]
    waiting = asyncio.create_task(wire.fan_out(calls, wire.clock() + 60))
    await until(lambda: len(server.requests) >= 5)
    (batch,) = wire.batches
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert {call.outcome for call in calls} == {Outcome.ABANDONED}
    assert batch.timer is None
    assert not wire.batches
    gate.set()
    await until(lambda: wire.late_count == 5)
    await wire.request(make_call(server.url))
    assert server.accepted == 5


async def test_cancelling_while_connecting_leaves_nothing_behind(
    serve, open_wire, make_call, until
):
    """The connection under way finishes for the next call."""
    server = await serve(answers)
    wire = open_wire()
    call = make_call(server.url)
    waiting = asyncio.create_task(wire.request(call))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (call.outcome, call.sent_at) == (Outcome.ABANDONED, 0)
    await until(lambda: not wire.stock.dialing)
    assert len(wire.stock.standing) == 1
    assert server.requests == []


async def test_closing_ends_every_call_and_connection(serve, open_wire, make_call, until):
    """Busy, idle, draining, connecting: whoever waits hears it at once, and no task is left."""
    quick, slow = await serve(answers), await serve(silent)
    wire = open_wire()
    await wire.request(make_call(quick.url))
    await wire.request(make_call(slow.url, timeout_ms=400))
    busy = [make_call(slow.url), make_call(quick.url.replace("127.0.0.1", "127.0.0.2"))]
    waiting = asyncio.create_task(wire.fan_out(busy, wire.clock() + 60))
    await until(lambda: len(slow.requests) >= 2)
    before = asyncio.all_tasks()
    await wire.close()
    await waiting
    assert busy[0].outcome is Outcome.ABANDONED
    assert busy[0].detail is Detail.WIRE_CLOSED
    await asyncio.gather(quick.all_closed(), slow.all_closed())
    assert asyncio.all_tasks() <= before
    refused = make_call(quick.url)
    await wire.request(refused)
    assert (refused.outcome, refused.detail) == (Outcome.UNREACHABLE, Detail.WIRE_CLOSED)


async def test_no_task_is_made_for_a_ping(serve, open_wire, make_call, until):
    """On kept connections a fan-out costs one future and one timer, and no task."""
    server = await serve(answers)
    wire = open_wire()
    await wire.fan_out([make_call(server.url) for _ in range(10)], wire.clock() + 5)
    await until(lambda: not wire.stock.dialing)
    made = []
    loop = asyncio.get_running_loop()
    tasks, timers, futures = loop.create_task, loop.call_later, loop.create_future

    class Counting:
        def __getattr__(self, name):
            return getattr(loop, name)

        def create_task(self, work):
            made.append("task")
            return tasks(work)

        def call_later(self, *arguments):
            made.append("timer")
            return timers(*arguments)

        def create_future(self):
            made.append("future")
            return futures()

    wire.loop = Counting()
    await wire.fan_out([make_call(server.url) for _ in range(10)], wire.clock() + 5)
    assert sorted(made) == ["future", "timer"]
    assert server.accepted == 10
