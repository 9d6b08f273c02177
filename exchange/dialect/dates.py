"""Dates and moments, written as a buyer wants them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from exchange.dialect.faults import TemplateError
from exchange.dialect.words import moment_text, text_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MS = timedelta(milliseconds=1)
HALF_DAY_HOURS = 12

_RUN = re.compile(r"([A-Za-z])\1*|[^A-Za-z]+")
_LITERALS = frozenset({"T", "Z"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")
MOMENT_LENGTH_MAX = 40

Write = Callable[[datetime], str]

TOKENS: dict[str, Write] = {
    "YYYY": lambda at: f"{at.year:04d}",
    "YY": lambda at: f"{at.year % 100:02d}",
    "MM": lambda at: f"{at.month:02d}",
    "M": lambda at: str(at.month),
    "DD": lambda at: f"{at.day:02d}",
    "D": lambda at: str(at.day),
    "HH": lambda at: f"{at.hour:02d}",
    "hh": lambda at: f"{at.hour % HALF_DAY_HOURS or HALF_DAY_HOURS:02d}",
    "mm": lambda at: f"{at.minute:02d}",
    "ss": lambda at: f"{at.second:02d}",
    "A": lambda at: "AM" if at.hour < HALF_DAY_HOURS else "PM",
}


def date_filter(arguments: tuple[str, ...]) -> Callable[[object], object]:
    """Return what writes a date or a moment in a format, in UTC or in the zone that is named."""
    pieces = _pieces(arguments[0])
    zone = _zone(arguments[1].strip()) if len(arguments) > 1 else UTC

    def written(value: object) -> str | None:
        moment = moment_of(value, zone)
        return None if moment is None else "".join(piece(moment) for piece in pieces)

    return written


def _pieces(form: str) -> list[Write]:
    if not form:
        raise TemplateError('"date" needs a format such as MM/DD/YYYY')
    return [_piece(found.group(), is_letters=found[1] is not None) for found in _RUN.finditer(form)]


def _piece(run: str, *, is_letters: bool) -> Write:
    if run in TOKENS:
        return TOKENS[run]
    if is_letters and run not in _LITERALS:
        raise TemplateError(f'"{run}" is no part of a date; write {", ".join(TOKENS)}')
    return lambda _: run


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise TemplateError(f'"{name}" is no time zone; write one as America/Chicago') from None


def moment_at(at_us: int) -> datetime:
    """Return the moment so many microseconds after 1970."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)


def moment_of(value: object, zone: tzinfo = UTC) -> datetime | None:
    """Return a moment, in a zone, or a date's first moment; None for what is neither."""
    if isinstance(value, datetime):
        return _in_zone(value, zone)
    text = text_of(value)
    if text is None or len(text) > MOMENT_LENGTH_MAX:
        return None
    try:
        if _DATE.match(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=zone)
        if _MOMENT.match(text):
            return _in_zone(datetime.fromisoformat(text), zone)
    except ValueError:
        pass
    return None


def _in_zone(moment: datetime, zone: tzinfo) -> datetime | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return None


def iso(value: object) -> str | None:
    """Return a moment as `2026-12-31T23:59:59Z`."""
    moment = moment_of(value)
    return None if moment is None else moment_text(moment)


def unix(value: object) -> int | None:
    """Return a moment in seconds since 1970."""
    ms = unix_ms(value)
    return None if ms is None else ms // 1000


def unix_ms(value: object) -> int | None:
    """Return a moment in milliseconds since 1970."""
    moment = moment_of(value)
    return None if moment is None else (moment - EPOCH) // ONE_MS
