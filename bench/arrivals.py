"""When leads are due, whatever becomes of those before: at one rate, or by a day's shape."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

DAY = (
    *(0.31, 0.20, 0.14, 0.12, 0.15, 0.28, 0.55, 0.92, 1.32, 1.62, 1.75, 1.70),
    *(1.60, 1.58, 1.60, 1.58, 1.50, 1.38, 1.28, 1.24, 1.16, 0.95, 0.68, 0.46),
)
"""How busy each hour of a weekday is for consumers' requests, 1 on average."""


def dues(rate: float, seconds: float, shape: Sequence[float], seed: int) -> Iterator[float]:
    """Yield when each lead is due, in seconds since the beginning, until the time is over.

    A Poisson process: at one rate where the shape is empty, else each of its equal spans has its
    own, and `rate` is what they make on average.
    """
    chance = random.Random(f"arrivals/{seed}")
    weights = list(shape) or [1.0]
    mean, highest = sum(weights) / len(weights), max(weights)
    due = chance.expovariate(rate * highest / mean)
    while due < seconds:
        # Thinned: drawn at the highest rate, kept by how busy its span is.
        if chance.random() * highest < weights[int(due / seconds * len(weights))]:
            yield due
        due += chance.expovariate(rate * highest / mean)


def read_shape(path: Path) -> tuple[float, ...]:
    """Return a recorded shape: one number a line, leads in spans of equal length. ValueError."""
    weights = tuple(float(line) for line in path.read_text(encoding="utf-8").split())
    if not weights or min(weights) < 0 or max(weights) <= 0:
        raise ValueError(f"{path}: one number a line, none below zero, and one above it")
    return weights
