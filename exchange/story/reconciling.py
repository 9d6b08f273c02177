"""Market state beside the books, number by number, while the exchange sells; and put right.

Both cannot be read as of one moment, and a sale is on the books before it counts in market state.
So the books are read before and after it: what market state says must lie between, less what it
still holds of sales that have ended. What differs at one look is looked at again, and told only
where it still differs.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from exchange.domain.caps import Hold
from exchange.domain.ids import SaleId
from exchange.domain.recounting import holds_of
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import SaleState
from exchange.ledger.recount import COUNTED, Recount, Recounting
from exchange.market.market import Market
from exchange.market.restoring import Asked, Kept, Restoring
from exchange.market.standing import Standing
from exchange.story.rebuilding import Rebuilding
from exchange.story.recounting import (
    OPEN,
    Books,
    Present,
    Purchase,
    Terms,
    read_books,
    read_claims,
    read_purchases,
    read_requests,
)

LOOKS_AGAIN_AFTER_S = 0.5
LOOKS = 3
LINES_FROM, LINE_PARTS = 3, 3
"""Where the lines of a hold's record begin, and of how many parts each is."""


class Part(StrEnum):
    """What of market state is looked at."""

    EPOCH = "epoch"
    SETTLED = "settled"
    HELD = "held"
    HOLD = "hold"
    CLAIM = "claim"
    REQUEST = "request"
    PURCHASE = "purchase"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One number: what market state says, and what the books say."""

    part: Part
    whose: str
    """A buyer, the scope of claims, an account."""
    name: str
    """A counter, a sale, a lead; empty for a number of many."""
    market: int | str
    ledger: int | str
    differs: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All numbers, and of them those that differ."""

    lines: Sequence[Line]

    @property
    def differences(self) -> list[Line]:
        """What is not as the books say."""
        return [line for line in self.lines if line.differs]


class Marks(msgspec.Struct, frozen=True):
    """What was looked at beside the buyers: who came first, who asked, who bought whom."""

    claims: Sequence[Kept]
    requests: Sequence[Asked]
    purchases: Sequence[Purchase]


class Reconciling:
    """Looks, and where it is asked to, repairs."""

    def __init__(
        self,
        market: Market,
        state: Restoring,
        books: Recounting,
        present: Present,
        terms: Terms,
    ) -> None:
        """Take market state, the books and the market as it is."""
        self._market = market
        self._state = state
        self._books = books
        self._present = present
        self._terms = terms

    async def look(self) -> Report:
        """Return both sides of every number; what a moment explains is no difference."""
        report = await self._look_once()
        for _ in range(LOOKS - 1):
            if not report.differences:
                break
            await asyncio.sleep(LOOKS_AGAIN_AFTER_S)
            before = {(line.part, line.whose, line.name) for line in report.differences}
            again = await self._look_once()
            report = Report(
                lines=[
                    line
                    if (line.part, line.whose, line.name) in before
                    else msgspec.structs.replace(line, differs=False)
                    for line in again.lines
                ]
            )
        return report

    async def repair(self, rebuilding: Rebuilding, found: Report) -> None:
        """Put right what differs, from the books, while others sell."""
        if await rebuilding.ensure():
            return  # all of it was built anew
        whose = {line.whose for line in found.differences if line.part in OF_BUYERS}
        now_us = self._terms.now_us()
        async with self._books() as recount:
            if not await rebuilding.parts.restore_buyers(recount, self._present(), sorted(whose)):
                await rebuilding.ensure()  # lost meanwhile: somebody builds all of it anew
            marks = await self._marks(recount, now_us)
        await self._state.keep(marks.claims)
        await self._state.recall(marks.requests)
        for one in marks.purchases:
            await self._market.remember_purchase(one.person_keys, one.buyer_id, one.until_us)

    async def _look_once(self) -> Report:
        snapshot, now_us = self._present(), self._terms.now_us()
        buyer_ids = [*snapshot.buyers, *limited(snapshot)]
        async with self._books() as recount:
            epoch = await self._epoch(recount)
            before = await read_books(recount, snapshot, dict.fromkeys(buyer_ids, NOTHING), now_us)
            standings = await self._state.standing(buyer_ids)
            after = await read_books(recount, snapshot, standings, now_us)
            marks = await self._marks(recount, now_us)
        lines = [epoch]
        for buyer_id in buyer_ids:
            side = Side(buyer_id, before, after, standings[buyer_id], snapshot)
            lines += [*settled_lines(side), *held_lines(side), *hold_lines(side)]
        lines += await self._mark_lines(marks)
        return Report(lines=lines)

    async def _epoch(self, recount: Recount) -> Line:
        number, server = await recount.epoch()
        says = await self._state.epoch()
        return Line(
            part=Part.EPOCH,
            whose="",
            name="",
            market=f"{says or 'none'} in {self._state.server}",
            ledger=f"{number} in {server or 'no server yet'}",
            # Another server that says the same is looked into by the first worker that starts.
            differs=says != str(number),
        )

    async def _marks(self, recount: Recount, now_us: int) -> Marks:
        snapshot = self._present()
        return Marks(
            await read_claims(recount, snapshot, now_us),
            await read_requests(recount, self._terms, now_us),
            await read_purchases(recount, snapshot, self._terms, now_us),
        )

    async def _mark_lines(self, marks: Marks) -> list[Line]:
        """Return how many claims, requests and purchases there are, of those there should be.

        A claim that another lead has stands, too: that one came first.
        """
        claims, requests = Tally[str](), Tally[str]()
        stand, known = Tally[str](), Tally[str]()
        for kept, holders in zip(
            marks.claims,
            await self._state.holders([kept.claim for kept in marks.claims]),
            strict=True,
        ):
            claims[kept.claim.scope] += 1
            stand[kept.claim.scope] += all(holder is not None for holder in holders)
        for asked, owner in zip(
            marks.requests, await self._state.owners(marks.requests), strict=True
        ):
            requests[asked.key.account] += 1
            known[asked.key.account] += owner is not None
        bought, remembered = Tally[str](), Tally[str]()
        for one in marks.purchases:
            bought[one.buyer_id] += 1
            known_buyers = await self._market.bought_by(one.person_keys)
            remembered[one.buyer_id] += one.buyer_id in known_buyers
        return [
            *tallied(Part.CLAIM, claims, stand),
            *tallied(Part.REQUEST, requests, known),
            *tallied(Part.PURCHASE, bought, remembered),
        ]


class Side(msgspec.Struct, frozen=True):
    """One buyer: market state between two looks into the books."""

    buyer_id: str
    before: Books
    after: Books
    standing: Standing
    snapshot: Snapshot


NOTHING = Standing({}, {}, {})
OF_BUYERS = frozenset({Part.SETTLED, Part.HELD, Part.HOLD})
COUNTS = frozenset({SaleState.ACCEPTED, COUNTED})
"""What of a hold the books count already."""
HELD_FOR_NOW = "held, not awarded"


def settled_lines(side: Side) -> Iterator[Line]:
    """Yield what is settled of each counter, on both sides."""
    pending = Tally[str]()
    for sale_id, record in side.standing.records.items():
        if side.after.states.get(sale_id) in COUNTS:
            for counter, amount, kind in lines_of(record):
                pending[counter] += 0 if kind == "c" else amount
    for one in side.after.counters.get(side.buyer_id, ()):
        key = side.buyer_id, one.name
        says = side.standing.settled.get(one.name, 0)
        highest = side.after.settled[key] - pending[one.name]
        lowest = min(side.before.settled.get(key, highest), side.after.settled[key])
        lowest -= pending[one.name]
        if key in side.after.limited and (says or highest):
            yield Line(
                part=Part.SETTLED,
                whose=side.buyer_id,
                name=one.name,
                market=says,
                ledger=highest,
                differs=not lowest <= says <= highest,
            )


def held_lines(side: Side) -> Iterator[Line]:
    """Yield what is held of each counter, beside what its holds come to."""
    held = Tally[str]()
    for record in side.standing.records.values():
        for counter, amount, _ in lines_of(record):
            held[counter] += amount
    for name in sorted({*held, *side.standing.held}):
        says = side.standing.held.get(name, 0)
        if says or held[name]:
            yield Line(
                part=Part.HELD,
                whose=side.buyer_id,
                name=name,
                market=says,
                ledger=held[name],
                differs=says != held[name],
            )


def hold_lines(side: Side) -> Iterator[Line]:
    """Yield each hold of a sale that has ended, and each open sale that is not held."""
    for sale_id in side.standing.holds:
        state = side.after.states.get(sale_id)
        yield Line(
            part=Part.HOLD,
            whose=side.buyer_id,
            name=sale_id,
            market="held",
            ledger=HELD_FOR_NOW if state is None else state,
            differs=state not in {None, OPEN, COUNTED},
        )
    open_before = {sale.sale_id for sale in side.before.open_sales}
    for sale_id, hold in wanted_holds(side).items():
        if sale_id not in side.standing.holds:
            yield Line(
                part=Part.HOLD,
                whose=hold.buyer_id,
                name=sale_id,
                market="not held",
                ledger=OPEN,
                differs=sale_id in open_before,
            )


def wanted_holds(side: Side) -> Mapping[SaleId, Hold]:
    """Return the holds that open sales should have of this holder."""
    return {
        hold.sale_id: hold
        for sale in side.after.open_sales
        for hold in holds_of(sale, side.snapshot)
        if hold.buyer_id == side.buyer_id
    }


def lines_of(record: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Yield counter, amount and kind of each line of a hold's record."""
    for at in range(LINES_FROM, len(record), LINE_PARTS):
        yield record[at], int(record[at + 1]), record[at + 2]


def tallied(part: Part, wanted: Mapping[str, int], there: Mapping[str, int]) -> Iterator[Line]:
    """Yield how many there are of how many there should be."""
    for whose, count in sorted(wanted.items()):
        yield Line(
            part=part,
            whose=whose,
            name="",
            market=there.get(whose, 0),
            ledger=count,
            differs=there.get(whose, 0) != count,
        )
