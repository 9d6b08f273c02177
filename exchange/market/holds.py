"""Caps, budgets and balances: what is reserved for a sale, until it counts or is given back."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from exchange.domain.caps import Hold, HoldLine, HoldRefused
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.market import function, keys
from exchange.market.caller import Caller
from exchange.market.enrolment import Enrolment
from exchange.market.insisting import Insist
from exchange.market.rooms import Rooms
from exchange.market.standing import leads_by_sale

LAPSED_MAX = 100
"""How many lapsed holds of one buyer are listed at a time, the oldest first."""

RELEASED_UNHELD = -1
ABOVE_HELD = -2


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker's holds say of it, and how long they stand."""

    worker: str
    clock: Callable[[], int]
    """The wall's time, in microseconds."""
    lease_s: int
    ended_s: int


class Lapsed(msgspec.Struct, frozen=True):
    """A hold whose lease ran out: the ledger says what became of its lead."""

    buyer_id: str
    sale_id: SaleId
    lead_id: LeadId


class Holds:
    """Holds, settled or released exactly once. Errors: MarketUnavailable.

    Whoever holds is a buyer, by its id, or a seller, as `seller:fastquotes`, under the same rules.
    """

    def __init__(
        self,
        link: Caller,
        rooms: Rooms,
        enrolment: Enrolment,
        insist: Insist,
        holder: Holder,
    ) -> None:
        """Take the link, who is told of what is used, who enrols, how to ask, and who holds."""
        self._link = link
        self._rooms = rooms
        self._enrolment = enrolment
        self._insist = insist
        self._worker = holder.worker
        self._clock = holder.clock
        self._lease_us = holder.lease_s * 1_000_000
        self._ended_ms = holder.ended_s * 1000
        self.on_refused: Callable[[Hold, HoldLine], None] | None = None
        """Is told of every hold that had no room, and of which line."""

    async def hold(self, hold: Hold) -> HoldRefused | None:
        """Hold every line of one sale, or none and tell which has no room.

        The same sale id again gets the first answer. One that was released before it was ever held
        is refused as VOID.
        """
        if not self._enrolment.has(hold.buyer_id):
            await self._enrolment.enrol(hold.buyer_id)
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
                (sale_id, hold.lead_id, self._who(hold.asker), until_us, epoch, *told),
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

    async def release(self, buyer_id: str, sale_id: SaleId, asker: str = "") -> bool:
        """Give a hold back; True: it is given back, now or already.

        False: it was settled before, or is not known; then it can no longer be held either. Where
        an `asker` gives a lead's own place back, it stays held for others who asked for it.
        """
        who = self._who(asker) if asker else ""

        def ask(_epoch: str) -> asyncio.Future[int]:
            return self._link.call(
                function.RELEASE,
                keys.of_sale(buyer_id, sale_id),
                (sale_id, self._ended_ms, who),
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
        buyer_ids = await self._enrolment.all()
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

    def _who(self, asker: str) -> str:
        """Return by what name a hold knows who asked for it."""
        return f"{self._worker}/{asker}" if asker else self._worker

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


def kind_of(line: HoldLine) -> str:
    """Return what a line counts, as hold.lua knows it: only money may settle at less."""
    if not line.settles:
        return "c"
    return "m" if line.reason is Reason.BUDGET_AT_AWARD else "n"
