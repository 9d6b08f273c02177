"""Notices to bidders: what became of a bid, and where the price lay; nobody's bid. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from exchange.domain.bid import Bid, Contender
from exchange.domain.message import NoticeKind
from exchange.domain.money import Micros
from exchange.domain.reason import Reason

MICROS = 1_000_000
EDGES = tuple(
    Micros(edge * MICROS)
    for edge in (*(0, 1, 2, 5, 10, 15, 20, 30, 40, 50), *(75, 100, 150, 200, 300, 500, 1000))
)
"""Between two of these a price is told to who did not win; above the last there is no upper one."""


BY_REASON = {
    Reason.BELOW_FLOOR: NoticeKind.BELOW_FLOOR,
    Reason.TIMEOUT: NoticeKind.LATE,
    Reason.INVALID_BID: NoticeKind.INVALID,
}


class Band(msgspec.Struct, frozen=True):
    """Between which prices the lead was sold."""

    low: Micros
    high: Micros | None
    """None: above the last edge."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What one offer is told of one bid."""

    kind: NoticeKind
    ping_id: str | None
    at_us: int
    test: bool
    bid_id: str | None = None
    bid: Micros | None = None
    """As it was made, one for being alone where it was only that; None: none was understood."""
    price: Micros | None = None
    """What the winner itself pays."""
    floor: Micros | None = None
    """Of one below it."""
    detail: str | None = None
    """Of an invalid one: what was wrong with the answer."""
    band: Band | None = None
    """Where the lead was sold to somebody else."""


class Course(msgspec.Struct):
    """What happened to a lead, as far as bidders hear of it."""

    sold: dict[str, Micros] = {}
    """What each winner pays, by offer."""
    full: set[str] = set()
    """Offers without room at the award."""
    let_go: set[str] = set()
    """Offers that were posted the lead and have it not: refused, out of reach, or void."""


def band_of(price: Micros) -> Band:
    """Return between which edges a price lies; the lower one belongs to the band."""
    place = bisect_right(EDGES, price)
    return Band(EDGES[place - 1], EDGES[place] if place < len(EDGES) else None)


def kind_of(one: Contender, course: Course) -> NoticeKind | None:
    """Return what became of an offer that was asked; None where it knows best itself.

    Who was cut off because it could not win is outbid. Its own no, a call that never reached it and
    its own refusal of the post, or silence to it, are no news to it; nor is a lead that nobody
    bought.
    """
    if one.offer.id in course.sold:
        return NoticeKind.WON
    if one.offer.id in course.let_go:
        return None  # its bid won: it lost the lead otherwise than by its price
    if one.reason is not None and one.reason is not Reason.CUT_OFF:
        return BY_REASON.get(one.reason) if one.pinged else None
    if one.offer.id in course.full:
        return NoticeKind.CAPPED
    return NoticeKind.OUTBID if course.sold else None


def notices(
    asked: Sequence[Contender], course: Course, at_us: int, *, test: bool
) -> Iterator[tuple[str, Notice]]:
    """Yield what each offer that wants to know is told, once the lead has its end."""
    highest = max(course.sold.values(), default=None)
    band = None if highest is None else band_of(highest)
    for one in asked:
        kind, terms, bid = kind_of(one, course), one.offer.notices, one.bid
        if kind is None or terms is None or kind not in terms.kinds:
            continue
        won = kind is NoticeKind.WON
        yield (
            one.offer.id,
            Notice(
                kind=kind,
                ping_id=one.ping_id,
                at_us=at_us,
                test=test,
                bid_id=None if bid is None else bid.bid_id,
                bid=None if bid is None else bid.price or bid.exclusive_price,
                price=course.sold[one.offer.id] if won else None,
                floor=one.floor if kind is NoticeKind.BELOW_FLOOR else None,
                detail=one.detail if kind is NoticeKind.INVALID else None,
                band=None if won else band,
            ),
        )


def carried(bid: Bid) -> Contender:
    """Return a bid that a quote brought, as one that was asked and stands."""
    return Contender(bid.offer, ping_id=bid.ping_id, bid=bid, pinged=True)
