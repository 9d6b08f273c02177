"""What a worker lets in beyond what it can do: a loop, leads and buyers in simulated time."""

import random
from collections import defaultdict

import msgspec
import pytest

from exchange.domain.throttle import CALM_S, PATIENCE_S, Look, Throttle, adjusted, room

STEP_S = 0.001
LOOK_S = 0.025
TARGET_MS = 5.0
LEAD_S = 0.0005
"""What a lead costs: 2,000 a second are all that can be sold."""
SHED_S = 0.00003
AT_ONCE = 0.4
"""The part of its work that is done when it comes; the rest comes with its buyers' answers."""


class Outcome(msgspec.Struct):
    sold: int = 0
    offered: int = 0
    lags_ms: list[float] = msgspec.field(default_factory=list)
    """When a lead was turned away."""
    rates: list[float] = msgspec.field(default_factory=list)

    def lag_ms(self, part):
        return sorted(self.lags_ms)[int(part * (len(self.lags_ms) - 1))]


class Loop:
    """A worker's event loop: work that waits is what it is late by."""

    def __init__(self, latency_s, seed=1):
        self.latency_s = latency_s
        self.chance = random.Random(seed)
        self.throttle = Throttle()
        self.waiting_s = 0.0
        self.later = defaultdict(float)
        self.tokens = 0.0
        self.step = 0
        self.worst_s = 0.0
        self.seen = [0, 0]

    def run(self, load, seconds):
        """So many times what it can sell, for so long; what came of it."""
        outcome = Outcome()
        for _ in range(round(seconds / STEP_S)):
            self.step += 1
            self.refill()
            self.waiting_s += self.later.pop(self.step, 0.0)
            for _lead in range(self.arrivals(load)):
                self.offer(outcome)
            self.waiting_s = max(0.0, self.waiting_s - STEP_S)
            self.worst_s = max(self.worst_s, self.waiting_s)
            if self.step % round(LOOK_S / STEP_S) == 0:
                self.look(outcome)
        return outcome

    def refill(self):
        rate = self.throttle.rate
        if rate is not None:
            self.tokens = min(self.tokens + rate * STEP_S, room(rate))

    def arrivals(self, load):
        mean, count, at = load * STEP_S / LEAD_S, 0, self.chance.expovariate(1)
        while at < mean:
            count += 1
            at += self.chance.expovariate(1)
        return count

    def offer(self, outcome):
        outcome.offered += 1
        self.seen[0] += 1
        rate = self.throttle.rate
        if rate is not None and self.tokens < 1:
            self.waiting_s += SHED_S
            outcome.lags_ms.append(self.waiting_s * 1000)
            return
        self.tokens -= 1
        self.seen[1] += 1
        outcome.sold += 1
        self.waiting_s += LEAD_S * AT_ONCE
        for _answer in range(4):
            at = self.latency_s * self.chance.uniform(0.5, 1.5)
            self.later[self.step + 1 + int(at / STEP_S)] += LEAD_S * (1 - AT_ONCE) / 4

    def look(self, outcome):
        busy = 1.0 if self.worst_s else 0.5
        lag = self.worst_s * 1000 / TARGET_MS
        look = Look(LOOK_S, lag, busy, 0.0, *self.seen)
        self.throttle = adjusted(self.throttle, look)
        rate = self.throttle.rate
        outcome.rates.append(float("inf") if rate is None else rate)
        self.seen, self.worst_s = [0, 0], 0.0


@pytest.mark.parametrize("latency_s", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("load", [1.5, 2, 3])
def test_beyond_saturation_nearly_as_much_is_sold_as_could_be(latency_s, load):
    """What turning away costs apart, 95 % of the peak; it neither swings nor lets wait."""
    loop = Loop(latency_s)
    loop.run(load, 15)
    outcome = loop.run(load, 15)
    best = (1 - load * SHED_S / LEAD_S) / (1 - SHED_S / LEAD_S)
    assert outcome.sold * LEAD_S / 15 > 0.95 * best
    assert max(outcome.rates) < 1.3 * min(outcome.rates)
    assert outcome.lag_ms(0.5) < 2 * TARGET_MS
    assert outcome.lag_ms(0.99) < 6 * TARGET_MS


@pytest.mark.parametrize("latency_s", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_what_can_be_sold_is_sold(latency_s, load):
    """Below saturation nobody is turned away."""
    outcome = Loop(latency_s).run(load, 20)
    assert outcome.sold == outcome.offered


@pytest.mark.parametrize("latency_s", [0.02, 0.2, 1.0])
def test_out_of_nothing_twice_too_much_settles_within_seconds(latency_s):
    """The first five seconds sell four fifths of what could be, however it begins."""
    loop = Loop(latency_s)
    loop.run(0.05, 2)
    assert loop.run(2, 5).sold * LEAD_S / 5 > 0.8


def test_when_the_rush_is_over_all_are_let_in_again():
    """Within two seconds or so; a rate that was far too low is found out soon."""
    loop = Loop(0.2)
    loop.run(3, 10)
    loop.run(0.5, 3)
    assert loop.throttle.rate is None
    loop.throttle = Throttle(rate=100.0)
    loop.run(2, 8)
    assert loop.throttle.rate > 0.8 / LEAD_S


def look(lag_ms, busy=1.0, wait=0.0):
    return Look(LOOK_S, lag_ms / TARGET_MS, busy, wait, 50, 50)


def test_a_burst_is_no_overload():
    """Late for less than a tenth of a second: nobody is turned away."""
    throttle = Throttle()
    for _look in range(round(PATIENCE_S / LOOK_S) - 1):
        throttle = adjusted(throttle, look(80.0))
    assert throttle.rate is None
    throttle = adjusted(throttle, look(1.0))
    throttle = adjusted(throttle, look(80.0))
    assert throttle.rate is None


def test_who_waits_for_a_core_is_not_overloaded():
    """Late while it hardly worked: fewer leads would not make it faster."""
    throttle = Throttle()
    for _look in range(100):
        throttle = adjusted(throttle, look(80.0, busy=0.3))
    assert throttle.rate is None


def test_who_waits_for_a_store_is_overloaded_however_idle():
    """The ledger is behind: more leads would only wait longer."""
    throttle = Throttle()
    for _look in range(10):
        throttle = adjusted(throttle, look(0.0, busy=0.3, wait=3.0))
    assert throttle.rate is not None


def test_a_few_are_let_in_whatever_happens():
    """Otherwise nobody would ever see that it is over."""
    throttle = Throttle(rate=10.0)
    for _look in range(4000):
        throttle = adjusted(throttle, look(1000.0))
    assert throttle.rate == 5.0
    for _look in range(round(10 * CALM_S / LOOK_S)):
        throttle = adjusted(throttle, Look(LOOK_S, 0.0, 0.1, 0.0, 0, 0))
    assert throttle.rate is None
