"""A heartbeat tells how late the loop is, and is never late because it was."""

import asyncio

import pytest

from exchange.telemetry.loop_lag import LoopLag


class Clock:
    """A clock that a test sets; the beat is called by hand in place of the loop's timer."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


async def test_lag_is_by_how_much_a_beat_is_late(clock):
    """On time: no lag; 30 ms late: 30 ms, observed once each."""
    seen = []
    heart = LoopLag(0.1, seen.append, clock)
    heart.start()
    clock.now_s += 0.1
    heart.beat(asyncio.get_running_loop())
    clock.now_s += 0.13
    heart.beat(asyncio.get_running_loop())
    heart.stop()
    assert seen == pytest.approx([0.0, 30.0], abs=1e-6)


async def test_beats_do_not_drift(clock):
    """However late one beat is, the next is due at a whole interval since the start."""
    heart = LoopLag(0.1, lambda _ms: None, clock)
    heart.start()
    for late_s in (0.01, 0.09, 0.35, 0.0):
        clock.now_s = heart.due_s + late_s
        heart.beat(asyncio.get_running_loop())
        assert clock.now_s < heart.due_s <= clock.now_s + 0.1 + 1e-9
        beats = (heart.due_s - 1000.0) / 0.1
        assert beats == pytest.approx(round(beats))
    heart.stop()


async def test_a_beat_that_does_not_come_is_lag_already(clock):
    """Between beats the lag grows with the overdue one; before its time it is the last one."""
    heart = LoopLag(0.1, lambda _ms: None, clock)
    assert heart.current_ms() == 0
    heart.start()
    clock.now_s += 0.05
    assert heart.current_ms() == 0
    clock.now_s += 0.25
    assert heart.current_ms() == pytest.approx(200)
    heart.beat(asyncio.get_running_loop())
    assert heart.current_ms() == pytest.approx(200)
    clock.now_s = heart.due_s
    heart.beat(asyncio.get_running_loop())
    assert heart.current_ms() == pytest.approx(0, abs=1e-6)
    heart.stop()
    heart.stop()
    assert heart.timer is None


async def test_it_beats_on_a_real_loop():
    """Started, it observes by itself, on the loop's own timers."""
    beaten = asyncio.Event()
    heart = LoopLag(0.001, lambda _ms: beaten.set())
    heart.start()
    await asyncio.wait_for(beaten.wait(), 5)
    heart.stop()
