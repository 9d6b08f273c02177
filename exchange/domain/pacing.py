"""A cap spread over the open hours of its window: no sale is let in ahead of the clock.

With a third of the open hours gone, a third of the cap may be used up, and one sale more. What was
not used stays for later, and before the window's last hour ends all of it is free.
"""

from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.schedule import US_PER_S, Schedule, open_s, window_end_s, window_start_s

KEPT = 4096


class Pace(msgspec.Struct, frozen=True):
    """Over which hours a cap is spread; None: all of them."""

    hours: Schedule | None = None


def paced(limit: int, per: str, pace: Pace, at_us: int, zone: ZoneInfo) -> int:
    """Return how much of a cap may be used already for one more sale to be let in now.

    From 0 where its window opens to the whole limit at its end. In a window without any open hour
    nothing is held back: what is closed sells nothing anyway.
    """
    start_s = window_start_s(per, at_us, zone)
    whole_s = _whole_s(per, pace, start_s, zone)
    if not whole_s:
        return limit
    return limit * open_s(pace.hours, start_s, at_us // US_PER_S, zone) // whole_s


@lru_cache(maxsize=KEPT)
def _whole_s(per: str, pace: Pace, start_s: int, zone: ZoneInfo) -> int:
    return open_s(pace.hours, start_s, window_end_s(per, start_s * US_PER_S, zone), zone)
