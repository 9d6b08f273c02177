"""What several rounds of one measurement say together: the middle, and how far they lay apart."""

import statistics
from collections.abc import Iterable, Mapping


def middle(values: Iterable[float], digits: int = 3) -> float:
    """Return the median."""
    return round(statistics.median(values), digits)


def spread(rounds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return for each figure half of what lies between its least and most; one round: nothing."""
    return {
        name: round((max(values) - min(values)) / 2, 3)
        for name, values in rounds.items()
        if len(values) > 1
    }
