"""How old somebody is at a moment, in full years, and in which band of five years that lies."""

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache

US_PER_S = 1_000_000
QUARTER_S = 15 * 60
QUARTER_US = QUARTER_S * US_PER_S
BAND_YEARS = 5
TOP_BAND = 85
"""From here on people are so few that a band of five years would point at them."""


def local_day(at_us: int, zone: tzinfo | None) -> date:
    """Return the day that a moment falls on in a time zone; UTC where the zone is not known."""
    return local_quarter(at_us // QUARTER_US, zone).date()


@lru_cache(256)
def local_quarter(quarters: int, zone: tzinfo | None) -> datetime:
    """Return the time on the wall so many quarters of an hour after the epoch.

    No clock in use differs from UTC, or changes, by anything finer: day and hour are the same for
    all leads of a quarter, and are computed for the first.
    """
    return datetime.fromtimestamp(quarters * QUARTER_S, zone or UTC)


def age_on(day: date, birth_date: str) -> int:
    """Return the full years from an ISO birth date to a day; below zero before the birth.

    Who was born on 29 February is a year older on 1 March of a common year.
    """
    return day.year - int(birth_date[:4]) - (day.isoformat()[5:] < birth_date[5:10])


def age_band(age: int) -> str:
    """Return the band of an age: `35-39`, and `85+` for all above."""
    if age >= TOP_BAND:
        return f"{TOP_BAND}+"
    start = max(age, 0) // BAND_YEARS * BAND_YEARS
    return f"{start}-{start + BAND_YEARS - 1}"
