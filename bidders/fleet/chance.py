"""Chance from a seed: the same buyer meets the same ping with the same luck, in whatever order."""

import hashlib
import math
import struct
from statistics import NormalDist
from typing import NamedTuple

import msgspec

STANDARD = NormalDist()
STEP = 2.0**-52
FIVE_NUMBERS = struct.Struct("<5Q")


class Luck(NamedTuple):
    """Independent numbers, uniform between 0 and 1 without the ends, for one ping or sale."""

    fault: float
    interest: float
    price: float
    pace: float
    token: int


class Dice:
    """The luck of one buyer under one seed."""

    def __init__(self, seed: int, buyer: str) -> None:
        self.start = hashlib.blake2b(f"{seed}/{buyer}/".encode(), digest_size=FIVE_NUMBERS.size)

    def roll(self, about: str) -> Luck:
        """Return the luck that this buyer has with `about`, always the same."""
        throw = self.start.copy()
        throw.update(about.encode())
        fault, interest, price, pace, token = FIVE_NUMBERS.unpack(throw.digest())
        return Luck(share(fault), share(interest), share(price), share(pace), token)


def share(number: int) -> float:
    """Return 64 random bits as a number strictly between 0 and 1."""
    return ((number >> 12) + 0.5) * STEP


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="shape"):
    """A law that turns a number between 0 and 1 into a value (its inverse distribution)."""


class Fixed(Distribution, frozen=True, forbid_unknown_fields=True, tag="fixed"):
    """Always the same value."""

    value: float

    def at(self, luck: float) -> float:
        """Return the value."""
        del luck
        return self.value


class Uniform(Distribution, frozen=True, forbid_unknown_fields=True, tag="uniform"):
    """Every value between `low` and `high` alike."""

    low: float
    high: float

    def at(self, luck: float) -> float:
        """Return the value that `luck` of all are below."""
        return self.low + (self.high - self.low) * luck


class LogNormal(Distribution, frozen=True, forbid_unknown_fields=True, tag="lognormal"):
    """As prices and latencies are: half are below `median`, some are far above.

    `spread` is the standard deviation of the logarithm; values are cut at `high`.
    """

    median: float
    spread: float
    high: float = float("inf")

    def at(self, luck: float) -> float:
        """Return the value that `luck` of all are below."""
        return min(self.median * math.exp(self.spread * STANDARD.inv_cdf(luck)), self.high)
