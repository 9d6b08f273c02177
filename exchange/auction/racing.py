"""An auction that may end before all have answered: each answer is weighed as it comes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from exchange.auction.rest import Rest
from exchange.auction.tender import AuctionResult, ClosedEarly, Tender, captured, result_of
from exchange.domain.bid import Contender
from exchange.domain.closing import Closing, Race
from exchange.domain.ranking import worth
from exchange.wire.call import Call, Outcome

OnAnswer = Callable[[Call], bool]


class Racing(Protocol):
    """Who carries calls, and tells of each as it ends."""

    async def fan_out(
        self, calls: Sequence[Call], deadline_at: float, on_answer: OnAnswer | None = None
    ) -> None:
        """Send every call at once; `on_answer` hears of each that ends of itself.

        When this returns, each has its outcome.
        """


class Racer:
    """Runs such auctions; a fan-out goes on until its time is up, however early it was decided."""

    def __init__(
        self, wire: Racing, monotonic: Callable[[], float], read: Callable[[Call], None]
    ) -> None:
        """Take the wire, the time, and who turns an ended call into its offer's one result."""
        self._wire = wire
        self._monotonic = monotonic
        self._read = read
        self._going_on: set[asyncio.Task[None]] = set()

    async def run(
        self, tender: Tender, closing: Closing, calls: list[Call], deadline_at: float
    ) -> AuctionResult:
        """Ask every contender; return as soon as nobody who is still silent can change who wins."""
        began = self._monotonic()
        race = Race(tender.contenders, closing, tender.by or worth)
        found = [one for one in map(race.heard, unasked(tender)) if one is not None][:1]
        enough = asyncio.get_running_loop().create_future()
        silent = {id(call): call for call in calls}

        def hear(call: Call) -> bool:
            if silent.pop(id(call), None) is None:
                rest.hear(call)
                return False
            self._read(call)
            decided = None if found else race.heard(call.tag)
            if decided is not None and silent:
                found.append(decided)
                if not enough.done():
                    enough.set_result(None)
            return False

        fan_out = asyncio.ensure_future(self._wire.fan_out(calls, deadline_at, hear))
        rest = Rest(fan_out, self._read, partial(captured, at_us=tender.at_us))
        self._going_on.add(fan_out)
        fan_out.add_done_callback(partial(self._heard_out, calls, hear))
        try:
            if not found:
                await asyncio.wait((fan_out, enough), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            fan_out.cancel()
            raise
        if fan_out.done():
            self._heard_out(calls, hear, fan_out)  # whichever callback comes first
            fan_out.result()
        if not silent:
            return result_of(tender, calls)
        ms = round((self._monotonic() - began) * 1000, 3)
        left_ms = max(min(call.timeout_ms, tender.timeout_ms) for call in silent.values()) - ms
        early = ClosedEarly(found[0], ms, max(0.0, round(left_ms, 3)), rest)
        rest.cut_off(silent.values(), ms, early.decided.words)
        silent.clear()
        result = result_of(tender, calls, early)
        if early.decided.buy_now is None or early.decided.bid is None:
            return result
        first = early.decided.bid
        others = [bid for bid in result.ranked if bid is not first]
        return msgspec.structs.replace(result, ranked=(first, *others))

    def _heard_out(self, calls: list[Call], hear: OnAnswer, fan_out: "asyncio.Task[None]") -> None:
        """Count every call that did not end of itself: its fan-out was cancelled, or closed."""
        self._going_on.discard(fan_out)
        for call in calls:
            if call.outcome is Outcome.WAITING:  # cancelled before anything was sent
                call.outcome = Outcome.ABANDONED
            hear(call)
        if not fan_out.cancelled():
            fan_out.exception()  # told by who waits, or by nobody: it is our own


def unasked(tender: Tender) -> list[Contender]:
    """Return those who bid their static price, or cannot be asked."""
    return [one for one in tender.contenders if not one.pinged]
