"""Dates and moments as a sender writes them, by the letters of the mapping language."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from exchange.intake.dates import YEAR_MAX, YEAR_MIN
from exchange.intake.errors import Bad, bad_value

PARTS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MM": r"(?P<month>\d{2})",
    "DD": r"(?P<day>\d{2})",
    "HH": r"(?P<hour>\d{2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "D": r"(?P<day>\d{1,2})",
}
TOKEN = re.compile("|".join(PARTS))
DAY = frozenset({"month", "day"})
UNIX = "unix"
EPOCH = re.compile(r"-?\d{1,13}\Z", re.ASCII)
EPOCH_S_DIGITS_MAX = 10
MILLISECONDS = 1000
TEXT_LENGTH_MAX = 40
LAST_SHORT_YEAR = 29
"""`29` is 2029, `30` is 1930."""


class DateFormatError(ValueError):
    """A date format that names no day, or a part twice."""


def date_reader(written: str) -> Callable[[str], str | Bad]:
    """Return what reads dates of this format as ISO 8601. Errors: DateFormatError."""
    if written == UNIX:
        return unix
    tokens = TOKEN.findall(written)
    named = [re.findall(r"<(\w+)>", PARTS[token])[0] for token in tokens]
    if len(set(named)) != len(named):
        raise DateFormatError("names a part twice")
    if not set(named) >= DAY or not {"year", "short"} & set(named):
        raise DateFormatError("must name year, month and day, in YYYY MM DD M D YY HH mm ss")
    parts = TOKEN.split(written)
    text = "".join(
        re.escape(literal) + (PARTS[token] if token else "")
        for literal, token in zip(parts, [*tokens, ""], strict=True)
    )
    pattern = re.compile(text, re.ASCII)
    wrong = bad_value(f"must be a date as {written}")

    def read(raw: str) -> str | Bad:
        match = pattern.fullmatch(raw) if len(raw) <= TEXT_LENGTH_MAX else None
        return wrong if match is None else iso(match.groupdict()) or wrong

    return read


def iso(parts: dict[str, str | None]) -> str | None:
    """Return a day, or a moment where an hour is named, in UTC; None where there is none."""
    short = int(parts.get("short") or 0)
    year = int(parts.get("year") or (2000 if short <= LAST_SHORT_YEAR else 1900) + short)
    try:
        moment = datetime(
            year,
            int(parts["month"] or 0),
            int(parts["day"] or 0),
            int(parts.get("hour") or 0),
            int(parts.get("minute") or 0),
            int(parts.get("second") or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    if "hour" in parts:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.date().isoformat()


A_MOMENT = bad_value("must be seconds or milliseconds since 1970")


def unix(raw: str) -> str | Bad:
    """Read seconds or milliseconds since the epoch."""
    if not EPOCH.match(raw):
        return A_MOMENT
    digits = len(raw.lstrip("-"))
    seconds = int(raw) if digits <= EPOCH_S_DIGITS_MAX else int(raw) // MILLISECONDS
    moment = datetime.fromtimestamp(seconds, UTC)
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        return A_MOMENT
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
