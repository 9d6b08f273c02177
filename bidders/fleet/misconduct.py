"""The faults: what each does to the answer that a good buyer would have given."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from bidders.fleet.books import Belief
from bidders.fleet.reply import End, Reply, message
from bidders.fleet.spec import PingFault, PostFault

OVERSIZE_BYTES = 66_000
"""A little over the 64 KiB that the contract lets a buyer answer."""

WHOLE_ANSWERS = {
    "garbage": message(b"<html>it works</html>"),
    "http_500": message(b'{"error":"the database is down"}', 500),
    "redirect": message(b"{}", 302),
    "busy": message(b"", 503),
    "not_http": b"220 bids.example ESMTP ready\r\n\r\n",
}
"""What is sent in place of a good answer, whatever was asked."""

BAD_BIDS = {
    PingFault.INVALID_UTF8: b'{"bid":%(price)b,"bid_id":"\xff\xfe"}',
    PingFault.OVERSIZE: b'{"bid":%(price)b,"note":"' + b"x" * OVERSIZE_BYTES + b'"}',
    PingFault.WRONG_ID: b'{"bid":%(price)b,"bid_id":{"id":1},"ping_id":"another"}',
    PingFault.NEGATIVE: b'{"bid":-%(price)b}',
    PingFault.NAN: b'{"bid":NaN}',
    PingFault.STRING_PRICE: b'{"bid":"%(price)b"}',
    PingFault.OTHER_CURRENCY: b'{"bid":%(price)b,"currency":"XTS"}',
}
"""Bodies in a sound HTTP answer that must not count as bids (XTS is the currency for tests)."""

Fault = TypeVar("Fault", bound=StrEnum)


class Stack(Generic[Fault]):
    """Shares of faults, stacked from zero, so that one number picks at most one of them."""

    def __init__(self, shares: Mapping[Fault, float]) -> None:
        self.ends: list[tuple[float, Fault]] = []
        total = 0.0
        for fault, share in shares.items():
            total += share
            self.ends.append((total, fault))

    def pick(self, luck: float) -> Fault | None:
        """Return the fault in whose share `luck` falls, None in what remains."""
        for end, fault in self.ends:
            if luck < end:
                return fault
        return None


class Manners(msgspec.Struct, frozen=True):
    """How long this buyer takes when it is late or drips."""

    slow_ms: float
    late_ms: float
    drip_ms: float


def spoil_bid(
    fault: PingFault, good: Reply, price: bytes, tmax_ms: float, manners: Manners
) -> Reply | None:
    """Return what a buyer with this fault answers in place of its good bid; None is silence."""
    if fault in BAD_BIDS:
        return Reply(message(BAD_BIDS[fault] % {b"price": price}), good.after_ms)
    if fault is PingFault.SLOW:
        return Reply(good.data, tmax_ms + manners.slow_ms + good.after_ms)
    return spoil(fault, good, manners)


def spoil_answer(fault: PostFault, good: Reply, manners: Manners) -> Reply | None:
    """Return what a buyer with this fault answers in place of what it decided on a post."""
    if fault in {PostFault.LATE, PostFault.LATE_REFUSAL}:
        return Reply(good.data, manners.late_ms)
    if fault in {PostFault.NEVER, PostFault.MUTE}:
        return None
    if fault in HONEST:
        return good
    return spoil(fault, good, manners)


def spoil(fault: str, good: Reply, manners: Manners) -> Reply | None:
    """Return what comes of a good answer by a fault of the connection, or a foreign answer."""
    match fault:
        case "silent":
            return None
        case "dripping":
            return Reply(good.data, good.after_ms, drip_ms=manners.drip_ms)
        case "half":
            return Reply(good.data[: len(good.data) // 2], good.after_ms, End.RESET)
        case "hangup":
            return Reply(good.data, good.after_ms, End.CLOSE)
        case "resetting" | "unread":
            return Reply(b"", good.after_ms, End.RESET)
        case _:
            return Reply(WHOLE_ANSWERS[fault], good.after_ms)


HONEST = frozenset(
    {PostFault.REFUSING, PostFault.PENDING, PostFault.UNDECIDED, PostFault.LOWER_PRICE}
)
"""What is said plainly, though it is not the whole price at once."""

REFUSALS = frozenset({PostFault.REFUSING, PostFault.BUSY, PostFault.LATE_REFUSAL})
UNREAD = frozenset({PostFault.UNREAD, PostFault.HTTP_500, PostFault.REDIRECT})
OPEN = frozenset({PostFault.PENDING, PostFault.UNDECIDED})


def first_belief(fault: PostFault | None) -> Belief:
    """Return what the buyer holds of a sale after its first post."""
    if fault in REFUSALS:
        return Belief.REFUSED
    if fault in UNREAD:
        return Belief.UNREAD
    return Belief.PENDING if fault in OPEN else Belief.ACCEPTED


def later_belief(fault: PostFault | None) -> Belief:
    """Return what the buyer holds of a sale once its post was repeated."""
    if fault in REFUSALS:
        return Belief.REFUSED
    return Belief.PENDING if fault is PostFault.UNDECIDED else Belief.ACCEPTED
