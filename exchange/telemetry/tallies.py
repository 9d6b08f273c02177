"""Counts and durations as plain numbers, handed to Prometheus's own objects now and then.

A lead with ten buyers is some fifty observations. Each of the library's takes a lock and walks all
buckets; here one is an addition to a list, in the event loop alone, and many are handed over at
once.
"""

from bisect import bisect_left
from collections import defaultdict

from prometheus_client import Counter, Gauge, Histogram

Labels = tuple[str, ...]


class Counts:
    """What is counted of one metric by its labels; each call belongs to the event loop."""

    def __init__(self, family: Counter) -> None:
        self._family = family
        self._children: dict[Labels, Counter] = {}
        self._fresh: defaultdict[Labels, int] = defaultdict(int)

    def add(self, labels: Labels, count: int = 1) -> None:
        """Count; the labels' own line is there from then on, even at 0."""
        self._fresh[labels] += count

    def hand_over(self) -> None:
        """Give the library what was counted since the last time."""
        fresh, self._fresh = self._fresh, defaultdict(int)
        for labels, count in fresh.items():
            child = self._children.get(labels)
            if child is None:
                child = self._family.labels(*labels) if labels else self._family
                self._children[labels] = child
            child.inc(count)


class Level:
    """How many there are of something now; each call belongs to the event loop."""

    def __init__(self, family: Gauge) -> None:
        self._family = family
        self._level = 0

    def set(self, level: int) -> None:
        """Note how many there are."""
        self._level = level

    def hand_over(self) -> None:
        """Tell the library."""
        self._family.set(self._level)


class Durations:
    """What is measured of one metric by its labels; each call belongs to the event loop."""

    def __init__(self, family: Histogram, bounds_s: tuple[float, ...]) -> None:
        self._family = family
        self._bounds_s = bounds_s
        self._slots = len(bounds_s) + 2  # one beyond the last bound, and the sum
        self._children: dict[Labels, Histogram] = {}
        self._fresh: dict[Labels, list[float]] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Observe one duration."""
        fresh = self._fresh.get(labels)
        if fresh is None:
            fresh = self._fresh[labels] = [0.0] * self._slots
        fresh[bisect_left(self._bounds_s, seconds)] += 1
        fresh[-1] += seconds

    def hand_over(self) -> None:
        """Give the library what was measured since the last time.

        It has no public way to take many at once; a test holds that its numbers are those that
        it would have made of the single ones.
        """
        fresh, self._fresh = self._fresh, {}
        for labels, slots in fresh.items():
            child = self._children.get(labels)
            if child is None:
                child = self._family.labels(*labels) if labels else self._family
                self._children[labels] = child
            child._sum.inc(slots.pop())  # noqa: SLF001 - see above
            for bucket, count in zip(child._buckets, slots, strict=True):  # noqa: SLF001
                if count:
                    bucket.inc(count)
