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
        while batches := {
            offer_id: tuple(islice(kept, self._limits.batch_max))
            for offer_id, kept in self._kept.items()
        }:
            messages = {offer: self._message(offer, batch) for offer, batch in batches.items()}
            try:
                taken = await self._outbox.put(
                    [*messages.values()], TOPIC, self._limits.waiting_max
                )
            except LedgerUnavailable:
                logger.warning("notices wait", offers=len(messages))
                return
            for offer_id, batch in batches.items():
                self._sent(offer_id, len(batch), was_taken=messages[offer_id].id in taken)

    def _message(self, offer_id: str, batch: tuple[Notice, ...]) -> Written:
        data = BidNotices(
            offer=offer_id,
            dropped=self._dropped[offer_id],
            notices=tuple(map(published, batch)),
        )
        at_us = self._now_us()
        message_id = uuid7(at_us, self._entropy(ENTROPY_BYTES))
        body = enveloped(TOPIC, at_us, data)
        return Written(message_id, at_us, offer_recipient(offer_id), body)

    def _sent(self, offer_id: str, notices: int, *, was_taken: bool) -> None:
        """Forget a batch that was written, or that its recipient is too far behind to hear."""
        kept = self._kept[offer_id]
        for _ in range(notices):
            kept.popleft()
        if not kept:
            del self._kept[offer_id]
        if was_taken:
            del self._dropped[offer_id]
        else:
            self._drop(offer_id, notices)

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
