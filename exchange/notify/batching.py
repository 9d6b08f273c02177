"""Notices gather for a moment and leave as one message for each offer: bounded, not waited for."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Protocol

import msgspec
import structlog

from exchange.contract.buyer import BidNotice, BidNotices, PriceBand
from exchange.contract.timeline import utc_text
from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.message import offer_recipient
from exchange.domain.money import Micros, to_decimal
from exchange.domain.notice import Notice
from exchange.ledger.errors import LedgerUnavailable
from exchange.notify.outbox import Outbox, Written
from exchange.notify.webhook import enveloped

logger = structlog.get_logger(__name__)
TOPIC = "bid.notices"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long notices gather, and how many are kept."""

    every_s: float = 2.0
    batch_max: int = 500
    """In one message."""
    kept_max: int = 5_000
    """Of one offer, while the ledger is away; the newest are dropped."""
    waiting_max: int = 100
    """Messages of one offer that wait to be delivered; beyond that more are dropped."""


class Batch(msgspec.Struct, frozen=True):
    """The oldest notices of an offer as one message."""

    message: Written
    notices: int
    dropped: int
    """So many it says are missing."""


class Observer(Protocol):
    """Who counts."""

    def noticed(self, kind: str) -> None:
        """Note a notice that was made."""

    def notices_dropped(self, notices: int) -> None:
        """Note some that nobody will hear."""


class Batches:
    """Takes notices at once, and writes them into the outbox now and then."""

    def __init__(
        self,
        outbox: Outbox,
        observer: Observer,
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        limits: Limits,
    ) -> None:
        """Take the outbox, time and chance."""
        self._outbox = outbox
        self._observer = observer
        self._now_us = now_us
        self._entropy = entropy
        self._limits = limits
        self._kept: defaultdict[str, deque[Notice]] = defaultdict(deque)
        self._dropped: Counter[str] = Counter()
        """What no message told yet, but one of those that are on their way."""
        self._on_their_way: dict[str, Batch] = {}
        """By offer; of one that could not be written nobody knows whether it was after all."""

    def push(self, offer_id: str, notice: Notice) -> None:
        """Take a notice; one too many is dropped and counted."""
        kept = self._kept[offer_id]
        self._observer.noticed(notice.kind.value)
        if len(kept) >= self._limits.kept_max:
            self._drop(offer_id, 1)
        else:
            kept.append(notice)

    async def run(self) -> None:
        """Write what gathered, for good."""
        while True:
            await asyncio.sleep(self._limits.every_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what gathered so far; what cannot be written now waits for the next time."""
        while self._kept:
            batches = {offer_id: self._batch(offer_id) for offer_id in self._kept}
            messages = [batch.message for batch in batches.values()]
            try:
                taken = await self._outbox.put(messages, TOPIC, self._limits.waiting_max)
            except LedgerUnavailable:
                logger.warning("notices wait", offers=len(messages))
                return
            for offer_id, batch in batches.items():
                self._sent(offer_id, batch, was_taken=batch.message.id in taken)

    def _batch(self, offer_id: str) -> Batch:
        """Return what an offer is told next: the same message until it is known to be written."""
        batch = self._on_their_way.get(offer_id)
        if batch is None:
            batch = self._on_their_way[offer_id] = self._made(offer_id)
        return batch

    def _made(self, offer_id: str) -> Batch:
        notices = tuple(islice(self._kept[offer_id], self._limits.batch_max))
        data = BidNotices(
            offer=offer_id,
            dropped=self._dropped[offer_id],
            notices=tuple(map(published, notices)),
        )
        at_us = self._now_us()
        message_id = uuid7(at_us, self._entropy(ENTROPY_BYTES))
        body = enveloped(TOPIC, at_us, data)
        message = Written(message_id, at_us, offer_recipient(offer_id), body)
        return Batch(message, len(notices), data.dropped)

    def _sent(self, offer_id: str, batch: Batch, *, was_taken: bool) -> None:
        """Forget a batch that was written, or that its recipient is too far behind to hear."""
        del self._on_their_way[offer_id]
        kept = self._kept[offer_id]
        for _ in range(batch.notices):
            kept.popleft()
        if not kept:
            del self._kept[offer_id]
        if not was_taken:
            self._drop(offer_id, batch.notices)
            return
        self._dropped[offer_id] -= batch.dropped  # some may have come while it was written
        if not self._dropped[offer_id]:
            del self._dropped[offer_id]

    def _drop(self, offer_id: str, notices: int) -> None:
        self._dropped[offer_id] += notices
        self._observer.notices_dropped(notices)


def published(notice: Notice) -> BidNotice:
    """Return a notice as its buyer reads it."""
    band = notice.band
    return BidNotice(
        ping_id=notice.ping_id,
        result=notice.kind.value,
        at=utc_text(notice.at_us),
        test=notice.test,
        bid_id=notice.bid_id,
        bid=_amount(notice.bid),
        price=_amount(notice.price),
        floor=_amount(notice.floor),
        detail=notice.detail,
        price_band=None
        if band is None
        else PriceBand(low=to_decimal(band.low), high=_amount(band.high)),
    )


def _amount(micros: Micros | None) -> Decimal | None:
    return None if micros is None else to_decimal(micros)
