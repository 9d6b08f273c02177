"""What stands in for the stations here: keys and rejections in memory, and no offers."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence

import msgspec

from exchange.contract.health import Check
from exchange.contract.seller import FieldError
from exchange.contract.trying import Sending, Tried
from exchange.domain.campaign import Campaign
from exchange.domain.expected import Track
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.offer import Offer
from exchange.domain.snapshot import Snapshot
from exchange.intake.request import Request
from exchange.ledger.decisions import Decision, OpenSale, SaleWord
from exchange.ledger.duplicates import SourceRow
from exchange.ledger.learning import FloorRow, FloorsRow, RankingRow
from exchange.ledger.rows import Rejection
from exchange.ledger.stored import Erasure
from exchange.market.once import Done, New, OnceKey, OtherBody, Running
from exchange.notify.outbox import Kept as Message
from exchange.notify.outbox import Wanted

KEPT_MAX = 10_000
WORKER = "rehearsal"


class Kept(msgspec.Struct):
    """One Idempotency-Key."""

    lead_id: LeadId
    body: bytes
    ended: asyncio.Event
    answer: bytes | None = None

    def state(self) -> Running | Done:
        """Return what became of its first request."""
        if not self.ended.is_set():
            return Running(self.lead_id, WORKER)
        return Done(self.lead_id, self.answer or None)


class Keys:
    """Idempotency keys, as the edge asks for them."""

    def __init__(self) -> None:
        self.kept: OrderedDict[OnceKey, Kept] = OrderedDict()

    async def begin(
        self, key: OnceKey, body: bytes, lead_id: LeadId
    ) -> New | Running | Done | OtherBody:
        """Begin the first request of this key, or tell what became of it."""
        kept = self.kept.get(key)
        if kept is None:
            self.kept[key] = Kept(lead_id, body, asyncio.Event())
            while len(self.kept) > KEPT_MAX:
                self.kept.popitem(last=False)
            return New()
        return kept.state() if kept.body == body else OtherBody()

    async def finish(self, key: OnceKey, lead_id: LeadId, answer: bytes = b"") -> bool:
        """Keep an answer."""
        kept = self.kept.get(key)
        if kept is None or kept.lead_id != lead_id:
            return False
        kept.answer = answer
        kept.ended.set()
        return True

    async def forget(self, key: OnceKey, lead_id: LeadId) -> bool:
        """Let the next request of this key begin anew."""
        kept = self.kept.get(key)
        if kept is None or kept.lead_id != lead_id:
            return False
        del self.kept[key]
        kept.ended.set()
        return True

    async def ended(self, key: OnceKey, timeout_s: float) -> Running | Done | None:
        """Wait for the end of the first request; None where it was forgotten."""
        kept = self.kept.get(key)
        if kept is None:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                await kept.ended.wait()
        except TimeoutError:
            pass
        return kept.state() if self.kept.get(key) is kept else None


class Rejections:
    """The log of what was no lead, as the edge keeps it; and that all is well."""

    def __init__(self) -> None:
        self.rows: deque[Rejection] = deque(maxlen=KEPT_MAX)

    async def reject(self, rejection: Rejection) -> None:
        """Keep one."""
        self.rows.appendleft(rejection)

    async def rejections(self, seller_id: str, limit: int) -> Sequence[Rejection]:
        """Return the latest, newest first; there is one seller only."""
        del seller_id
        return list(self.rows)[:limit]

    async def erase(self, _lead_id: LeadId, _at_us: int, _by: str) -> Erasure | None:
        """Erase nobody: what is rehearsed is in no ledger."""
        return None

    def checks(self) -> Sequence[Check]:
        """There is no store that could be away."""
        return ()


class NoSales:
    """Here are no buyers, so that no sale waits for a word of theirs."""

    async def decide(self, sale_id: SaleId, decision: Decision) -> bool:
        """Take no word."""
        del sale_id, decision
        return False

    async def sale(self, sale_id: SaleId) -> SaleWord | None:
        """Know no sale."""
        del sale_id
        return None

    async def open_sales(self, held_before_us: int, limit: int) -> tuple[OpenSale, ...]:
        """List none."""
        del held_before_us, limit
        return ()


class NothingCame:
    """Duplicates by source where no lead is kept."""

    async def by_source(self, _since_us: int) -> Sequence[SourceRow]:
        """Return nothing."""
        return ()


class NothingLearned:
    """Nobody sells here, so that there is nothing to learn from."""

    async def tracks(
        self, campaigns: Sequence[Campaign], now_us: int
    ) -> dict[str, dict[str, Track]]:
        """Know of no post."""
        del now_us
        return {campaign.id: {} for campaign in campaigns}

    async def floors(self, campaign_ids: Sequence[str]) -> tuple[FloorRow, ...]:
        """Know no floor."""
        del campaign_ids
        return ()

    async def rankings_since(self, at_us: int) -> tuple[RankingRow, ...]:
        """Know no ranking."""
        del at_us
        return ()

    async def floors_since(self, at_us: int) -> tuple[FloorsRow, ...]:
        """Know no auction."""
        del at_us
        return ()


class NoMessages:
    """Nobody is told anything here, but what is asked for."""

    async def messages(self, wanted: Wanted) -> tuple[Message, ...]:
        """List none."""
        del wanted
        return ()

    async def message(self, message_id: str) -> Message | None:
        """Know none."""
        del message_id
        return None

    async def replay(self, message_id: str) -> bool:
        """Send none."""
        del message_id
        return False


class NoOffers:
    """There are no buyers here, and so no offer that could be tried."""

    async def run(
        self, offer: Offer, send: Sending | None, request: Request, snapshot: Snapshot
    ) -> Tried | tuple[FieldError, ...]:
        """Never be asked: an offer is looked up in the market before."""
        del send, request, snapshot
        raise AssertionError(f"this market has no offer {offer.id}")
