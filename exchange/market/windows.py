"""Which counters nobody will ask for any more, by the window in their name."""

HOUR_S = 3600
DAY_S = 24 * HOUR_S

LENGTH_MAX_S = {
    "hour": HOUR_S,
    "day": DAY_S + HOUR_S,
    "week": 7 * DAY_S + HOUR_S,
    "month": 31 * DAY_S + HOUR_S,
}
"""The longest that a window can be: an hour more where clocks are set back in it."""

GRACE_S = 2 * HOUR_S
"""How long after its end a window may still be asked for, by a worker whose clock is slow."""


def is_past(counter: str, now_us: int) -> bool:
    """Tell whether the window of a counter (`scope|kind|per|start`, domain.caps) is long past.

    Totals, balances and what is held at once have no window and are never past.
    """
    _scope, _kind, per, start = counter.rsplit("|", 3)
    length_s = LENGTH_MAX_S.get(per)
    return length_s is not None and int(start) + length_s + GRACE_S < now_us // 1_000_000
