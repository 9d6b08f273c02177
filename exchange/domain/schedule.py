"""Opening hours and cap windows, in a buyer's own time zone, through every change of clocks."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

MINUTES_PER_DAY = 24 * 60
US_PER_S = 1_000_000
WINDOWS_KEPT = 1024
DAYS_KEPT = 4096
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 24 * HOUR_S
PAST_ANY_START_S = {
    "hour": 3 * HOUR_S // 2,
    "day": 36 * HOUR_S,
    "week": 10 * DAY_S,
    "month": 45 * DAY_S,
}
"""So long after a window's start it is the next window, whatever clocks do in between."""
NEVER_S = 32_503_680_000
"""The year 3000: the end of what has none."""


class Schedule(msgspec.Struct, frozen=True):
    """When an offer is open: for each weekday (Monday first) spans of minutes since midnight.

    A span `(540, 1020)` is open from 09:00:00 on, and closed from 17:00:00 on, by the clock on
    the buyer's wall: on the days when clocks change, too.
    """

    zone: ZoneInfo
    days: tuple[tuple[tuple[int, int], ...], ...]

    def is_open(self, at_us: int) -> bool:
        """Tell whether the offer is open at this moment."""
        local = datetime.fromtimestamp(at_us // US_PER_S, self.zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.days[local.weekday()])


def window_start_s(per: str, at_us: int, zone: ZoneInfo) -> int:
    """Return the epoch second in which the hour, day, week or month of this moment began there.

    Two hours that the wall clock calls alike, when clocks are set back, are two windows.
    """
    return _started_s(per, at_us // US_PER_S, zone)


# All offers of a lead ask for the same few windows of the same second.
@lru_cache(maxsize=WINDOWS_KEPT)
def _started_s(per: str, at_s: int, zone: ZoneInfo) -> int:
    moment = datetime.fromtimestamp(at_s, zone)
    if per == "hour":
        # The wall's minutes, taken off in UTC: exact in zones of half and quarter hours.
        past = timedelta(minutes=moment.minute, seconds=moment.second)
        return int((moment.astimezone(UTC) - past).timestamp())
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if per == "day":
        return int(midnight.timestamp())
    if per == "week":
        monday = midnight - timedelta(days=midnight.weekday())
        return int(monday.timestamp())
    if per == "month":
        return int(midnight.replace(day=1).timestamp())
    assert per == "total", "a window is an hour, day, week, month or the total"
    return 0


def window_end_s(per: str, at_us: int, zone: ZoneInfo) -> int:
    """Return the epoch second in which the window of this moment ends; the total never does."""
    if per == "total":
        return NEVER_S
    start_s = window_start_s(per, at_us, zone)
    return window_start_s(per, (start_s + PAST_ANY_START_S[per]) * US_PER_S, zone)


def open_s(hours: Schedule | None, from_s: int, until_s: int, zone: ZoneInfo) -> int:
    """Return for how many of these seconds it is open, by its own clock; None: for all of them."""
    if hours is None:
        return max(0, until_s - from_s)
    total = 0
    midnight_s = window_start_s("day", from_s * US_PER_S, zone)
    while midnight_s < until_s:
        for start_s, end_s in _open_spans(hours, midnight_s):
            total += max(0, min(end_s, until_s) - max(start_s, from_s))
        midnight_s = window_end_s("day", midnight_s * US_PER_S, zone)
    return total


@lru_cache(maxsize=DAYS_KEPT)
def _open_spans(hours: Schedule, midnight_s: int) -> tuple[tuple[int, int], ...]:
    """Return from when to when it is open on the day that begins then."""
    end_s = window_end_s("day", midnight_s * US_PER_S, hours.zone)
    if end_s - midnight_s == DAY_S:
        weekday = datetime.fromtimestamp(midnight_s, hours.zone).weekday()
        return tuple(
            (midnight_s + start * MINUTE_S, midnight_s + end * MINUTE_S)
            for start, end in hours.days[weekday]
        )
    # On a day when clocks change the wall is asked minute by minute: hours are lost, or come twice.
    minutes = range(midnight_s, end_s, MINUTE_S)
    return tuple((at, at + MINUTE_S) for at in minutes if hours.is_open(at * US_PER_S))


def either(schedules: Iterable[Schedule | None], zone: ZoneInfo) -> Schedule | None:
    """Return the hours in which any of these is open; None where one always is."""
    days: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for one in schedules:
        if one is None:
            return None
        for spans, more in zip(days, one.days, strict=True):
            spans.extend(more)
    return Schedule(zone, tuple(tuple(_merged(spans)) for spans in days)) if any(days) else None


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield these spans in order, those that touch or overlap as one."""
    pending: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if pending is None:
            pending = start, end
        elif start <= pending[1]:
            pending = pending[0], max(end, pending[1])
        else:
            yield pending
            pending = start, end
    if pending is not None:
        yield pending
