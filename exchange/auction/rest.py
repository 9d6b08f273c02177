"""What an auction that was decided early leaves: buyers who may still answer while others post."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from exchange.domain.bid import Bid, Contender, above
from exchange.domain.captured import Captured
from exchange.domain.reason import Reason
from exchange.wire.call import Call


class Late(msgspec.Struct, frozen=True):
    """What one that was cut off came to after all."""

    contender: Contender
    bid: Bid | None
    """What of its bid stands."""
    captured: Captured


class Rest:
    """The offers that were cut off; what they bid in their time stands in if the winner refuses."""

    def __init__(
        self,
        fan_out: "asyncio.Task[None]",
        read: Callable[[Call], None],
        captured: Callable[[Call], Captured],
    ) -> None:
        """Take the fan-out that goes on, and who turns a call into its offer's result."""
        self._captured = captured
        self._fan_out = fan_out
        self._read = read
        self._cut_off: dict[int, Call] = {}
        self._new: list[Late] = []

    def cut_off(self, calls: Iterable[Call], ms: float, why: str) -> None:
        """Give the offers of these calls their result: too late to win, at this time."""
        for call in calls:
            one: Contender = call.tag
            one.reason, one.detail, one.ms = Reason.CUT_OFF, why, ms
            self._cut_off[id(call)] = call

    def hear(self, call: Call) -> None:
        """Take the answer of one that was cut off."""
        if self._cut_off.pop(id(call), None) is None:
            return
        one: Contender = call.tag
        one.reason = one.detail = None
        self._read(call)
        bid = None if one.bid is None else above(one.bid, one.floor)
        if one.bid is not None and bid is None:
            one.reason = Reason.BELOW_FLOOR
        self._new.append(Late(one, bid, self._captured(call)))

    def take(self) -> tuple[Late, ...]:
        """Return what came since this was last asked."""
        new, self._new = tuple(self._new), []
        return new

    @property
    def has_news(self) -> bool:
        """Tell whether somebody answered since this was last asked."""
        return bool(self._new)

    async def heard_out(self) -> None:
        """Return once nobody is silent any more, or the time of all is up."""
        await asyncio.wait((self._fan_out,))
