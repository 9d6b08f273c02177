"""Opening hours and cap windows, in a buyer's own time zone, through every change of clocks."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

MINUTES_PER_DAY = 24 * 60
US_PER_S = 1_000_000
WINDOWS_KEPT = 1024


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
