"""Counts of durations to three digits, of any length, at a few hundred bytes a decade.

Log-linear, as HdrHistogram's: exact below 2,048 units, then 1,024 equal steps for each doubling.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

STEP_BITS = 10
EXACT_BELOW = 2 << STEP_BITS
MS = 1000.0
"""Microseconds."""


def slot_of(us: int) -> int:
    """Return in which slot a whole number of microseconds is counted."""
    shift = max(0, us.bit_length() - STEP_BITS - 1)
    return (shift << STEP_BITS) + (us >> shift)


def highest_of(slot: int) -> int:
    """Return the most that is counted in this slot; the least is at most 1/1024 below it."""
    if slot < EXACT_BELOW:
        return slot
    shift = (slot >> STEP_BITS) - 1
    return (((slot - (shift << STEP_BITS)) + 1) << shift) - 1


class Histogram:
    """How often each duration was seen."""

    def __init__(self, slots: Mapping[int, int] | None = None) -> None:
        self.slots = Counter(slots or {})

    def record(self, seconds: float) -> None:
        """Count one duration; below zero is zero."""
        self.slots[slot_of(max(0, int(seconds * 1e6)))] += 1

    def add(self, other: "Histogram") -> None:
        """Count all that the other counted."""
        self.slots.update(other.slots)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return self.slots.total()

    def at(self, percent: float) -> float:
        """Return the milliseconds that so many percent took at most; 0 where nothing was seen."""
        return self.at_all([percent])[0]

    def at_all(self, percents: Iterable[float]) -> list[float]:
        """Return the same of several percentiles, which rise."""
        found, seen, total = [], 0, self.count
        slots, highest = iter(sorted(self.slots)), 0
        for percent in percents:
            wanted = max(total * percent / 100, min(total, 1))
            while seen < wanted:
                slot = next(slots)
                seen, highest = seen + self.slots[slot], highest_of(slot)
            found.append(round(highest / MS, 3))
        return found

    @property
    def longest(self) -> float:
        """The longest in milliseconds; 0 where nothing was seen."""
        return round(highest_of(max(self.slots, default=0)) / MS, 3)


PERCENTS = (
    *(0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 97.5),
    *(98.0, 99.0, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99),
)


def curve(histogram: Histogram) -> tuple[tuple[float, float], ...]:
    """Return points of the percentile curve, percent and milliseconds, as far as it was seen."""
    seen = [one for one in PERCENTS if histogram.count * (1 - one / 100) >= 1]
    return tuple(zip(seen, histogram.at_all(seen), strict=True))
