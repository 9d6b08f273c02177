"""How old somebody is at a moment, in full years, and in which band of five years that lies."""

from datetime import UTC, date, datetime, tzinfo

US_PER_S = 1_000_000
BAND_YEARS = 5
TOP_BAND = 85
"""From here on people are so few that a band of five years would point at them."""


def local_day(at_us: int, zone: tzinfo | None) -> date:
    """Return the day that a moment falls on in a time zone; UTC where the zone is not known."""
    return datetime.fromtimestamp(at_us // US_PER_S, zone or UTC).date()


def age_on(day: date, birth_date: str) -> int:
    """Return the full years from an ISO birth date to a day; below zero before the birth.

    Who was born on 29 February is a year older on 1 March of a common year.
    """
    year, month, birthday = int(birth_date[:4]), int(birth_date[5:7]), int(birth_date[8:10])
    return day.year - year - ((day.month, day.day) < (month, birthday))


def age_band(age: int) -> str:
    """Return the band of an age: `35-39`, and `85+` for all above."""
    if age >= TOP_BAND:
        return f"{TOP_BAND}+"
    start = max(age, 0) // BAND_YEARS * BAND_YEARS
    return f"{start}-{start + BAND_YEARS - 1}"
