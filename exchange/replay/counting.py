"""Market state of a replay: what hold.lua and its neighbours do, for one lead after the other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from exchange.domain.caps import Hold, HoldLine, HoldRefused, Used
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.turns import Turn, by_lot

BY_AMOUNT = frozenset({"spend", "balance", "pings"})
"""What is settled at another amount than was held."""


class Room(NamedTuple):
    """What one sale holds."""

    lead_id: LeadId
    buyer_id: str
    lines: tuple[HoldLine, ...]


class Counting:
    """Holds, and settles them; claims, purchases and turns are as they were recorded.

    `original`, `bought` and `tried` are set for each lead before it is played.
    """

    epoch = "replay"

    def __init__(self, settled: Mapping[tuple[str, str], int]) -> None:
        """Begin with what had been settled before, by buyer and counter."""
        self._counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (buyer_id, counter), amount in settled.items():
            self._counts[buyer_id][counter] = amount
        self._held: dict[SaleId, Room] = {}
        self._before: dict[str, dict[str, int]] = {}
        self._held_before: dict[SaleId, Room | None] = {}
        self._lapsing: list[tuple[int, SaleId]] = []
        """A heap: when room lapses that is held for no longer."""
        self.original: LeadId | None = None
        self.bought: frozenset[str] = frozenset()
        self.tried: Mapping[int, tuple[str, ...]] = {}

    # Who came first

    async def claim(self, claim: Claim) -> LeadId | None:
        """Say what was found when the lead came."""
        return self.original if claim.keys else None

    async def look_up(self, claim: Claim) -> LeadId | None:
        """Say the same of a ping."""
        return self.original if claim.keys else None

    async def keep_claim(self, claim: Claim) -> None:
        """Keep nothing: who came first is as it was recorded."""

    async def unclaim(self, claim: Claim) -> None:
        """Give nothing back, likewise."""

    async def bought_by(self, _keys: tuple[str, ...]) -> frozenset[str]:
        """Return who had bought this person."""
        return self.bought

    async def remember_purchase(self, keys: tuple[str, ...], buyer_id: str, until_us: int) -> None:
        """Remember nothing, likewise."""

    # Whose turn it is

    async def turn(self, turn: Turn) -> tuple[str, ...]:
        """Give the turn to whoever had it then; of those who were not there by lot."""
        order = dict.fromkeys((turn.chosen, *self.tried.get(turn.stage, ()), *by_lot(turn)))
        there = {one.offer_id for one in turn.candidates}
        return tuple(name for name in order if name in there)

    # Caps, budgets, balances

    def doubt(self, _holder: str) -> None:
        """Lose nothing: there is nobody else."""

    def used(self, buyer_id: str) -> Used:
        """Return the buyer's counters, exact."""
        return self._counts[buyer_id]

    def settled(self, _buyer_id: str) -> Used:
        """Return nothing: asking for a hold costs nothing here."""
        return {}

    async def quoted(self, _seller_id: str, _digest: bytes) -> bytes | None:
        """Return nothing: every ping that was recorded was asked for."""

    async def keep_quote(self, seller_id: str, digest: bytes, kept: bytes, for_ms: int) -> None:
        """Keep nothing: a ping that came again is not recorded twice."""

    async def hold(self, hold: Hold) -> HoldRefused | None:
        """Reserve all lines, or none and say which had no room; what a quote holds is held."""
        if hold.sale_id in self._held:
            return None
        counts = self._counts[hold.buyer_id]
        taken: dict[str, int] = {}
        for line in hold.lines:
            taken[line.counter] = taken.get(line.counter, 0) + line.amount
            if counts.get(line.counter, 0) + taken[line.counter] > line.limit:
                return HoldRefused(line.counter, line.reason)
        self.take(hold)
        return None

    def take(self, hold: Hold) -> None:
        """Hold it, whether there is room or not: so it was then."""
        self._add(hold.buyer_id, ((line.counter, line.amount) for line in hold.lines))
        self._held_before.setdefault(hold.sale_id, None)
        self._held[hold.sale_id] = Room(hold.lead_id, hold.buyer_id, hold.lines)
        if hold.until_us is not None:
            heappush(self._lapsing, (hold.until_us, hold.sale_id))

    def lapse(self, now_us: int) -> None:
        """Give back what was held for no longer than until now."""
        while self._lapsing and self._lapsing[0][0] <= now_us:
            self._give_back(heappop(self._lapsing)[1])

    def give_back(self, lead_id: LeadId) -> None:
        """Give back all that a lead holds."""
        for sale_id, room in list(self._held.items()):
            if room.lead_id == lead_id:
                self._give_back(sale_id)

    async def settle(self, buyer_id: str, sale_id: SaleId, amount: Micros | None = None) -> bool:
        """Make the hold count, at the price that was paid in the end."""
        self.count(buyer_id, sale_id, amount)
        return True

    def count(self, buyer_id: str, sale_id: SaleId, amount: Micros | None = None) -> None:
        """Do so at once."""
        changes = []
        for line in self._lines(sale_id):
            if not line.settles:
                changes.append((line.counter, -line.amount))
            elif amount is not None and line.counter.split("|")[1] in BY_AMOUNT:
                changes.append((line.counter, amount - line.amount))
        self._add(buyer_id, changes)

    async def settle_again(self, buyer_id: str, sale_id: SaleId, price: Micros | None) -> bool:
        """Settle; nothing is ever being rebuilt here."""
        self.count(buyer_id, sale_id, price)
        return True

    async def release(self, buyer_id: str, sale_id: SaleId, asker: str = "") -> bool:
        """Give the hold back; nobody else relies on it here."""
        del buyer_id, asker
        return self._give_back(sale_id)

    def _give_back(self, sale_id: SaleId) -> bool:
        room = self._let_go(sale_id)
        if room is None:
            return False
        self._add(room.buyer_id, ((line.counter, -line.amount) for line in room.lines))
        return True

    def _lines(self, sale_id: SaleId) -> tuple[HoldLine, ...]:
        room = self._let_go(sale_id)
        return () if room is None else room.lines

    def _let_go(self, sale_id: SaleId) -> Room | None:
        room = self._held.pop(sale_id, None)
        if room is not None:
            self._held_before.setdefault(sale_id, room)
        return room

    def _add(self, buyer_id: str, changes: Iterable[tuple[str, int]]) -> None:
        counts = self._counts[buyer_id]
        self._before.setdefault(buyer_id, dict(counts))
        for counter, amount in changes:
            counts[counter] = counts.get(counter, 0) + amount

    # What did not happen so

    def begin(self) -> None:
        """Remember how all stands now."""
        self._before.clear()
        self._held_before.clear()

    def undo(self) -> None:
        """Let all stand as it did when this was begun last."""
        self._counts.update(self._before)
        self._before.clear()
        for sale_id, room in self._held_before.items():
            if room is None:
                self._held.pop(sale_id, None)
            else:
                self._held[sale_id] = room
        self._held_before.clear()
