"""Floors learned from what was bid: whose they are, how one is found for a lead, when one is tried.

Which floor earns most is found by domain.reserve, off the hot path; here it is looked up. Chance
comes in as bytes, so that the same bytes give the same floor.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.money import Micros, floor_to_cent
from exchange.domain.reserve import COARSE

US_PER_S = 1_000_000
HOURS_PER_DAY = 24
PPM = 1_000_000
CHANCE_BYTES = 16
"""So many a floor is drawn from."""
NO_STATE = "-"
ANY = "*"


class LearnFloor(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign learns its floors."""

    explore_ppm: int
    """The share of auctions whose floor is drawn instead."""
    minimum: Micros
    maximum: Micros
    hours: int
    """How long a band of hours is; it divides the day."""
    zone: ZoneInfo
    auctions: int
    """So many a segment needs before it has a floor of its own."""
    days: int
    """How long is remembered, at least; nothing is remembered twice as long."""
    unsold: Micros
    """What a lead still brings that nobody buys here."""
    stage: int
    """The one whose floor is learned: the first that asks."""
    second_price: bool
    """Its winner pays the next best bid, not its own."""


class Segment(NamedTuple):
    """Leads of one state in one band of hours: `TX`, `12-18`; a wider one says `*`."""

    state: str
    hours: str

    @property
    def text(self) -> str:
        """Return it as a timeline shows it: `TX 12-18`."""
        return f"{self.state} {self.hours}"


EVERYTHING = Segment(ANY, ANY)


class How(StrEnum):
    """Where a floor came from."""

    EXPLORED = "explored"
    """It was drawn, to learn."""
    CONTROL = "control"
    """It is the minimum, to see what there would be without a learned floor."""
    LEARNED = "learned"
    LEAST = "least"
    """Too little was seen yet: it is the operator's minimum."""


class Floored(msgspec.Struct, frozen=True):
    """The floor of one auction, and why it is that."""

    floor: Micros
    how: How
    segment: Segment
    """The lead's own."""
    learned_of: Segment | None = None
    """The same or a wider one, of which a learned floor is."""


class LearnedFloors(msgspec.Struct, frozen=True):
    """What was learned of one campaign by one moment."""

    floors: Mapping[tuple[str, str], Micros] = {}

    def of(self, segment: Segment) -> tuple[Micros, Segment] | None:
        """Return the floor of the narrowest segment that has one; None where none has."""
        for wide in widening(segment):
            floor = self.floors.get(wide)
            if floor is not None:
                return floor, wide
        return None


NO_FLOORS = LearnedFloors()


def widening(segment: Segment) -> tuple[Segment, ...]:
    """Return a segment and those that hold it, the narrowest first."""
    return (
        segment,
        Segment(segment.state, ANY),
        Segment(ANY, segment.hours),
        EVERYTHING,
    )


def segment_of(state: object, at_us: int, rule: LearnFloor) -> Segment:
    """Return the segment of a lead of this state at this moment."""
    hour = datetime.fromtimestamp(at_us // US_PER_S, rule.zone).hour
    first = hour - hour % rule.hours
    named = state if isinstance(state, str) and state else NO_STATE
    return Segment(named, f"{first:02}-{first + rule.hours:02}")


def floored(segment: Segment, rule: LearnFloor, table: LearnedFloors, chance: bytes) -> Floored:
    """Return the floor of one auction: now and then one that is drawn, else the learned one.

    Half of those that explore have the minimum: they hide no bid, and show what there would be
    without a learned floor. The other half have one that is drawn.
    """
    drawn = int.from_bytes(chance[:8]) * PPM * 2 >> 64
    if drawn < rule.explore_ppm:
        return Floored(rule.minimum, How.CONTROL, segment)
    if drawn < 2 * rule.explore_ppm:
        choices = candidates(rule.minimum, rule.maximum)
        place = int.from_bytes(chance[8:CHANCE_BYTES]) * len(choices) >> 64
        return Floored(choices[place], How.EXPLORED, segment)
    known = table.of(segment)
    if known is None:
        return Floored(rule.minimum, How.LEAST, segment)
    floor = min(max(known[0], rule.minimum), rule.maximum)
    return Floored(Micros(floor), How.LEARNED, segment, known[1])


@lru_cache(maxsize=256)
def candidates(minimum: Micros, maximum: Micros) -> tuple[Micros, ...]:
    """Return the floors that are tried: steps of a quarter between the bounds, in whole cents."""
    steps = {floor_to_cent(step) for step in COARSE}
    inside = {step for step in steps if minimum < step < maximum}
    return tuple(sorted(inside | {minimum, maximum}))
