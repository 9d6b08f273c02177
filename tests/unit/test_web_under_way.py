"""What is under way is counted, kept, waited for, and nothing of it stays behind."""

import asyncio

import pytest

from exchange.web.under_way import ClosingError, UnderWay


async def forever():
    await asyncio.Event().wait()


async def test_every_lead_is_counted_until_it_ends():
    """The count goes up with each story, down with its end, however it ends."""
    counts = []
    under_way = UnderWay(counts.append)
    go_on = asyncio.Event()

    async def story():
        await go_on.wait()
        raise LookupError

    tasks = [under_way.sell(story(), 1), under_way.sell(forever(), 1)]
    assert under_way.count == 2
    go_on.set()
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [LookupError, asyncio.CancelledError]
    assert counts == [1, 2, 1, 0]


async def test_a_story_in_its_callers_task_is_counted_and_drained_as_any():
    """It is under way until it ends, and a drain whose time is over cancels it."""
    counts = []
    under_way = UnderWay(counts.append)
    go_on = asyncio.Event()
    through = asyncio.create_task(under_way.see_through(go_on.wait(), 1))
    stuck = asyncio.create_task(under_way.see_through(forever(), 1))
    await asyncio.sleep(0)
    assert under_way.count == 2
    go_on.set()
    assert await through is True
    assert under_way.count == 1
    assert await under_way.drain(0.01) == 1
    assert stuck.cancelled()
    assert counts == [1, 2, 1, 0]


async def test_a_drain_waits_for_what_follows_from_what_it_waits_for():
    """A story's end may begin other work: the drain sees it through."""
    under_way = UnderWay()
    done = []

    async def repetition():
        await asyncio.sleep(0)
        done.append("repetition")

    async def story():
        await asyncio.sleep(0)
        under_way.spawn(repetition())

    under_way.sell(story(), 1)
    assert await under_way.drain(5) == 0
    assert done == ["repetition"]
    assert not under_way.leads
    assert not under_way.others


async def test_a_drain_ends_when_its_time_is_over():
    """What does not end is cancelled, counted, and gone."""
    under_way = UnderWay()
    tasks = [under_way.sell(forever(), 1), under_way.spawn(forever())]
    assert await under_way.drain(0.01) == 2
    assert all(task.cancelled() for task in tasks)
    assert under_way.count == 0


async def test_the_most_overdue_lead_is_known():
    """A lead past its deadline makes the worker late by that much; an early one does not."""
    under_way = UnderWay()
    assert under_way.overdue_ms() == 0
    for within_s in (30, -2, -5):
        under_way.sell(forever(), within_s)
    under_way.looked_at_s = float("-inf")
    assert under_way.overdue_ms() == pytest.approx(5000, abs=100)
    await under_way.drain(0)


async def test_nobody_waits_past_the_closing():
    """A wait ends with its result, its error, or `ClosingError`, and leaves no task behind."""
    under_way = UnderWay()

    async def result():
        return 7

    async def error():
        raise LookupError

    assert await under_way.unless_closing(result()) == 7
    with pytest.raises(LookupError):
        await under_way.unless_closing(error())
    waiting = asyncio.create_task(under_way.unless_closing(forever()))
    await asyncio.sleep(0)
    under_way.close()
    with pytest.raises(ClosingError):
        await waiting
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
