"""Sets of offers as whole numbers: one bit for each by its place in its stage's lineup."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TypeVar

SPARSE = 16
"""In a set with fewer than one in so many, the members are looked for one after the other."""
_DIGITS = bytes.maketrans(b"01", b"\x00\x01")

T = TypeVar("T")


def each(places: int) -> Iterator[int]:
    """Yield the places of a set, the lowest first."""
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


def picked(lineup: Sequence[T], places: int) -> list[T]:
    """Return what stands in these places, in its order."""
    many = places.bit_count()
    if many == len(lineup):
        return list(lineup)
    if many * SPARSE < len(lineup):
        return [lineup[place] for place in each(places)]
    lowest_first = reversed(f"{places:b}".encode().translate(_DIGITS))
    return list(compress(lineup, lowest_first))


def pack(places: int) -> str:
    """Return a set as timelines keep it: base64 of its bits, the lowest in the first byte."""
    return b64encode(places.to_bytes(-(-places.bit_length() // 8), "little")).decode()


def unpack(text: str) -> int:
    """Return the set of a text that `pack` made."""
    return int.from_bytes(b64decode(text), "little")


def count(text: str) -> int:
    """Return how many are in a packed set."""
    return unpack(text).bit_count()
