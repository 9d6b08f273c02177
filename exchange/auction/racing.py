"""An auction that may end before all have answered: each answer is weighed as it comes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from exchange.auction.rest import Rest
from exchange.auction.tender import AuctionResult, ClosedEarly, Tender, captured, result_of
from exchange.domain.bid import Contender
from exchange.domain.closing import Closing, Decided, Race
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
        ears = Ears(race, unasked(tender), calls, self._read)
        fan_out = asyncio.ensure_future(self._wire.fan_out(calls, deadline_at, ears.hear))
        rest = ears.rest = Rest(fan_out, self._read, partial(captured, at_us=tender.at_us))
        self._going_on.add(fan_out)
        fan_out.add_done_callback(partial(self._heard_out, calls, ears))
        try:
            if ears.decided is None:
                await asyncio.wait((fan_out, ears.enough), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            fan_out.cancel()
            raise
        if fan_out.done():
            self._heard_out(calls, ears, fan_out)  # whichever callback comes first
            fan_out.result()
        if ears.decided is None or not ears.silent:
            return result_of(tender, calls)
        ms = round((self._monotonic() - began) * 1000, 3)
        silent = ears.silent.values()
        left_ms = max(min(call.timeout_ms, tender.timeout_ms) for call in silent) - ms
        early = ClosedEarly(ears.decided, ms, max(0.0, round(left_ms, 3)), rest)
        rest.cut_off(silent, ms, early.decided.words)
        ears.close()
        result = result_of(tender, calls, early)
        if early.decided.buy_now is None or early.decided.bid is None:
            return result
        first = early.decided.bid
        others = [bid for bid in result.ranked if bid is not first]
        return msgspec.structs.replace(result, ranked=(first, *others))

    def _heard_out(self, calls: list[Call], ears: "Ears", fan_out: "asyncio.Task[None]") -> None:
        """Count every call that did not end of itself: its fan-out was cancelled, or closed."""
        self._going_on.discard(fan_out)
        ears.is_over = True
        for call in calls:
            if call.outcome is Outcome.WAITING:  # cancelled before anything was sent
                call.outcome = Outcome.ABANDONED
            ears.hear(call)
        if not fan_out.cancelled():
            fan_out.exception()  # told by who waits, or by nobody: it is our own


class Ears:
    """Hears the answers of one auction until one of them decides it."""

    rest: Rest
    """Hears who was cut off."""

    def __init__(
        self,
        race: Race,
        unasked: Sequence[Contender],
        calls: Sequence[Call],
        read: Callable[[Call], None],
    ) -> None:
        """Take who competes, those who are not asked, and the calls to all others."""
        self._race = race
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._behind: dict[int, Call] = {}
        self.enough = self._loop.create_future()
        """Done once it is decided, if that was by an answer."""
        self.silent = {id(call): call for call in calls}
        self.decided = next((one for one in map(race.heard, unasked) if one is not None), None)
        self.is_over = False
        """Whether nobody will answer any more: then it is not early any more, either."""

    def hear(self, call: Call) -> bool:
        """Take one call's end."""
        if id(call) not in self.silent:
            self.rest.hear(call)
        elif self.enough.done():
            # It came right behind the answer that decided, before anybody was told. A moment later
            # it would have been cut off, and how busy we are must not make a difference.
            self._behind[id(call)] = call
        else:
            del self.silent[id(call)]
            self._read(call)
            if self.decided is None and not self.is_over:
                self._decide(self._race.heard(call.tag))
        return False

    def _decide(self, decided: Decided | None) -> None:
        if decided is not None and self.silent:
            self.decided = decided
            self.enough.set_result(None)

    def close(self) -> None:
        """Leave whoever is silent to the rest; it hears the next moment who came right behind."""
        self.silent = {}
        for call in self._behind.values():
            self._loop.call_soon(self.rest.hear, call)


def unasked(tender: Tender) -> list[Contender]:
    """Return those who bid their static price, or cannot be asked."""
    return [one for one in tender.contenders if not one.pinged]
