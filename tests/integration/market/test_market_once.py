"""Idempotency keys: one request runs, all others hear its end."""

import asyncio

import pytest

from exchange.market.errors import MarketUnavailable
from exchange.market.once import Done, New, OnceKey, OtherBody, Running
from tests.integration.market.making import until

KEY = OnceKey("seller:fastquotes", b"\x01" * 16)
OTHER_KEY = OnceKey("seller:fastquotes", b"\x02" * 16)
BODY, OTHER_BODY = b"\x00b1\r\n", b"b2"


async def test_of_many_at_once_exactly_one_begins(market, other):
    """Fifty repetitions of one request on two workers: one runs."""
    states = await asyncio.gather(
        *[(market, other)[i % 2].once.begin(KEY, BODY, f"lead-{i}") for i in range(50)]
    )
    (first,) = [number for number, state in enumerate(states) if state == New()]
    running = Running(f"lead-{first}", "w1" if first % 2 == 0 else "w2")
    assert all(state == running for number, state in enumerate(states) if number != first)


async def test_what_was_answered_is_answered_again(market, other):
    """By its lead, or by the very bytes that were kept."""
    await market.once.begin(KEY, BODY, "lead-1")
    assert await market.once.finish(KEY, "lead-1")
    assert await other.once.begin(KEY, BODY, "lead-9") == Done("lead-1", None)
    await market.once.begin(OTHER_KEY, BODY, "ping-1")
    assert await market.once.finish(OTHER_KEY, "ping-1", b'{"price": 1.00}\x00')
    assert await other.once.begin(OTHER_KEY, BODY, "x") == Done("ping-1", b'{"price": 1.00}\x00')


async def test_another_body_under_the_same_key_is_told_apart(market):
    """While it runs and after it ended."""
    await market.once.begin(KEY, BODY, "lead-1")
    assert await market.once.begin(KEY, OTHER_BODY, "lead-2") == OtherBody()
    await market.once.finish(KEY, "lead-1")
    assert await market.once.begin(KEY, OTHER_BODY, "lead-2") == OtherBody()


async def test_the_one_that_began_may_ask_again(market, other):
    """A repeated call of the first request is the first request."""
    assert await market.once.begin(KEY, BODY, "lead-1") == New()
    assert await other.once.begin(KEY, BODY, "lead-1") == New()


async def test_a_forgotten_key_begins_anew(market):
    """Answers that are not kept leave nothing, but only their own."""
    await market.once.begin(KEY, BODY, "lead-1")
    assert not await market.once.forget(KEY, "lead-2"), "not the one that began"
    assert await market.once.forget(KEY, "lead-1")
    assert not await market.once.forget(KEY, "lead-1")
    assert await market.once.begin(KEY, OTHER_BODY, "lead-2") == New()


async def test_a_late_end_changes_nothing_once_another_took_over(market, other):
    """A worker that wakes up after its key was given to another lead cannot answer for it."""
    await market.once.begin(KEY, BODY, "lead-1")
    await other.once.forget(KEY, "lead-1")
    await other.once.begin(KEY, BODY, "lead-2")
    assert not await market.once.finish(KEY, "lead-1", b"late")
    assert not await market.once.forget(KEY, "lead-1")
    assert await market.once.begin(KEY, BODY, "lead-3") == Running("lead-2", "w2")


async def waits_for(market, key, count=1):
    """Until so many callers wait for this key in this process."""
    name = f"{{{key.account}}}:once:{key.digest.hex()}".encode()
    await until(lambda: len(market.once._waiting.get(name, ())) >= count)
    # One more round trip on the same stream: the waiter has asked, and sleeps now.
    await market.extend("nobody", "none")


@pytest.mark.parametrize("answer", [b"", b"kept"])
async def test_who_waits_is_woken_up_by_the_end_on_another_worker(market, other, answer):
    """All waiters of all workers, without polling."""
    await market.once.begin(KEY, BODY, "lead-1")
    waiters = [asyncio.create_task(other.once.ended(KEY, 30)) for _ in range(3)]
    waiters.append(asyncio.create_task(market.once.ended(KEY, 30)))
    await waits_for(other, KEY, 3)
    await waits_for(market, KEY)
    assert not any(waiter.done() for waiter in waiters)
    await market.once.finish(KEY, "lead-1", answer)
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*waiters)
    assert ends == [Done("lead-1", answer or None)] * 4
    assert not other.once._waiting


async def test_who_waits_is_woken_up_when_the_key_is_forgotten(market, other):
    """The first was answered 429, say: the next one may begin."""
    await market.once.begin(KEY, BODY, "lead-1")
    waiter = asyncio.create_task(other.once.ended(KEY, 30))
    await waits_for(other, KEY)
    await market.once.forget(KEY, "lead-1")
    async with asyncio.timeout(10):
        assert await waiter is None


async def test_an_end_that_came_before_is_heard_at_once(market):
    """Waiting for what is over takes one round trip."""
    await market.once.begin(KEY, BODY, "lead-1")
    await market.once.finish(KEY, "lead-1")
    assert await market.once.ended(KEY, 30) == Done("lead-1", None)
    assert await market.once.ended(OTHER_KEY, 30) is None


async def test_who_waits_too_long_hears_who_is_running(market, other):
    """The first is not over: the caller answers 409 and may look its lead up."""
    await market.once.begin(KEY, BODY, "lead-1")
    assert await other.once.ended(KEY, 0.05) == Running("lead-1", "w1")
    assert not other.once._waiting, "no waiter is left behind"


async def test_a_cancelled_waiter_leaves_nothing_behind(market):
    """A client that hangs up while it waits costs no memory."""
    await market.once.begin(KEY, BODY, "lead-1")
    waiter = asyncio.create_task(market.once.ended(KEY, 30))
    await waits_for(market, KEY)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert not market.once._waiting


async def test_an_end_during_a_broken_connection_is_heard_after_it(
    open_market, market, market_url, forwarder
):
    """A message that was missed is no end that was missed."""
    async with forwarder(market_url.removeprefix("unix://").partition("?")[0]) as wire:
        database = market_url.partition("?")[2]
        far = await open_market(f"{wire.url}?{database}", "w3")
        await market.once.begin(KEY, BODY, "lead-1")
        waiter = asyncio.create_task(far.once.ended(KEY, 30))
        await waits_for(far, KEY)
        wire.cut()
        await market.once.finish(KEY, "lead-1")
        async with asyncio.timeout(10):
            assert await waiter == Done("lead-1", None)


async def test_waiting_ends_with_an_outage(server, started):
    """Nobody hangs on a market that is gone."""
    market = await started(server)
    await market.once.begin(KEY, BODY, "lead-1")
    waiter = asyncio.create_task(market.once.ended(KEY, 0.3))
    await waits_for(market, KEY)
    server.kill()
    async with asyncio.timeout(10):
        with pytest.raises(MarketUnavailable):
            await waiter
