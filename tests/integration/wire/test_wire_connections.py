"""Connections are kept, bounded, and never trusted further than they can be."""

import asyncio
import socket

import pytest

from exchange.wire.call import Detail, Outcome

pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


async def answers(peer):
    """Answer every request with its own body."""
    while True:
        await peer.answer(await peer.request())


def first_then(first, then):
    """A script that treats the first connection one way and all later ones another."""

    async def script(peer):
        await (first if peer.server.accepted == 1 else then)(peer)

    return script


def dies_on_second(how):
    """Answer once; when the second request has come, end without a byte of an answer."""

    async def script(peer):
        await peer.answer(await peer.request())
        await peer.request()
        how(peer)

    return script


def close(peer):
    peer.writer.close()


def reset(peer):
    peer.reset()


async def test_a_connection_is_used_again(serve, open_wire, make_call):
    """Ten pings one after the other are one connection."""
    server = await serve(answers)
    wire = open_wire()
    for n in range(10):
        call = make_call(server.url, b"%d" % n)
        await wire.request(call)
        assert call.body == b"%d" % n
    assert server.accepted == 1
    assert (wire.stock.opened_count, wire.reused_count, len(wire.stock.standing)) == (1, 9, 1)


async def test_pings_and_posts_to_one_host_share_connections(serve, open_wire, make_call):
    """Another path on the same host needs no other connection."""
    server = await serve(answers)
    wire = open_wire()
    await wire.request(make_call(server.url))
    await wire.request(make_call(server.url.replace("/ping", "/post"), repeatable=False))
    assert server.accepted == 1


@pytest.mark.parametrize("how", [close, reset])
async def test_a_ping_on_a_connection_that_died_is_sent_once_more(serve, open_wire, make_call, how):
    """Where nothing came back on a kept connection, a fresh one is tried, once."""
    server = await serve(first_then(dies_on_second(how), answers))
    wire = open_wire()
    await wire.request(make_call(server.url, b"1"))
    call = make_call(server.url, b"2")
    await wire.request(call)
    assert (call.outcome, call.body) == (Outcome.ANSWERED, b"2")
    assert server.requests == [b"1", b"2", b"2"]
    assert wire.repeated_count == 1


@pytest.mark.parametrize("how", [close, reset])
async def test_a_post_on_a_connection_that_died_is_in_doubt(serve, open_wire, make_call, how):
    """The buyer may have it: it is never sent twice by the wire."""
    server = await serve(first_then(dies_on_second(how), answers))
    wire = open_wire()
    await wire.request(make_call(server.url, b"1"))
    call = make_call(server.url, b"2", repeatable=False)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CLOSED_SILENTLY)
    assert server.requests == [b"1", b"2"]
    assert wire.repeated_count == 0


async def test_a_ping_is_not_sent_a_third_time(serve, open_wire, make_call):
    """A server that always dies gets two tries, not a storm."""

    async def dies(peer):
        await peer.request()

    server = await serve(first_then(dies_on_second(close), dies))
    wire = open_wire()
    await wire.request(make_call(server.url, b"1"))
    call = make_call(server.url, b"2")
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CLOSED_SILENTLY)
    assert server.requests == [b"1", b"2", b"2"]


async def test_a_ping_is_not_sent_again_once_a_byte_came(serve, open_wire, make_call):
    """A half answer is an answer that broke."""

    async def half(peer):
        await peer.answer(await peer.request())
        await peer.request()
        await peer.send(b"H")

    server = await serve(first_then(half, answers))
    wire = open_wire()
    await wire.request(make_call(server.url))
    call = make_call(server.url)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CLOSED_HALFWAY)
    assert len(server.requests) == 2


async def test_a_repeated_ping_whose_server_is_gone_is_broken(serve, open_wire, make_call):
    """It was sent once, so it does not end as never sent."""

    async def last_words(peer):
        await peer.answer(await peer.request())
        await peer.request()
        peer.server.listener.close()
        peer.reset()

    server = await serve(last_words)
    wire = open_wire()
    await wire.request(make_call(server.url))
    call = make_call(server.url)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CONNECT_REFUSED)
    assert call.sent_at > 0


@pytest.mark.parametrize("repeatable", [True, False], ids=["ping", "post"])
async def test_a_connection_closed_while_idle_is_not_used(
    serve, open_wire, make_call, until, repeatable
):
    """Once the close has been seen, neither a ping nor a post is risked on it."""

    async def once(peer):
        await peer.answer(await peer.request())

    server = await serve(once)
    wire = open_wire()
    for n in range(3):
        call = make_call(server.url, b"%d" % n, repeatable=repeatable)
        await wire.request(call)
        assert call.body == b"%d" % n
        await until(lambda: not len(wire.stock.standing))
    assert server.accepted == 3
    assert wire.repeated_count == 0


async def test_a_post_sees_a_close_that_the_loop_has_not_seen_yet(
    serve, open_wire, make_call, until
):
    """Before a post the socket itself is asked: a close in the kernel's queue is enough."""

    async def once(peer):
        await peer.answer(await peer.request())

    server = await serve(once)
    wire = open_wire()
    await wire.request(make_call(server.url))
    (connection,) = wire.stock.standing
    await until(lambda: connection.closing or not connection.transport.quiet())
    call = make_call(server.url, b"post", repeatable=False)
    await wire.request(call)
    assert (call.outcome, call.body) == (Outcome.ANSWERED, b"post")


async def test_a_server_that_says_close_is_believed(serve, open_wire, make_call):
    """`Connection: close` ends the connection although the server leaves it open."""

    async def script(peer):
        await peer.answer(await peer.request(), b"Connection: close")
        await peer.gone()

    server = await serve(script)
    wire = open_wire()
    for _ in range(3):
        call = make_call(server.url)
        await wire.request(call)
        assert call.outcome is Outcome.ANSWERED
    await server.all_closed()
    assert server.accepted == 3


async def test_trailing_bytes_are_not_the_next_answer(serve, open_wire, make_call):
    """A second answer sent along with the first is never given to the next call."""

    async def two_for_one(peer):
        body = await peer.request()
        one = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        await peer.send(one + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.gone()

    server = await serve(two_for_one)
    wire = open_wire()
    for n in range(3):
        call = make_call(server.url, b"%d" % n)
        await wire.request(call)
        assert call.body == b"%d" % n
    assert server.accepted == 3


async def test_connections_to_a_host_are_bounded_and_nothing_queues(
    serve, open_wire, make_call, until
):
    """Calls beyond the limit are refused at once; those within it are answered."""
    gate = asyncio.Event()

    async def waits(peer):
        body = await peer.request()
        await gate.wait()
        await peer.answer(body)
        await answers(peer)

    server = await serve(waits)
    wire = open_wire(connections_per_host_max=8)
    calls = [make_call(server.url) for _ in range(50)]
    refused = []

    def note(call):
        refused.append(call.outcome)
        if len(refused) == 42:
            gate.set()
        return False

    await wire.fan_out(calls, wire.clock() + 5, note)
    assert [call.outcome for call in calls[:8]] == [Outcome.ANSWERED] * 8
    assert [call.outcome for call in calls[8:]] == [Outcome.THROTTLED] * 42
    assert not any(call.sent_at for call in calls[8:])
    await until(lambda: not wire.stock.dialing)
    await until(lambda: server.accepted == 8)
    assert wire.throttled_count == 42
    again = [make_call(server.url) for _ in range(8)]
    await wire.fan_out(again, wire.clock() + 5)
    assert [call.outcome for call in again] == [Outcome.ANSWERED] * 8
    assert server.accepted == 8


async def test_a_freed_connection_goes_to_who_waits(serve, open_wire, make_call, until):
    """A call whose own connection is slow to come takes one that becomes free before."""
    server = await serve(answers)
    wire = open_wire()
    await wire.request(make_call(server.url))
    second = make_call(server.url, b"second")
    late_dials = asyncio.Event()
    dial = wire.stock.dialer.dial

    async def slow_dial(endpoint, connection):
        await late_dials.wait()
        return await dial(endpoint, connection)

    wire.stock.dialer.dial = slow_dial
    first = make_call(server.url, b"first")
    await wire.fan_out([first, second], wire.clock() + 5)
    assert (first.body, second.body) == (b"first", b"second")
    assert server.accepted == 1
    late_dials.set()
    await until(lambda: not wire.stock.dialing)
    assert len(next(iter(wire.stock.pools.values())).idle) == 2


async def test_a_connection_that_comes_too_late_is_kept_for_the_next(
    serve, open_wire, make_call, until
):
    """The effort of a handshake is not thrown away with the call that asked for it."""
    server = await serve(answers)
    wire = open_wire()
    gate = asyncio.Event()
    dial = wire.stock.dialer.dial

    async def slow_dial(endpoint, connection):
        await gate.wait()
        return await dial(endpoint, connection)

    wire.stock.dialer.dial = slow_dial
    call = make_call(server.url, timeout_ms=30)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CONNECT_TIMEOUT)
    gate.set()
    await until(lambda: not wire.stock.dialing)
    await wire.request(make_call(server.url, b"next"))
    assert server.requests == [b"next"]
    assert server.accepted == 1


async def test_the_warmest_connection_is_used_first(serve, open_wire, make_call, until):
    """Last in, first out: what is not needed grows cold and is closed."""
    server = await serve(answers)
    wire = open_wire()
    await wire.fan_out([make_call(server.url) for _ in range(3)], wire.clock() + 5)
    await until(lambda: not wire.stock.dialing)  # one that comes late would be the warmest then
    (pool,) = wire.stock.pools.values()
    warmest = pool.idle[-1]
    for _ in range(5):
        await wire.request(make_call(server.url))
        assert pool.idle[-1] is warmest


async def test_idle_connections_are_closed_after_a_while(serve, open_wire, make_call, until):
    """Nothing stays open for nobody, and the host is forgotten."""
    server = await serve(answers)
    wire = open_wire(connection_idle_max_s=0.05)
    await wire.fan_out([make_call(server.url) for _ in range(3)], wire.clock() + 5)
    await until(lambda: not wire.stock.dialing)
    assert wire.stock.opened_count == 3
    async with asyncio.timeout(5):
        await server.all_closed()
    wire.stock.sweep()
    assert not wire.stock.pools
    assert len(wire.stock.standing) == 0


async def test_an_old_connection_is_not_used_again(serve, open_wire, make_call):
    """However busy it is, so that a host's new addresses come into use."""
    server = await serve(answers)
    wire = open_wire(age_max_s=0.0)
    for _ in range(3):
        await wire.request(make_call(server.url))
    assert server.accepted == 3


async def test_the_first_answer_on_a_connection_tells_the_round_trip(serve, open_wire, make_call):
    """What the network alone took is known once per connection, without a ping of its own."""
    server = await serve(answers)
    wire = open_wire()
    first, second = make_call(server.url), make_call(server.url)
    await wire.request(first)
    await wire.request(second)
    assert 0 < first.round_trip_ms < first.took_ms
    assert second.round_trip_ms == 0


async def test_a_host_that_is_down_leaves_nothing_behind(open_wire, make_call):
    """Calls to it are not remembered, however many there were."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        wire = open_wire()
        calls = [make_call(f"http://127.0.0.1:{free.getsockname()[1]}/") for _ in range(50)]
        await wire.fan_out(calls, wire.clock() + 5)
    assert {call.detail for call in calls} == {Detail.CONNECT_REFUSED}
    assert not wire.stock.pools


async def test_calls_that_gave_up_are_not_remembered(serve, open_wire, make_call, until):
    """A call that ended while its connection was being opened waits for nothing any more."""
    server = await serve(answers)
    wire = open_wire()
    await wire.fan_out([make_call(server.url, timeout_ms=-1) for _ in range(5)], wire.clock() + 5)
    quick = [make_call(server.url) for _ in range(5)]
    waiting = asyncio.create_task(wire.fan_out(quick, wire.clock() + 5))
    await asyncio.sleep(0)
    (pool,) = wire.stock.pools.values()
    waiting.cancel()
    await until(lambda: not wire.stock.dialing)
    assert not pool.waiting
    assert len(pool.idle) == pool.open == 5


async def test_a_post_that_wants_a_fresh_connection_leaves_the_others(
    serve, open_wire, make_call, until
):
    """What is too long idle for a post is still good for pings."""
    server = await serve(answers)
    wire = open_wire(idle_unrepeatable_max_s=-1.0)
    await wire.fan_out([make_call(server.url) for _ in range(3)], wire.clock() + 5)
    await until(lambda: not wire.stock.dialing)
    post = make_call(server.url, repeatable=False)
    await wire.request(post)
    assert post.outcome is Outcome.ANSWERED
    assert server.accepted == len(wire.stock.standing) == 4
    await wire.fan_out([make_call(server.url) for _ in range(4)], wire.clock() + 5)
    assert server.accepted == 4
