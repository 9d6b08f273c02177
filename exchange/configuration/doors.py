"""The doors of a market, compiled; what did not change is not compiled again."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exchange.configuration.objects import encode
from exchange.contract.door import DoorPart
from exchange.domain.door import Door
from exchange.domain.vertical import Vertical
from exchange.intake.doors.compiling import compile_door
from exchange.intake.doors.like import resolved


class Basis(NamedTuple):
    """All that a door is made of."""

    part: str
    """With its model's words, as it would be stored: two that are equal say the same in order."""
    verticals: Mapping[str, Vertical]


class Doors:
    """Makes the doors of one market after the other."""

    def __init__(self) -> None:
        self._parts: dict[str, DoorPart] = {}
        self._verticals: Mapping[str, Vertical] = {}
        self._former: dict[str, tuple[Basis, Door]] = {}
        self._present: dict[str, tuple[Basis, Door]] = {}

    def begin(self, parts: Iterable[DoorPart], verticals: Mapping[str, Vertical]) -> None:
        """Begin a new market: a door that is not asked for again is forgotten with the next."""
        self._parts = {part.id: part for part in parts}
        self._verticals = verticals
        self._former, self._present = self._present, {}

    def of(self, part: DoorPart) -> Door:
        """Return a door of this market; raise DialectError where it cannot be compiled."""
        whole = resolved(part, self._parts)
        basis = Basis(encode(whole), self._verticals)
        former = self._former.get(part.id)
        if former is None or former[0] != basis:
            former = basis, compile_door(whole, self._verticals)
        self._present[part.id] = former
        return former[1]
