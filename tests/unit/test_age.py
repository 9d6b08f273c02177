"""The day and the age by the calendar where somebody lives, whichever way they are computed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.age import QUARTER_US, US_PER_S, age_on, local_day, local_quarter

ZONES = [
    None,
    *map(ZoneInfo, ("America/Chicago", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham")),
]
MOMENTS_US = st.integers(1_577_836_800 * US_PER_S, 4_000_000_000 * US_PER_S)
"""From 2020: long ago some clocks were changed a minute after the hour."""


@pytest.mark.parametrize("zone", ZONES)
@given(at_us=MOMENTS_US)
def test_a_quarter_of_an_hour_has_one_day_and_one_hour_on_every_wall(zone, at_us):
    """Also where clocks differ from UTC by three quarters, and around every change of them."""
    exact = datetime.fromtimestamp(at_us // US_PER_S, zone or UTC)
    quarter = local_quarter(at_us // QUARTER_US, zone)
    assert (quarter.date(), quarter.hour) == (exact.date(), exact.hour)
    assert local_day(at_us, zone) == exact.date()


@pytest.mark.parametrize(
    ("day", "birth_date", "age"),
    [
        (date(2026, 4, 1), "1991-04-02", 34),
        (date(2026, 4, 2), "1991-04-02", 35),
        (date(2026, 4, 2), "1991-10-01", 34),
        (date(2026, 2, 28), "2000-02-29", 25),
        (date(2026, 3, 1), "2000-02-29", 26),
        (date(2026, 3, 1), "2026-03-02", -1),
    ],
)
def test_an_age_is_in_full_years(day, birth_date, age):
    assert age_on(day, birth_date) == age
