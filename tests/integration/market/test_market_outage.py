"""Outages: calls fail fast and clearly, nothing hangs, nothing counts twice, it heals by itself."""

import asyncio
import time

import pytest
import redis.asyncio
import structlog.testing
import uvloop

from exchange.domain.caps import HoldRefused
from exchange.domain.reason import Reason
from exchange.market import function
from exchange.market.errors import MarketUnavailable
from exchange.market.link import Link
from exchange.market.once import New, OnceKey
from tests.integration.market.making import a_claim, a_hold, a_line, until

DAY = "offer/a|leads|day|0"


def database(market_url):
    path, _, options = market_url.removeprefix("unix://").partition("?")
    return path, options


@pytest.fixture
async def wire(forwarder, market_url):
    async with forwarder(database(market_url)[0]) as wire:
        yield wire


@pytest.fixture
async def far(wire, open_market, market_url):
    """A worker's market behind a wire that can be cut."""
    return await open_market(f"{wire.url}?{database(market_url)[1]}", "far")


async def test_a_killed_server_is_known_at_once_and_comes_back_by_itself(server, started):
    """Calls fail in milliseconds while it is away; what it held is there when it returns."""
    market = await started(server, timeout_s=5.0)
    hold = a_hold(a_line(DAY, limit=1))
    assert await market.hold(hold) is None
    with structlog.testing.capture_logs() as logs:
        server.kill()
        for _ in range(20):
            before = time.perf_counter()
            with pytest.raises(MarketUnavailable, match="unavailable"):
                await market.claim(a_claim("lead"))
            assert time.perf_counter() - before < 1.0
        assert not market.is_up
        server.start()
        await until(lambda: market.is_up)
    assert [entry["event"] for entry in logs] == ["market unavailable", "market available"]
    assert await market.hold(hold) is None, "the same sale is held still"
    assert await market.hold(a_hold(a_line(DAY, limit=1))) == HoldRefused(DAY, Reason.CAP_AT_AWARD)
    assert await market.settle("acme", hold.sale_id)


async def test_an_exchange_starts_while_its_market_is_away(server, open_market):
    """Entering does not fail; calls do, until the server is there."""
    server.kill()
    market = await open_market(server.url, "w1", 0.5)
    assert not market.is_up
    with pytest.raises(MarketUnavailable, match=r"valkey\.sock"):
        await market.hold(a_hold())
    server.start()
    await until(lambda: market.is_up)
    assert await market.hold(a_hold()) is None


async def test_a_silent_server_costs_a_caller_no_more_than_the_timeout(server, started):
    """A server that takes calls and never answers: failed within the setting, then at once."""
    market = await started(server, timeout_s=0.2)
    server.freeze()
    try:
        before = time.perf_counter()
        answers = await asyncio.gather(
            *[market.hold(a_hold()) for _ in range(50)], return_exceptions=True
        )
        assert time.perf_counter() - before < 1.0
        assert {type(answer) for answer in answers} == {MarketUnavailable}
        await until(lambda: market._link._mending is False)
        before = time.perf_counter()
        with pytest.raises(MarketUnavailable):
            await market.hold(a_hold())
        assert time.perf_counter() - before < 0.15, "known to be away: at once"
    finally:
        server.thaw()
    await until(lambda: market.is_up)
    assert await market.hold(a_hold(buyer_id="best")) is None


async def test_a_call_whose_reply_was_lost_is_repeated_and_counts_once(far, wire, market):
    """The server did it, the wire broke, the second call finds it done: for every function."""
    hold = a_hold(a_line(DAY, limit=2))
    sold = a_hold(a_line(DAY, limit=2))
    key = OnceKey("seller:a", b"k")
    await far.hold(sold)
    steps = [
        (lambda: far.claim(a_claim("mine")), None),
        (lambda: far.keep_claim(a_claim("mine")), None),
        (lambda: far.hold(hold), None),
        (lambda: far.extend("acme", hold.sale_id), True),
        (lambda: far.release("acme", hold.sale_id), True),
        (lambda: far.settle("acme", sold.sale_id), True),
        (lambda: far.give_back(sold), True),
        (lambda: far.once.begin(key, b"body", "lead-1"), New()),
        (lambda: far.once.finish(key, "lead-1"), True),
        (lambda: far.remember_purchase(("phone",), "acme", 10**18), None),
        (lambda: far.unclaim(a_claim("mine")), None),
    ]
    for step, wanted in steps:
        connections = wire.connections
        wire.swallows = 1
        got = await step()
        assert wire.connections == connections + 1, "the reply was lost on the way"
        assert got == wanted
    standing = await market.standing("acme")
    assert (standing.settled, standing.held) == ({DAY: 0}, {DAY: 0})
    assert await market.look_up(a_claim("other")) is None
    assert await market.bought_by(("phone",)) == {"acme"}


async def test_a_call_is_repeated_once_and_no_more(far, wire):
    """A wire that breaks under a call again and again: a clear failure, and then it heals."""
    await far.extend("acme", "none")
    connections = wire.connections
    wire.swallows = 2
    with pytest.raises(MarketUnavailable, match="broke"):
        await far.claim(a_claim("lead"))
    assert wire.swallows == 0
    assert wire.connections == connections + 1
    await until(lambda: far.is_up)
    assert await far.claim(a_claim("lead")) is None


async def test_functions_that_the_server_forgot_are_taught_again(market, market_url):
    """After SCRIPT FLUSH, hundreds of calls at once all count exactly once."""
    assert await market.hold(a_hold(a_line(DAY, limit=300))) is None
    async with redis.asyncio.from_url(market_url) as client:
        await client.script_flush()
    holds = [a_hold(a_line(DAY, limit=300)) for _ in range(400)]
    answers = await asyncio.gather(*[market.hold(hold) for hold in holds])
    assert answers.count(None) == 299
    assert (await market.standing("acme")).held == {DAY: 300}


async def test_cancelled_callers_leave_the_stream_in_step(market):
    """Whoever leaves before or after its call was written: everyone else gets their own reply."""
    calls = [asyncio.create_task(market.claim(a_claim(f"lead-{n}", f"key-{n}"))) for n in range(90)]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()
    await asyncio.sleep(0)
    for call in calls[1::3]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::3])
    assert answers[2::3] == [None] * 30
    owners = await asyncio.gather(*[market.look_up(a_claim("x", f"key-{n}")) for n in range(90)])
    assert owners[2::3] == [f"lead-{n}" for n in range(2, 90, 3)], "each reply was its caller's"
    assert owners[::3] == [None] * 30, "whoever left before asking has asked nothing"


async def test_a_caller_who_left_is_still_taken_note_of(market):
    """A hold whose caller was cancelled in flight counts in what this worker knows at once."""
    market.watch(["acme"])
    await market.read_rooms()
    await market.extend("acme", "none")
    await market.hold(a_hold(a_line(DAY)))
    call = asyncio.create_task(market.hold(a_hold(a_line(DAY))))
    for _turn in ("it calls", "the call is written"):
        await asyncio.sleep(0)
    assert market._link._connection.in_flight
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await market.extend("acme", "none")
    assert market.used("acme") == {DAY: 2}


async def test_too_many_calls_at_once_are_refused_not_queued(market_url):
    """The link bounds its memory: what is above the limit fails at once, the others are served."""
    async with Link(market_url, timeout_s=20, calls_max=10) as link:
        calls = [link.call(function.ENROLLED, ["buyers"]) for _ in range(25)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[:10] == [[]] * 10
    assert {type(answer) for answer in answers[10:]} == {MarketUnavailable}


async def test_closing_fails_what_is_under_way(server):
    """Nobody waits for a link that was closed."""
    link = Link(server.url, timeout_s=20)
    async with link:
        await until(lambda: link.is_up)
        server.freeze()
        calls = [link.call(function.ENROLLED, ["buyers"]) for _ in range(3)]
        await until(lambda: link._connection.in_flight)
        calls.append(link.call(function.ENROLLED, ["buyers"]))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {MarketUnavailable}
    assert not link.is_up
    with pytest.raises(MarketUnavailable, match="closed"):
        await link.call(function.ENROLLED, ["buyers"])
    server.thaw()


def test_the_link_behaves_alike_on_uvloop(server):
    """The product's own loop: calls, silence, a killed server, its return."""

    async def story():
        async with Link(server.url, timeout_s=0.3) as link:
            await until(lambda: link.is_up)
            claims = [link.call(function.CLAIM, [f"k{n}"], ("l", 1000)) for n in range(100)]
            assert await asyncio.gather(*claims) == [None] * 100
            server.freeze()
            with pytest.raises(MarketUnavailable, match=r"within 0\.3 s"):
                await link.call(function.ENROLLED, ["buyers"])
            server.thaw()
            await until(lambda: link.is_up)
            # A turn that takes longer than the timeout is no fault of the server's, whether the
            # call was written before it or only after it.
            for turns in (0, 1):
                late = link.call(function.ENROLLED, ["buyers"])
                for _ in range(turns):
                    await asyncio.sleep(0)
                time.sleep(0.4)  # noqa: ASYNC251 - just this is tested: a loop that was held up
                assert await late == []
            server.kill()
            with pytest.raises(MarketUnavailable):
                await link.call(function.ENROLLED, ["buyers"])
            server.start()
            await until(lambda: link.is_up)
            assert await link.call(function.ENROLLED, ["buyers"]) == []

    uvloop.run(story())
