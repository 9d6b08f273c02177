"""Dates and moments in the spellings that forms send become ISO 8601, or are refused."""

import re
from datetime import UTC, date, datetime

YEAR_MIN = 1900
YEAR_MAX = 2100

ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].{0,40})?\Z", re.ASCII)
AMERICAN = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\Z", re.ASCII)
PLAIN_LENGTH = len("YYYY-MM-DD")
COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})\Z", re.ASCII)

AMERICAN_MOMENT = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AaPp])[Mm])?\Z", re.ASCII
)
EPOCH = re.compile(r"\d{9,13}\Z", re.ASCII)
EPOCH_S_DIGITS_MAX = 10
MILLISECONDS = 1000
NOON = 12


def normalize_date(text: str) -> str | None:
    """Return the day as `YYYY-MM-DD`, or None: ISO, American M/D/YYYY, or YYYYMMDD.

    Two-digit years are refused rather than guessed; a time of day behind an ISO date is passed
    over.
    """
    if len(text) == PLAIN_LENGTH and text[4] == text[7] == "-" and text[8:].isdigit():
        try:
            return text if YEAR_MIN <= date.fromisoformat(text).year <= YEAR_MAX else None
        except ValueError:
            return None
    return any_date(text)


def any_date(text: str) -> str | None:
    """Return the day that any of the spellings names: the long way."""
    if match := ISO.match(text) or COMPACT.match(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := AMERICAN.match(text):
        month, day, year = (int(part) for part in match.groups())
    else:
        return None
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def normalize_moment(text: str) -> str | None:
    """Return the moment in RFC 3339 and UTC, to the second, or None.

    Understood: ISO 8601 with or without a zone (then UTC), American dates with a time of day,
    and seconds or milliseconds since the epoch.
    """
    try:
        moment = moment_of(text)
        if moment is None or not YEAR_MIN <= moment.year <= YEAR_MAX:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except (ValueError, OverflowError):
        return None


def moment_of(text: str) -> datetime | None:
    """Return the moment that a text names; may raise ValueError or OverflowError."""
    if EPOCH.match(text):
        seconds = int(text) if len(text) <= EPOCH_S_DIGITS_MAX else int(text) // MILLISECONDS
        return datetime.fromtimestamp(seconds, UTC)
    if match := AMERICAN_MOMENT.match(text):
        month, day, year, hour, minute = (int(part) for part in match.groups()[:5])
        half = (match[7] or "").lower()
        if half:
            if not 1 <= hour <= NOON:
                return None
            hour = hour % NOON + (NOON if half == "p" else 0)
        return datetime(year, month, day, hour, minute, int(match[6] or 0), tzinfo=UTC)
    return datetime.fromisoformat(text)
