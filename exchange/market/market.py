"""Market state as the exchange speaks of it: claims, holds, purchases; each one call to Valkey.

Every method but `used` and `settled` is one round trip, shared with all calls of that turn of the
event loop, and raises MarketUnavailable where the server does not answer in time. Those that return
a future have asked when they return it: two of them, awaited afterwards, are one round trip.

Whoever holds is a buyer, by its id, or a seller, as `seller:fastquotes`, under the same rules.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec

from exchange.domain.ids import SaleId
from exchange.domain.money import Micros
from exchange.market import function, keys
from exchange.market.caller import Caller, Taken
from exchange.market.claims import Claims
from exchange.market.enrolment import Enrolment
from exchange.market.errors import MarketStale
from exchange.market.holds import Holder, Holds
from exchange.market.once import Once
from exchange.market.purchases import Purchases
from exchange.market.quotes import Quotes
from exchange.market.rooms import Rooms
from exchange.market.standing import Standing, leads_by_sale, settled_and_held
from exchange.market.turns import Turns

REBUILT_WITHIN_S = 0.25
"""For how long a call waits for a part of market state that is just being put right."""
AGAIN_S = 0.05
AGAIN_MAX_S = 30.0
"""How often, and for how long, a hold is settled again whose buyer was closed."""

UNTRUSTED = "untrusted"
"""An epoch that nothing is of: what is asked for of a server that nobody has looked at yet."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long market state keeps what."""

    lease_s: int = 30
    """A hold whose award is not written by then is looked into by the sweeper."""
    ended_s: int = 120
    """How long the end of a hold is remembered, for calls that come twice or too late."""
    rooms_interval_s: float = 0.2
    """How often counters are read ahead."""
    once_s: int = 24 * 60 * 60
    """How long an Idempotency-Key is remembered."""


class Market:
    """Market state, from `async with` on; the link is its builder's to close.

    `worker` is written into what this process holds; `clock` gives microseconds since the epoch.
    """

    def __init__(
        self, link: Caller, *, worker: str, clock: Callable[[], int], terms: Terms | None = None
    ) -> None:
        terms = terms or Terms()
        self._link = link
        self._rooms = rooms = Rooms(link, interval_s=terms.rooms_interval_s)
        self._reading: asyncio.Task[None] | None = None
        self.epoch = ""
        """What all that is held and claimed must be of; '': nobody watches over that here."""
        self.whole_in = ""
        """In which server that was found: another one may say it of an older copy."""
        self.doubted: set[str] = set()
        """Of whom something may not count that should: the books count them anew."""
        self.stale = asyncio.Event()
        """Set where something was not of it: it was lost, or is new."""
        self.once = Once(link, worker=worker, kept_s=terms.once_s, insist=self._insist)
        enrolment = Enrolment(link)
        holder = Holder(worker=worker, clock=clock, lease_s=terms.lease_s, ended_s=terms.ended_s)
        self.holds = Holds(link, rooms, enrolment, self._insist, holder)
        claims = Claims(link, self._insist)
        purchases = Purchases(link, self._insist, clock)
        quotes = Quotes(link)
        # Each is a method of one part, and is called as the market's own.
        self.claim, self.look_up = claims.claim, claims.look_up
        self.keep_claim, self.unclaim = claims.keep_claim, claims.unclaim
        self.turn = Turns(link).take
        self.quoted, self.keep_quote = quotes.quoted, quotes.keep_quote
        self.hold, self.extend = self.holds.hold, self.holds.extend
        self.settle, self.release = self.holds.settle, self.holds.release
        self.give_back, self.lapsed = self.holds.give_back, self.holds.lapsed
        self.bought_by = purchases.bought_by
        self.remember_purchase = purchases.remember_purchase
        self.watch, self.used, self.settled = rooms.watch, rooms.used, rooms.settled
        self.read_rooms = rooms.read
        self.prune = enrolment.prune

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._rooms.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._reading is not None, "the market was entered"
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading

    @property
    def is_up(self) -> bool:
        """Tell whether market state answers, as far as the last call knows."""
        return self._link.is_up

    @property
    def waiting_ms(self) -> float:
        """For how long the oldest call has waited for its reply; 0 where none does."""
        return self._link.waiting_ms

    def _trusted_epoch(self) -> str:
        return self.epoch if not self.epoch or self._link.server == self.whole_in else UNTRUSTED

    async def _insist(self, ask: Callable[[str], Awaitable[Taken]]) -> Taken:
        """Ask with the present epoch; where that is not the state's, wait a little and ask again.

        Errors: MarketStale where it was not rebuilt in time.
        """
        try:
            return await ask(self._trusted_epoch())
        except MarketStale:
            self.stale.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + REBUILT_WITHIN_S
        while True:
            await asyncio.sleep(AGAIN_S / 5)
            try:
                return await ask(self._trusted_epoch())
            except MarketStale:
                self.stale.set()
                if loop.time() >= until:
                    raise

    async def settle_again(self, buyer_id: str, sale_id: SaleId, price: Micros | None) -> bool:
        """Settle where the buyer was closed for a moment, as soon as it is open again.

        Errors: MarketUnavailable; what fails for good is the sweeper's, as after every outage.
        """
        self.stale.set()
        until = asyncio.get_running_loop().time() + AGAIN_MAX_S
        while True:
            await asyncio.sleep(AGAIN_S)
            try:
                return await self.settle(buyer_id, sale_id, price)
            except MarketStale:
                if asyncio.get_running_loop().time() >= until:
                    raise

    def doubt(self, holder: str) -> None:
        """Let somebody's counters be counted anew: something may be missing in them."""
        self.doubted.add(holder)

    async def standing(self, buyer_id: str) -> Standing:
        """Return all that market state holds of a buyer."""
        (settled, held), holds = await asyncio.gather(
            self._link.call(function.COUNTERS, (keys.counters(buyer_id),), take=settled_and_held),
            self._link.call(function.HOLDS, (keys.holds(buyer_id),), take=leads_by_sale),
        )
        return Standing(settled, held, holds)
