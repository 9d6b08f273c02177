"""Hours and windows follow the buyer's own wall clock, through every change of clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.schedule import Schedule, window_start_s

CHICAGO = ZoneInfo("America/Chicago")
OFFICE = Schedule(CHICAGO, (((540, 1020),),) * 5 + ((), ()))


def at_us(text, zone=CHICAGO, fold=0):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T16:59:59", True),
        ("2026-11-23T17:00:00", False),
        ("2026-11-22T12:00:00", False),
        ("2026-03-09T09:00:00", True),
        ("2026-03-09T08:59:59", False),
    ],
)
def test_a_schedule_opens_and_closes_to_the_second(moment, is_open):
    """Monday to Friday nine to five in Chicago, in winter and on the Monday after clocks change."""
    assert OFFICE.is_open(at_us(moment)) is is_open


def start(per, moment, zone=CHICAGO, fold=0):
    return datetime.fromtimestamp(window_start_s(per, at_us(moment, zone, fold), zone), zone)


@pytest.mark.parametrize(
    ("per", "moment", "began"),
    [
        ("day", "2026-03-08T23:30:00", "2026-03-08T00:00:00-06:00"),
        ("day", "2026-11-01T23:30:00", "2026-11-01T00:00:00-05:00"),
        ("week", "2026-03-11T10:00:00", "2026-03-09T00:00:00-05:00"),
        ("week", "2026-11-01T10:00:00", "2026-10-26T00:00:00-05:00"),
        ("month", "2026-11-30T23:59:59", "2026-11-01T00:00:00-05:00"),
        ("hour", "2026-11-23T10:59:59", "2026-11-23T10:00:00-06:00"),
    ],
)
def test_windows_begin_where_the_wall_says(per, moment, began):
    """Days of 23 and 25 hours are one day each; weeks begin on Monday."""
    assert start(per, moment).isoformat() == began


def test_the_hour_that_comes_twice_is_two_windows():
    """When clocks are set back, an hourly cap counts anew after the change."""
    first = window_start_s("hour", at_us("2026-11-01T01:30:00", fold=0), CHICAGO)
    second = window_start_s("hour", at_us("2026-11-01T01:30:00", fold=1), CHICAGO)
    assert second - first == 3600


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from(["America/Chicago", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns"]),
    st.sampled_from(["hour", "day", "week", "month"]),
)
def test_a_moment_lies_in_its_window_and_the_window_is_its_own(moment, name, per):
    """The window began before the moment, not longer ago than it lasts, and is stable."""
    zone = ZoneInfo(name)
    now = moment.replace(tzinfo=UTC, microsecond=0)
    longest = {"hour": 3600, "day": 90_000, "week": 7 * 86_400 + 3600, "month": 31 * 86_400 + 3600}
    began = window_start_s(per, int(now.timestamp()) * 1_000_000, zone)
    assert 0 <= now.timestamp() - began <= longest[per]
    assert window_start_s(per, began * 1_000_000, zone) == began
