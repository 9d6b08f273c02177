"""A quantile of what was seen lately, in a fixed few hundred bytes."""

from bisect import bisect_left

BOUNDS_MS = tuple(0.05 * 1.2**step for step in range(72))
"""From 50 µs to 20 s, each a fifth more than the one before: so exact is the estimate."""
REMEMBERED = 200


class Quantile:
    """A decaying histogram: every so many values, older ones count half."""

    __slots__ = ("counts", "known", "total")

    def __init__(self) -> None:
        self.counts = [0.0] * (len(BOUNDS_MS) + 1)
        self.total = 0.0
        self.known: dict[float, float] = {}
        """Of shares asked for since the last value: it is asked far more often than told."""

    def add(self, value_ms: float) -> None:
        """Count one value."""
        self.known.clear()
        self.counts[bisect_left(BOUNDS_MS, value_ms)] += 1
        self.total += 1
        if self.total >= REMEMBERED:
            self.counts = [count / 2 for count in self.counts]
            self.total /= 2

    def at(self, share: float) -> float:
        """The value that `share` of all lie at or below, rounded up; 0 where none was seen."""
        known = self.known.get(share)
        if known is None:
            known = self.known[share] = self._found(share)
        return known

    def _found(self, share: float) -> float:
        wanted = self.total * share
        seen = 0.0
        for bound, count in zip(BOUNDS_MS, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound if self.total else 0.0
        return BOUNDS_MS[-1]
