"""What a seller may bring: leads that are taken in, and pings that buyers are sent for them.

Limits stand on the seller and on its declared sources, and count in the seller's time zone. What is
counted belongs to one holder, `seller:fastquotes`, as a buyer's belongs to the buyer.
"""

from collections.abc import Iterator

import msgspec

from exchange.domain.caps import HoldLine, Used, counter_in
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.pilot import is_of_pilot
from exchange.domain.reason import Reason
from exchange.domain.schedule import US_PER_S, window_end_s
from exchange.domain.seller import Seller

HOLDER = "seller:"
AGAIN_MAX_S = 7 * 24 * 3600
AGAIN_OF_TOTAL_S = 24 * 3600
"""A total has no end: whoever raises it is not expected within the day."""


class Sent(msgspec.Struct, frozen=True):
    """By whom, when and in which world something is sent: what its limits depend on."""

    seller: Seller
    source_id: str
    at_us: int
    test: bool

    @property
    def limits(self) -> tuple[Cap, ...]:
        """The limits of its source, if that is declared, and of its seller."""
        declared = self.seller.sources.get(self.source_id)
        return (*(() if declared is None else declared.caps), *self.seller.caps)


def holder_of(seller_id: str) -> str:
    """Return whose the counters of a seller are."""
    return f"{HOLDER}{seller_id}"


def seller_of(holder: str) -> str | None:
    """Return the seller who holds, None: it is a buyer."""
    return holder.removeprefix(HOLDER) if holder.startswith(HOLDER) else None


def lines(sent: Sent, kind: CapKind, amount: int) -> Iterator[tuple[Cap, HoldLine]]:
    """Yield all limits of this kind, each with what it is to hold of so much.

    Pings may settle at fewer than were held, as money does.
    """
    reason = Reason.BUDGET_AT_AWARD if kind is CapKind.PINGS else Reason.CAP_AT_AWARD
    for cap in sent.limits:
        if cap.kind is kind:
            name = counter_in(cap, sent.at_us, sent.seller.zone, test=sent.test)
            yield cap, HoldLine(name, amount, cap.limit, reason)


def full(sent: Sent, kind: CapKind, used: Used) -> Cap | None:
    """Return the first limit of this kind that has no room, as last read ahead, or None."""
    for cap, line in lines(sent, kind, 1):
        if used.get(line.counter, 0) + 1 > cap.limit:
            return cap
    return None


def room(sent: Sent, kind: CapKind, used: Used) -> int:
    """Return how much the tightest limit of this kind leaves, as last read ahead."""
    return max(0, min(cap.limit - used.get(line.counter, 0) for cap, line in lines(sent, kind, 1)))


def again_in_s(cap: Cap, sent: Sent) -> int:
    """Return in how many seconds a full limit begins anew."""
    assert cap.per is not None, "a seller's limit counts in a window"
    if cap.per is Per.TOTAL:
        return AGAIN_OF_TOTAL_S
    end_s = window_end_s(cap.per, sent.at_us, sent.seller.zone)
    return min(AGAIN_MAX_S, max(1, end_s - sent.at_us // US_PER_S))


def sentence(cap: Cap) -> str:
    """Say of a full limit whose it is and how much it is."""
    if is_of_pilot(cap.scope):
        return f"this seller's pilot of {cap.limit} {cap.kind} is over: no more are taken in"
    whose = "source" if cap.scope.startswith("source/") else "seller"
    window = "in total" if cap.per is Per.TOTAL else f"per {cap.per}"
    what = "sent to buyers for it" if cap.kind is CapKind.PINGS else "taken in"
    return f"this {whose}'s limit of {cap.limit} {cap.kind} {window} is reached: no more are {what}"
