"""How many people a ping could be about: those of the recent population who would look the same.

A combination is what a ping shows of its quasi-identifying fields (k-anonymity: Samarati and
Sweeney, 1998). Of people nothing is kept: for each combination a number, and to count nobody twice
a filter (Bloom, 1970) that can say of somebody it is asked about whether it has counted him.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import ceil

import msgspec

from exchange.domain.anonymize import shown_name, shown_value
from exchange.domain.keyed import hmac_sha256
from exchange.domain.lead import Fingerprint, Lead
from exchange.domain.vertical import Field, Privacy, Vertical

PERIODS = 6
"""Into so many parts the window is divided: the oldest is forgotten as a whole."""
COMBINATIONS_MAX = 1_000_000
"""Of one period; what more there are is not counted, which makes pings look less anonymous."""
FILTER_BITS = 1 << 23
"""A megabyte for each period; of 150,000 people one in 40,000 is then taken for counted."""
MARKS = 4
MARK_BYTES = 4
COMBINATION_BYTES = 8
BETWEEN, NOTHING = "\x1f", "\x00"


def visible(vertical: Vertical) -> tuple[Field, ...]:
    """Return the quasi-identifying fields that pings of this vertical show, in their order."""
    return tuple(
        field
        for field in vertical.fields.values()
        if field.privacy is Privacy.QUASI and shown_name(field) is not None
    )


def combination(lead: Lead, fields: Iterable[Field]) -> bytes:
    """Return what stands for all that a ping shows of these fields; of one left out, that it is."""
    told = [
        str(shown_value(field, lead.fields[field.name], lead))
        if field.name in lead.fields
        else NOTHING
        for field in fields
    ]
    return blake2b(BETWEEN.join(told).encode(), digest_size=COMBINATION_BYTES).digest()


def token(fingerprint: Fingerprint, secret: bytes) -> bytes | None:
    """Return by what somebody is known again while a process lives; None of nobody in particular.

    `secret` is drawn anew by every process, and kept nowhere.
    """
    digests = fingerprint.sha256 or fingerprint.md5
    if not digests:
        return None
    return hmac_sha256(secret, min(digests.items())[1].encode())


class Period:
    """One part of the window."""

    __slots__ = ("counts", "filter", "number")

    def __init__(self, number: int) -> None:
        """Begin with nobody; `number` counts periods since 1970."""
        self.number = number
        self.counts: dict[bytes, int] = {}
        self.filter = bytearray(FILTER_BITS // 8)

    def has(self, marks: Iterable[int]) -> bool:
        """Tell whether somebody with these marks was counted, most likely."""
        return all(self.filter[mark >> 3] & 1 << (mark & 7) for mark in marks)

    def add(self, alike: bytes, marks: Iterable[int]) -> None:
        """Count somebody, and know him again by these marks."""
        for mark in marks:
            self.filter[mark >> 3] |= 1 << (mark & 7)
        count = self.counts.get(alike, 0)
        if count or len(self.counts) < COMBINATIONS_MAX:
            self.counts[alike] = count + 1


class Population:
    """The people of a window, by what a ping of theirs would show; each counts once."""

    def __init__(self, fields: tuple[Field, ...], window_us: int) -> None:
        """Take what pings show, and how far back people count."""
        self.fields = fields
        self.window_us = window_us
        self._period_us = max(1, window_us // PERIODS)
        self._periods: list[Period] = []

    def count(self, lead: Lead, person: bytes) -> None:
        """Count a lead's person, unless somebody who looks like him in the filter was counted."""
        number = lead.received_at_us // self._period_us
        self.forget(lead.received_at_us)
        marks = marks_of(person)
        if any(one.has(marks) for one in self._periods):
            return
        period = next((one for one in self._periods if one.number == number), None)
        if period is None:
            period = Period(number)
            self._periods.append(period)
        period.add(combination(lead, self.fields), marks)

    def k(self, lead: Lead, person: bytes | None) -> int:
        """Return how many people look like this lead's, himself among them: at least 1."""
        alike = combination(lead, self.fields)
        known = sum(one.counts.get(alike, 0) for one in self._periods)
        if person is not None:
            marks = marks_of(person)
            if any(one.has(marks) for one in self._periods):
                return max(1, known)
        return known + 1

    def forget(self, now_us: int) -> None:
        """Forget the periods that lie before the window."""
        oldest = (now_us - self.window_us) // self._period_us
        if any(one.number < oldest for one in self._periods):
            self._periods = [one for one in self._periods if one.number >= oldest]

    @property
    def people(self) -> int:
        """How many are counted now."""
        return sum(sum(one.counts.values()) for one in self._periods)


def marks_of(person: bytes) -> tuple[int, ...]:
    """Return the places of a filter at which somebody is marked."""
    return tuple(
        int.from_bytes(person[start : start + MARK_BYTES]) % FILTER_BITS
        for start in range(0, MARKS * MARK_BYTES, MARK_BYTES)
    )


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How anonymous the pings of some people are: shares of them, from 0 to 1."""

    people: int
    alone: float
    """Nobody else looks the same."""
    below_5: float
    below_20: float
    below_100: float
    median: int


def spread(ks: Iterable[int]) -> Spread:
    """Return how these numbers of people are distributed, one for each person."""
    those = sorted(ks)
    count = len(those)

    def below(limit: int) -> float:
        return round(sum(1 for k in those if k < limit) / count, 4) if count else 0.0

    return Spread(
        people=count,
        alone=below(2),
        below_5=below(5),
        below_20=below(20),
        below_100=below(100),
        median=those[ceil(count / 2) - 1] if count else 0,
    )


def each_k(combinations: Iterable[bytes]) -> Iterator[int]:
    """Yield of each person how many have the same combination; one for each of them."""
    counts: dict[bytes, int] = {}
    for one in combinations:
        counts[one] = counts.get(one, 0) + 1
    for count in counts.values():
        yield from [count] * count
