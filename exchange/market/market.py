"""Market state as the exchange speaks of it: claims, holds, purchases; each one call to Valkey.

Every method but `used` is one round trip, shared with all calls of that turn of the event loop, and
raises MarketUnavailable where the server does not answer in time. Those that return a future have
asked when they return it: two of them, awaited afterwards, are one round trip.

Whoever holds is a buyer, by its id, or a seller, as `seller:fastquotes`, under the same rules.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from exchange.domain.caps import Hold, HoldLine, HoldRefused, Used
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.turns import Turn
from exchange.market import function, keys
from exchange.market.errors import MarketStale
from exchange.market.link import Caller
from exchange.market.once import Once
from exchange.market.rooms import Rooms
from exchange.market.turns import Turns
from exchange.market.windows import is_past

Taken = TypeVar("Taken")

LAPSED_MAX = 100
"""How many lapsed holds of one buyer are listed at a time, the oldest first."""

UNTRUSTED = "untrusted"
"""An epoch that nothing is of: what is asked for of a server that nobody has looked at yet."""

PRUNED_MAX = 500
"""How many counters one call forgets."""

REBUILT_WITHIN_S = 0.25
"""For how long a call waits for a part of market state that is just being put right."""
AGAIN_S = 0.05
AGAIN_MAX_S = 30.0
"""How often, and for how long, a hold is settled again whose buyer was closed."""

RELEASED_UNHELD = -1
ABOVE_HELD = -2


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


class Lapsed(msgspec.Struct, frozen=True):
    """A hold whose lease ran out: the ledger says what became of its lead."""

    buyer_id: str
    sale_id: SaleId
    lead_id: LeadId


class Standing(msgspec.Struct, frozen=True):
    """All that market state holds of one buyer."""

    settled: Mapping[str, int]
    held: Mapping[str, int]
    holds: Mapping[SaleId, LeadId]
    records: Mapping[SaleId, Sequence[str]] = {}
    """Of each hold lead id, worker, lease's end, then counter, amount and kind of each line."""


class Market:
    """Market state, from `async with` on; the link is its builder's to close.

    `worker` is written into what this process holds; `clock` gives microseconds since the epoch.
    """

    def __init__(
        self, link: Caller, *, worker: str, clock: Callable[[], int], terms: Terms | None = None
    ) -> None:
        terms = terms or Terms()
        self._link = link
        self._worker = worker
        self._clock = clock
        self._lease_us = terms.lease_s * 1_000_000
        self._ended_ms = terms.ended_s * 1000
        self._rooms = Rooms(link, interval_s=terms.rooms_interval_s)
        self._reading: asyncio.Task[None] | None = None
        self._enrolled: set[str] = set()
        self._enrolled_generation = 0
        self.epoch = ""
        """What all that is held and claimed must be of; '': nobody watches over that here."""
        self.whole_in = ""
        """In which server that was found: another one may say it of an older copy."""
        self.on_refused: Callable[[Hold, HoldLine], None] | None = None
        """Is told of every hold that had no room, and of which line."""
        self.doubted: set[str] = set()
        """Sellers of whom something was not held that should have been: the books count anew."""
        self.stale = asyncio.Event()
        """Set where something was not of it: it was lost, or is new."""
        self.once = Once(link, worker=worker, kept_s=terms.once_s, insist=self._insist)
        self._turns = Turns(link)

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

    # Who came first

    async def claim(self, claim: Claim) -> LeadId | None:
        """Claim a person for this lead; return the lead that came first, None: it is ours.

        Ours for its window from now on, unless it is given back; `keep_claim` begins that anew.
        """

        def ask(epoch: str) -> asyncio.Future[LeadId | None]:
            wanted, of = with_epoch(claim, epoch)
            return self._link.call(
                function.CLAIM, wanted, (claim.lead_id, claim.window_s * 1000, *of), lead_or_none
            )

        return await self._insist(ask)

    async def look_up(self, claim: Claim) -> LeadId | None:
        """Return the lead that came first, if any, and claim nothing."""

        def ask(epoch: str) -> asyncio.Future[LeadId | None]:
            wanted, of = with_epoch(claim, epoch)
            return self._link.call(function.LOOK_UP, wanted, (claim.lead_id, *of), lead_or_none)

        return await self._insist(ask)

    def keep_claim(self, claim: Claim) -> asyncio.Future[None]:
        """Let a claim hold for its whole window from now on, where no other lead has it."""
        arguments = (claim.lead_id, claim.window_s * 1000)
        return self._link.call(function.KEEP_CLAIM, keys.claims(claim), arguments, ignore)

    def unclaim(self, claim: Claim) -> asyncio.Future[None]:
        """Give back what this lead claimed, and nothing of another's."""
        return self._link.call(function.UNCLAIM, keys.claims(claim), (claim.lead_id,), ignore)

    def turn(self, turn: Turn) -> Awaitable[tuple[str, ...]]:
        """Give a turn of a stage; return its candidates in the order in which it is theirs."""
        return self._turns.take(turn)

    # What was quoted for the same ping

    async def quoted(self, seller_id: str, digest: bytes) -> bytes | None:
        """Return what was kept of a seller's quote for this ping, while that holds."""
        reply: bytes | None = await self._link.call(
            function.QUOTED, (keys.quote(seller_id, digest),)
        )
        return reply

    async def keep_quote(self, seller_id: str, digest: bytes, kept: bytes, for_ms: int) -> None:
        """Keep a quote for so long, for whoever sends the same ping again."""
        await self._link.call(
            function.KEEP_QUOTE, (keys.quote(seller_id, digest),), (kept, max(1, for_ms))
        )

    # Caps, budgets and balances

    async def hold(self, hold: Hold) -> HoldRefused | None:
        """Hold every line of one sale, or none and tell which has no room.

        The same sale id again gets the first answer. One that was released before it was ever held
        is refused as VOID.
        """
        if self._enrolled_generation != self._link.generation or (
            hold.buyer_id not in self._enrolled
        ):
            await self._enrol(hold.buyer_id)
        buyer_id, sale_id, lines = hold.buyer_id, hold.sale_id, hold.lines
        until_us = hold.until_us or self._clock() + self._lease_us
        told: list[str | int] = []
        for line in lines:
            assert line.amount >= 0, "a sale takes nothing below zero"
            told += (line.counter, line.amount, line.limit, kind_of(line))

        def ask(epoch: str) -> asyncio.Future[int]:
            return self._link.call(
                function.HOLD,
                keys.of_sale(buyer_id, sale_id),
                (sale_id, hold.lead_id, self._worker, until_us, epoch, *told),
                partial(self._take_held, hold),
            )

        code = await self._insist(ask)
        if code == 0:
            return None
        if code == RELEASED_UNHELD:
            return HoldRefused("", Reason.VOID)
        refused = lines[code - 1]
        if self.on_refused is not None:
            self.on_refused(hold, refused)
        return HoldRefused(refused.told, refused.reason)

    def settle(
        self, buyer_id: str, sale_id: SaleId, price: Micros | None = None
    ) -> asyncio.Future[bool]:
        """Make a hold count, at the price held or a lower one; True: it counts, now or already.

        False: it was released before, or is not known (any more).
        """
        return self._link.call(
            function.SETTLE,
            keys.of_sale(buyer_id, sale_id),
            (sale_id, "" if price is None else price, self._ended_ms),
            partial(self._take_settled, buyer_id),
        )

    async def settle_again(self, buyer_id: str, sale_id: SaleId, price: Micros | None) -> None:
        """Settle where the buyer was closed for a moment, as soon as it is open again.

        Errors: MarketUnavailable; what fails for good is the sweeper's, as after every outage.
        """
        self.stale.set()
        until = asyncio.get_running_loop().time() + AGAIN_MAX_S
        while True:
            await asyncio.sleep(AGAIN_S)
            try:
                await self.settle(buyer_id, sale_id, price)
            except MarketStale:
                if asyncio.get_running_loop().time() >= until:
                    raise
            else:
                return

    async def release(self, buyer_id: str, sale_id: SaleId) -> bool:
        """Give a hold back; True: it is given back, now or already.

        False: it was settled before, or is not known; then it can no longer be held either.
        """

        def ask(_epoch: str) -> asyncio.Future[int]:
            return self._link.call(
                function.RELEASE,
                keys.of_sale(buyer_id, sale_id),
                (sale_id, self._ended_ms),
                partial(self._take_ended, buyer_id),
            )

        return await self._insist(ask) > 0

    async def extend(self, buyer_id: str, sale_id: SaleId) -> bool:
        """Give a hold another lease: its sale may still count. False: it is not held."""
        until_us = self._clock() + self._lease_us
        return bool(
            await self._link.call(
                function.EXTEND, (keys.holds(buyer_id), keys.leases(buyer_id)), (sale_id, until_us)
            )
        )

    async def give_back(self, hold: Hold) -> bool:
        """Take a returned sale off what was settled; `lines` say what and in which windows.

        True: it does not count (any more). False: it never did. That a return happens once is the
        ledger's to know; here it is remembered only as long as the end of a hold.
        """
        arguments: list[str | int] = [hold.sale_id, self._ended_ms]
        for line in hold.lines:
            if line.settles:
                arguments += (line.counter, line.amount)
        buyer_id = hold.buyer_id
        touched = (
            keys.counters(buyer_id),
            keys.holds(buyer_id),
            keys.ended(buyer_id, hold.sale_id),
            keys.epoch(keys.tag(buyer_id)),
        )

        def ask(_epoch: str) -> asyncio.Future[int]:
            take = partial(self._take_ended, buyer_id)
            return self._link.call(function.GIVE_BACK, touched, arguments, take)

        return await self._insist(ask) > 0

    async def lapsed(self, now_us: int) -> tuple[Lapsed, ...]:
        """List holds whose lease ran out, some of each buyer; the ledger decides."""
        buyer_ids = await self._buyers()
        replies = await asyncio.gather(
            *[
                self._link.call(
                    function.LAPSED,
                    (keys.holds(buyer_id), keys.leases(buyer_id)),
                    (now_us, LAPSED_MAX),
                    leads_by_sale,
                )
                for buyer_id in buyer_ids
            ]
        )
        return tuple(
            Lapsed(buyer_id, sale_id, lead_id)
            for buyer_id, leads in zip(buyer_ids, replies, strict=True)
            for sale_id, lead_id in leads.items()
        )

    # What is used of it

    def watch(self, buyer_ids: Iterable[str]) -> None:
        """Read ahead for these buyers: all of the present snapshot that have any limit."""
        self._rooms.watch(buyer_ids)

    def used(self, buyer_id: str) -> Used:
        """Return settled plus held by counter, as last heard: for domain.caps.full."""
        return self._rooms.used(buyer_id)

    def doubt(self, holder: str) -> None:
        """Let a seller's counters be counted anew: what it brought may be missing in them."""
        self.doubted.add(holder)

    async def read_rooms(self) -> None:
        """Read the counters of all watched buyers now, as before the first sale."""
        await self._rooms.read()

    async def standing(self, buyer_id: str) -> Standing:
        """Return all that market state holds of a buyer."""
        (settled, held), holds = await asyncio.gather(
            self._link.call(function.COUNTERS, (keys.counters(buyer_id),), take=settled_and_held),
            self._link.call(function.HOLDS, (keys.holds(buyer_id),), take=leads_by_sale),
        )
        return Standing(settled, held, holds)

    async def prune(self, now_us: int) -> int:
        """Forget counters whose window is long past and where nothing is held; return how many."""
        forgotten = 0
        for buyer_id in await self._buyers():
            fields: list[bytes] = await self._link.call(
                function.COUNTERS, (keys.counters(buyer_id),)
            )
            names = {field[:-2].decode() for field in fields[::2]}
            past = sorted(name for name in names if is_past(name, now_us))
            for start in range(0, len(past), PRUNED_MAX):
                forgotten += await self._link.call(
                    function.PRUNE, (keys.counters(buyer_id),), past[start : start + PRUNED_MAX]
                )
        return forgotten

    # Who bought whom

    async def remember_purchase(
        self, person_keys: Sequence[str], buyer_id: str, until_us: int
    ) -> None:
        """Remember until then that this buyer bought the person of these keys."""
        arguments = (buyer_id, until_us, self._clock())
        await asyncio.gather(
            *[
                self._link.call(function.REMEMBER, (keys.person(key),), arguments)
                for key in person_keys
            ]
        )

    async def bought_by(self, person_keys: Sequence[str]) -> frozenset[str]:
        """Return which buyers bought the person that any of these keys names."""
        now_us = self._clock()

        async def ask(epoch: str) -> list[list[bytes]]:
            # A person's part has no epoch of its own: nobody could say it of all who never bought.
            of: asyncio.Future[bytes | None] | None = None
            if epoch:
                of = self._link.call(function.EPOCH, (keys.EPOCH,))
            replies: list[list[bytes]] = await asyncio.gather(
                *[
                    self._link.call(function.BOUGHT_BY, (keys.person(key),), (now_us,))
                    for key in person_keys
                ]
            )
            if of is not None and await of != epoch.encode():
                raise MarketStale(address="its server", problem="its data are being rebuilt")
            return replies

        replies = await self._insist(ask)
        return frozenset(buyer_id.decode() for reply in replies for buyer_id in reply)

    async def _enrol(self, buyer_id: str) -> None:
        # With every connection anew: the server behind it may have lost its data.
        if self._enrolled_generation != self._link.generation:
            self._enrolled.clear()
            self._enrolled_generation = self._link.generation
        await self._link.call(function.ENROL, (keys.BUYERS,), (buyer_id,))
        self._enrolled.add(buyer_id)

    async def _buyers(self) -> list[str]:
        names: list[bytes] = await self._link.call(function.ENROLLED, (keys.BUYERS,))
        return sorted(name.decode() for name in names)

    def _take_held(self, hold: Hold, reply: Sequence[int]) -> int:
        if len(reply) > 1:
            used = {line.counter: count for line, count in zip(hold.lines, reply[1:], strict=True)}
            self._rooms.note(hold.buyer_id, used)
        return reply[0]

    def _take_settled(self, buyer_id: str, reply: Sequence[Any]) -> bool:
        code = self._take_ended(buyer_id, reply)
        assert code != ABOVE_HELD, "a sale settles at no more than was held"
        return code > 0

    def _take_ended(self, buyer_id: str, reply: Sequence[Any]) -> int:
        if len(reply) > 1:
            used = zip(reply[1::2], reply[2::2], strict=True)
            self._rooms.note(buyer_id, {name.decode(): count for name, count in used})
        return int(reply[0])


def with_epoch(claim: Claim, epoch: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys of a claim, and what else to say, where an epoch is watched over."""
    wanted = keys.claims(claim)
    return ((*wanted, keys.epoch(claim.scope)), (epoch,)) if epoch else (wanted, ())


def ignore(reply: object) -> None:
    """Take nothing from a reply."""


def kind_of(line: HoldLine) -> str:
    """Return what a line counts, as hold.lua knows it: only money may settle at less."""
    if not line.settles:
        return "c"
    return "m" if line.reason is Reason.BUDGET_AT_AWARD else "n"


def lead_or_none(reply: bytes | None) -> LeadId | None:
    """Return the lead id that a claim answered."""
    return None if reply is None else LeadId(reply.decode())


def settled_and_held(reply: Sequence[bytes]) -> tuple[dict[str, int], dict[str, int]]:
    """Return what is settled and what is held of each counter, from fields and counts in turn."""
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for field, count in zip(reply[::2], reply[1::2], strict=True):
        counts[field.endswith(b"|h")][field[:-2].decode()] = int(count)
    return counts


def leads_by_sale(reply: Sequence[bytes]) -> dict[SaleId, LeadId]:
    """Return the lead of each hold, from sale ids and records in turn."""
    return {
        SaleId(sale_id.decode()): LeadId(record.partition(b"\n")[0].decode())
        for sale_id, record in zip(reply[::2], reply[1::2], strict=True)
    }
