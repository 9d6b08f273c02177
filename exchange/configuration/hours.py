"""Opening hours as people write them, `mon-fri = "09:00-17:00"`, as a week of minutes."""

import re
from collections.abc import Mapping
from itertools import pairwise

from exchange.domain.schedule import MINUTES_PER_DAY

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Span = tuple[int, int]

_SPAN = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)


class HoursError(ValueError):
    """Hours that cannot be, with the key they stand under and a sentence."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def week_of(hours: Mapping[str, str]) -> tuple[tuple[Span, ...], ...]:
    """Return the open spans of each weekday, Monday first, in minutes since midnight.

    A key is a day or a range of days, a value one or more spans with commas between; 24:00 is the
    day's end. A day that is not named is closed. Raises HoursError.
    """
    week: list[tuple[Span, ...] | None] = [None] * len(DAYS)
    for key, text in hours.items():
        spans = _spans(key, text)
        for day in _days(key):
            if week[day] is not None:
                raise HoursError(key, f"{DAYS[day]} is named twice")
            week[day] = spans
    return tuple(spans or () for spans in week)


def _days(key: str) -> list[int]:
    first, dash, last = key.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise HoursError(key, "must be a day such as mon, or days such as mon-fri")
    start = DAYS.index(first)
    if not dash:
        return [start]
    count = (DAYS.index(last) - start) % len(DAYS) + 1
    return [(start + offset) % len(DAYS) for offset in range(count)]


def _spans(key: str, text: str) -> tuple[Span, ...]:
    spans = sorted(_span(key, part.strip()) for part in text.split(","))
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise HoursError(key, "spans overlap")
    return tuple(spans)


def _span(key: str, text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise HoursError(key, 'must be hours such as "09:00-17:00"')
    opens, closes = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
    if closes > MINUTES_PER_DAY or opens >= MINUTES_PER_DAY:
        raise HoursError(key, "a day ends at 24:00")
    if closes <= opens:
        raise HoursError(
            key,
            'ends before it begins; over midnight, write "22:00-24:00" and the rest a day later',
        )
    return opens, closes
