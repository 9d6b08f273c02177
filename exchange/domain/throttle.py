"""How many new leads a worker takes when it has too much to do: a rate that follows its lateness.

Pure: what was seen comes in, with how long it took. A lead's work is spread over its buyers' time,
so what is let in now is felt later; turning away all of it until the loop is on time again, and
then none, would swing between idle and late for ever. Here the rate begins at what was taken while
the worker began to be late, and is moved in small steps, by how late it is and how that changes
(a controller after PIE, RFC 8033, on the rate that is let in instead of the share that is dropped:
the right rate does not depend on how many ask).
"""

import msgspec

PATIENCE_S = 0.1
"""Late without a break for so long is no burst any more."""
BUSY = 0.9
"""From this part of its time on a worker is late for its own work, not for its neighbours'."""
MEMORY_S = 0.2
"""Over which rates are averaged."""
STEP = 0.1
"""By which part the rate changes in a second when the lag is off by as much as its target."""
DAMPING = 0.02
"""By which part it changes when the lag moves by as much as its target."""
LATE_MAX = 2.0
"""Later than this many targets changes the rate no faster."""
IDLE_S = 1.5
"""With next to nothing to wait for in so long the rate is far too low, not just swinging …"""
IDLE_LAG = 0.25
SPIKE = 4.0
EAGER = 8.0
"""… and grows this much faster for each second more."""
EAGER_MAX = 20.0
LEAST = 5.0
"""Leads a second that are let in whatever happens, to see how it goes."""
ROOM = 1.2
"""A rate so many times above what asks is no limit."""
CALM_S = 1.0
BURST_S = 0.01
BURST_LEAST = 8.0
"""What a rate lets in at once: what comes to it in so long, or a few: leads come in clumps."""


class Look(msgspec.Struct, frozen=True):
    """What was seen since the last look."""

    passed_s: float
    lag: float
    """The latest that the loop was, in targets."""
    busy: float
    """Which part of its time the worker worked, of the time that it was given a core."""
    wait: float
    """How long the oldest work waits for a store, in targets."""
    offered: int
    taken: int


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """The rate at which leads are let in, and what it follows from."""

    rate: float | None = None
    """A second; None: all."""
    lag: float = 0.0
    """When last looked at, in targets."""
    late_s: float = 0.0
    idle_s: float = 0.0
    calm_s: float = 0.0
    offered: float = 0.0
    taken: float = 0.0
    """A second, lately."""


def adjusted(throttle: Throttle, look: Look) -> Throttle:
    """Return what to let in from now on, so that the worker is late by about its target."""
    lag = max(look.wait, look.lag if look.busy >= BUSY else 0.0)
    weight = min(1.0, look.passed_s / MEMORY_S)
    seen = msgspec.structs.replace(
        throttle,
        lag=lag,
        late_s=throttle.late_s + look.passed_s if lag > 1 else 0.0,
        idle_s=idle_s(throttle.idle_s, lag, look.passed_s),
        offered=throttle.offered + weight * (look.offered / look.passed_s - throttle.offered),
        taken=throttle.taken + weight * (look.taken / look.passed_s - throttle.taken),
    )
    if throttle.rate is None:
        begins = seen.late_s >= PATIENCE_S
        return msgspec.structs.replace(seen, rate=max(LEAST, seen.taken)) if begins else seen
    return moved(seen, throttle.rate, lag - throttle.lag, look.passed_s)


def idle_s(before_s: float, lag: float, passed_s: float) -> float:
    """Return for how long there has been next to nothing to wait for; a spike takes some of it."""
    return before_s + passed_s if lag < IDLE_LAG else max(0.0, before_s - SPIKE * passed_s)


def moved(seen: Throttle, rate: float, change: float, passed_s: float) -> Throttle:
    """Move the rate; lift it where it has been no limit for a while."""
    error = max(-LATE_MAX, 1 - seen.lag)
    eager = 1 + min(EAGER_MAX, EAGER * max(0.0, seen.idle_s - IDLE_S)) if error > 0 else 1.0
    change = max(-LATE_MAX, min(LATE_MAX, change))
    # A rate that nobody uses up is not tried out, and says nothing when it is raised further.
    tried_max = max(rate, ROOM * ROOM * seen.offered)
    rate *= 1 + STEP * error * eager * passed_s - DAMPING * change
    rate = max(LEAST, min(rate, tried_max))
    calm_s = seen.calm_s + passed_s if rate > ROOM * seen.offered else 0.0
    if calm_s >= CALM_S:
        return Throttle(offered=seen.offered, taken=seen.taken)
    return msgspec.structs.replace(seen, rate=rate, calm_s=calm_s)


def room(rate: float) -> float:
    """Return how many leads at most are let in at once, after a while without any."""
    return max(BURST_LEAST, rate * BURST_S)
