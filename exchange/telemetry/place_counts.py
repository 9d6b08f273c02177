"""Counts of a thousand offers at once, without touching each of them for every lead."""

from collections.abc import Sequence

from exchange.domain import places
from exchange.telemetry.tallies import Counts


class PlaceCounts:
    """How often each place of a lineup was in a set; each call belongs to the event loop.

    The counts stand upright: the first number holds the lowest binary digit of every place's
    count, the next one the second digit, and so on, so that adding a set is one addition with
    carry for all places together, about a microsecond for a thousand of them.
    """

    def __init__(self, counts: Counts) -> None:
        """Take where the counts are handed over to, by name and word."""
        self._counts = counts
        self._fresh: dict[tuple[int, str], tuple[Sequence[str], list[int]]] = {}
        """By the lineup's identity, whose contents would be hashed anew for every lead."""

    def add(self, lineup: Sequence[str], word: str, counted: int) -> None:
        """Count once each name of the lineup whose place is a bit of this number."""
        entry = self._fresh.get((id(lineup), word))
        if entry is None:
            # The entry keeps the lineup, so that no other one gets its identity.
            entry = self._fresh[id(lineup), word] = lineup, []
        digits, carry = entry[1], counted
        for order, digit in enumerate(digits):
            digits[order], carry = digit ^ carry, digit & carry
            if not carry:
                return
        digits.append(carry)

    def hand_over(self) -> None:
        """Give on what was counted since the last time."""
        fresh, self._fresh = self._fresh, {}
        for (_, word), (lineup, digits) in fresh.items():
            for order, digit in enumerate(digits):
                for name in places.picked(lineup, digit):
                    self._counts.add((name, word), 1 << order)
