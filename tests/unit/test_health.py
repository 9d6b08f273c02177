"""An offer that fails is left alone, tried again, and never kept waiting for."""

from itertools import product
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.auction.health import (
    TRANSITIONS,
    Breaker,
    BreakerEvent,
    BreakerState,
    Health,
    HealthLimits,
)
from exchange.auction.quantile import Quantile
from exchange.domain.reason import Reason
from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.endpoint import compile_endpoint

LIMITS = HealthLimits(
    breaker_calls=10,
    breaker_calls_min=4,
    breaker_failed_percent=50,
    breaker_pause_s=1.0,
    breaker_pause_max_s=8.0,
    calls_in_flight_max=3,
)
ENDPOINT = compile_endpoint("http://a.example/ping")
OFFER = SimpleNamespace(id="acme-tx", in_flight_max=0)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def tripped(limits=LIMITS, now=0.0):
    breaker = Breaker(limits)
    for _ in range(limits.breaker_calls_min):
        breaker.ended(now, now, sound=False)
    assert breaker.state is BreakerState.OPEN
    return breaker


def ended(clock, outcome=Outcome.ANSWERED, detail=Detail.NONE, round_trip_ms=0.0):
    call = Call(ENDPOINT, b"", 100.0)
    call.begun_at = clock.now
    call.outcome, call.detail, call.round_trip_ms = outcome, detail, round_trip_ms
    return call


def test_the_table_holds_every_change_and_each_can_happen():
    """Walk it: what it holds happens, and what it does not hold cannot."""
    for state, event in product(BreakerState, BreakerEvent):
        breaker = Breaker(LIMITS)
        breaker.state = state
        if (state, event) in TRANSITIONS:
            breaker.move(event, 1.0)
            assert breaker.state is TRANSITIONS[state, event]
        else:
            with pytest.raises(KeyError):
                breaker.move(event, 1.0)
            assert breaker.state is state
    assert {state for state, _ in TRANSITIONS} == set(TRANSITIONS.values()) == set(BreakerState)


def test_few_failures_say_nothing():
    """Below the least number of calls a breaker does not open."""
    breaker = Breaker(LIMITS)
    for _ in range(3):
        breaker.ended(0.0, 0.0, sound=False)
    assert breaker.state is BreakerState.CLOSED
    breaker.ended(0.0, 0.0, sound=False)
    assert breaker.state is BreakerState.OPEN


def test_the_share_of_the_last_calls_decides():
    """Half of the last ten opens it; what was before is forgotten."""
    breaker = Breaker(LIMITS)
    for _ in range(100):
        breaker.ended(0.0, 0.0, sound=True)
    for _ in range(4):
        breaker.ended(0.0, 0.0, sound=False)
    assert breaker.state is BreakerState.CLOSED
    breaker.ended(0.0, 0.0, sound=False)
    assert breaker.state is BreakerState.OPEN


@given(st.lists(st.booleans(), max_size=60))
def test_failures_are_counted_exactly(ends):
    """The running count is the count of the window, and it opens exactly when the share says so."""
    breaker = Breaker(LIMITS)
    for n, sound in enumerate(ends, 1):
        breaker.ended(0.0, 0.0, sound=sound)
        window = ends[max(0, n - 10) : n]
        failed = window.count(False)
        assert breaker.failed == failed
        opens = len(window) >= 4 and failed * 2 >= len(window)
        assert (breaker.state is BreakerState.OPEN) == opens
        if opens:
            return


def test_an_open_breaker_rests_then_sends_one_probe():
    """Nobody is asked during the pause; after it one call goes out, not two."""
    breaker = tripped()
    assert not breaker.admits(0.99)
    assert breaker.admits(1.0)
    assert not breaker.admits(1.0)
    breaker.ended(1.1, 1.0, sound=True)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admits(1.1)
    assert breaker.admits(1.1)


def test_after_a_sound_probe_it_starts_anew():
    """Old failures do not open it again at the first new one."""
    breaker = tripped()
    assert breaker.admits(1.0)
    breaker.ended(1.1, 1.0, sound=True)
    breaker.ended(1.2, 1.1, sound=False)
    assert breaker.state is BreakerState.CLOSED


def test_each_failed_probe_doubles_the_pause_up_to_the_longest():
    """1, 2, 4, 8, 8 seconds; a sound probe makes it one second again."""
    breaker = tripped()
    now = 0.0
    for pause_s in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert not breaker.admits(now + pause_s - 0.01)
        now += pause_s
        assert breaker.admits(now)
        breaker.ended(now, now, sound=False)
    assert breaker.admits(now + 8.0)
    breaker.ended(now + 8.0, now + 8.0, sound=True)
    assert breaker.pause_s == 1.0


def test_stragglers_do_not_decide_for_the_probe():
    """A call from before the pause that ends during the probe is not the probe."""
    breaker = tripped()
    assert breaker.admits(1.0)
    breaker.ended(1.1, 0.5, sound=True)
    assert breaker.state is BreakerState.PROBING
    breaker.ended(1.2, 1.0, sound=False)
    assert breaker.state is BreakerState.OPEN
    breaker.ended(1.3, 0.5, sound=True)
    assert breaker.state is BreakerState.OPEN


def test_a_probe_that_was_abandoned_makes_room_for_another():
    """It said nothing; the offer is not left waiting for it."""
    breaker = tripped()
    assert breaker.admits(1.0)
    breaker.ended_unheard(1.0)
    assert breaker.admits(1.1)
    assert not breaker.admits(1.1)


def test_a_probe_that_never_ends_is_given_up():
    """After another pause the next one goes out."""
    breaker = tripped()
    assert breaker.admits(1.0)
    assert not breaker.admits(1.9)
    assert breaker.admits(2.0)


def test_a_dry_run_counts_and_refuses_nothing():
    """What a limit would do can be seen before it does it."""
    breaker = tripped(HealthLimits(breaker_calls_min=4, dry_run=True))
    assert breaker.admits(0.1)
    assert breaker.admits(0.2)
    assert (breaker.open_count, breaker.withheld_count) == (1, 2)


def test_calls_in_flight_are_limited_and_refused_not_queued():
    """The fourth is refused at once; one that ends makes room for one."""
    clock = Clock()
    health = Health(LIMITS, clock)
    assert [health.admit(OFFER) for _ in range(4)] == [None, None, None, Reason.THROTTLED]
    health.ended(OFFER, ended(clock), sound=True)
    assert [health.admit(OFFER) for _ in range(2)] == [None, Reason.THROTTLED]


def test_an_offer_may_name_its_own_limit():
    """The offer's number counts before the exchange's."""
    health = Health(LIMITS, Clock())
    narrow = SimpleNamespace(id="narrow", in_flight_max=1)
    assert [health.admit(narrow) for _ in range(2)] == [None, Reason.THROTTLED]


def test_offers_of_one_host_do_not_answer_for_each_other():
    """Health is per offer."""
    clock = Clock()
    health = Health(LIMITS, clock)
    for _ in range(4):
        assert health.admit(OFFER) is None
        health.ended(OFFER, ended(clock, Outcome.TIMEOUT), sound=False)
    assert health.admit(OFFER) is Reason.THROTTLED
    assert health.admit(SimpleNamespace(id="other", in_flight_max=0)) is None


HEARD = [
    (Outcome.ANSWERED, Detail.NONE, False),
    (Outcome.TIMEOUT, Detail.NONE, False),
    (Outcome.UNREACHABLE, Detail.CONNECT_REFUSED, False),
    (Outcome.BROKEN, Detail.CLOSED_SILENTLY, False),
    (Outcome.OVERSIZE, Detail.BODY_TOO_LARGE, False),
    (Outcome.BAD_HTTP, Detail.NONE, False),
]


@pytest.mark.parametrize(("outcome", "detail", "sound"), HEARD)
def test_every_kind_of_failure_counts(outcome, detail, sound):
    """Late, unreachable, broken, too large, not HTTP, not a bid: each is a failed call."""
    clock = Clock()
    health = Health(LIMITS, clock)
    for _ in range(4):
        assert health.admit(OFFER) is None
        health.ended(OFFER, ended(clock, outcome, detail), sound=sound)
    assert health.of(OFFER.id).breaker.state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (Outcome.THROTTLED, Detail.NONE),
        (Outcome.ABANDONED, Detail.NONE),
        (Outcome.UNREACHABLE, Detail.NO_TIME),
        (Outcome.UNREACHABLE, Detail.WIRE_CLOSED),
    ],
)
def test_what_was_our_own_doing_does_not_count(outcome, detail):
    """A buyer is not blamed for calls that we did not send or did not wait for."""
    clock = Clock()
    health = Health(LIMITS, clock)
    for _ in range(20):
        assert health.admit(OFFER) is None
        health.ended(OFFER, ended(clock, outcome, detail), sound=False)
    assert health.of(OFFER.id).breaker.state is BreakerState.CLOSED
    assert health.of(OFFER.id).in_flight == 0


def test_the_network_time_is_learned_from_first_calls():
    """Nothing is taken off what a buyer is told before anything is known."""
    clock = Clock()
    health = Health(LIMITS, clock)
    assert health.network_ms(OFFER) == 0.0
    for _ in range(20):
        health.admit(OFFER)
        health.ended(OFFER, ended(clock, round_trip_ms=30.0), sound=True)
    assert 30.0 <= health.network_ms(OFFER) <= 36.0


def test_offers_that_are_no_more_are_forgotten_when_they_are_quiet():
    """A market that changes for years does not grow without end."""
    clock = Clock()
    health = Health(LIMITS, clock)
    health.admit(OFFER)
    health.of("gone")
    health.forget_all_but([])
    assert set(health.offers) == {OFFER.id}
    health.ended(OFFER, ended(clock), sound=True)
    health.forget_all_but([])
    assert health.offers == {}


@given(st.lists(st.floats(0.1, 10_000), min_size=1, max_size=150), st.floats(0.01, 1.0))
def test_a_quantile_is_right_to_a_fifth(values, share):
    """At or above the true value, by at most the step between two bounds."""
    quantile = Quantile()
    for value in values:
        quantile.add(value)
    ranked = sorted(values)
    exact = ranked[max(0, -int(-len(ranked) * share // 1) - 1)]
    assert exact * 0.999 <= quantile.at(share) <= exact * 1.21


def test_a_quantile_follows_what_changed():
    """A route that became slow is known as slow after some hundred values."""
    quantile = Quantile()
    for _ in range(1000):
        quantile.add(10.0)
    for _ in range(60):
        quantile.add(200.0)
    assert quantile.at(0.95) >= 200.0
    for _ in range(1000):
        quantile.add(10.0)
    assert quantile.at(0.95) < 13.0


def test_a_quantile_of_nothing_is_zero_and_of_the_endless_its_last_bound():
    """Both ends are answers, not errors."""
    quantile = Quantile()
    assert quantile.at(0.95) == 0.0
    quantile.add(1e9)
    assert quantile.at(0.95) > 20_000
