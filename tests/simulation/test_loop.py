"""A world repeats itself under a seed; its time jumps; a dead process does nothing any more."""

import asyncio
from random import Random

import pytest

from tests.simulation.loop import Process, Stuck, World, run


def test_time_jumps_to_the_next_timer_and_stands_still_meanwhile():
    """A day of waiting takes no time."""

    async def wait():
        await asyncio.sleep(86_400)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(Process(World(1), "one"), wait()) == 86_401


def test_timers_fire_when_they_are_due_near_or_far_in_whatever_order_they_are_set():
    """Some are set while others fire, some are cancelled, some are overdue at once."""
    world, chance = World(1), Random(1)
    wanted, fired = [], []

    def fire(due_at, more):
        fired.append((due_at, world.now))
        for delay_s in more:
            arm(world.now + delay_s, ())

    def arm(due_at, more):
        timer = world.call_at(due_at, fire, due_at, more)
        if chance.random() < 1 / 3:
            timer.cancel()
        else:
            wanted.append(due_at)

    for _ in range(300):
        arm(chance.choice((0.001, 0.3, 5, 1e9)) * chance.random(), (0.0, 0.1, 0.25, 7.5, -1.0))
    world.run()
    assert sorted(wanted) == sorted(due_at for due_at, _ in fired)
    moments = [at for _, at in fired]
    assert moments == sorted(moments)
    assert all(
        at == max(due_at, began)
        for (due_at, at), began in zip(fired, [0.0, *moments[:-1]], strict=True)
    )


def order(seed):
    """Return in which order twenty tasks run that are ready at once, twice."""
    seen = []

    async def one(number):
        seen.append(number)
        await asyncio.sleep(0)
        seen.append(number)

    async def all_of_them():
        await asyncio.gather(*(one(number) for number in range(20)))

    run(Process(World(seed), "one"), all_of_them())
    return seen


def test_a_seed_repeats_its_order_and_another_has_another():
    """Chance is the seed's alone."""
    orders = {seed: order(seed) for seed in range(20)}
    assert all(order(seed) == seen for seed, seen in orders.items())
    assert len({tuple(seen) for seen in orders.values()}) > 10


def test_a_dead_process_runs_nothing_more_no_finally_either():
    """It is a kill -9: what it had begun stays as it is, and others go on."""
    world = World(1)
    victim, other = Process(world, "victim"), Process(world, "other")
    done = []

    async def work(name):
        try:
            await asyncio.sleep(2)
            done.append(name)
        finally:
            done.append(f"{name} cleans up")

    victim.create_task(work("victim"))
    other.create_task(work("other"))
    world.call_later(1, victim.kill)
    world.run()
    assert done == ["other", "other cleans up"]
    victim.sweep()


def test_a_stopped_process_does_later_what_fell_due_meanwhile():
    """SIGSTOP and SIGCONT: it finds the world further on."""
    world = World(1)
    process = Process(world, "stopped")

    async def wait():
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    task = process.create_task(wait())
    world.call_later(0.5, process.stop_running)
    world.call_later(5, process.go_on)
    world.run()
    assert task.result() == 5


def test_a_loop_that_never_waits_is_found():
    """Nobody sits before a run that goes on for ever."""

    async def spin():
        while True:  # noqa: ASYNC110 - what it waits for never comes
            await asyncio.sleep(0)

    process = Process(World(1), "spinning")
    with pytest.raises(Stuck):
        run(process, spin())
    process.sweep()


def test_what_nobody_caught_is_kept():
    """A callback's mistake is not lost."""
    world = World(1)
    world.call_soon(lambda: 1 / 0)
    world.run()
    assert "ZeroDivisionError" in world.errors[0]
