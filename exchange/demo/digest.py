"""What one lead's events say of its offers, its money, and how long its buyers took; pure."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from exchange.contract.timeline import buyers_ms
from exchange.demo.marks import marks
from exchange.domain.events import Event, EventName
from exchange.domain.money import Micros
from exchange.domain.reason import Reason


class Lost(msgspec.Struct, frozen=True):
    """One offer that did not get a lead, and why."""

    offer: str
    reason: Reason


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One lead, or one quote, in numbers."""

    pings: tuple[str, ...] = ()
    """The offers that were asked, once for each time."""
    bids: tuple[tuple[str, Micros], ...] = ()
    """The prices that were bid in answer to a ping."""
    posts: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()
    winner: str | None = None
    """Who bought it; the first of them where several share it."""
    sale_id: str | None = None
    wins: tuple[tuple[str, Micros], ...] = ()
    """Everybody who bought it, and what each was charged."""
    method: str | None = None
    """How the stage sells that sold it."""
    marks: tuple[str, ...] = ()
    """Which rules and limits it met, in a few words each."""
    charge: Micros = Micros(0)
    """Of all together."""
    payout: Micros = Micros(0)
    buyers_ms: float = 0.0
    """How long the exchange waited for buyers: the slowest answer of each stage, and every post."""
    in_doubt: bool = False
    """A post was not answered, so that waiting for it was no longer a matter of one answer."""


def digest(events: Iterable[Event]) -> Digest:
    """Return what the events of one lead say, in the order in which they happened."""
    told = tuple(events)
    accepted = [one for one in told if one.event is EventName.ACCEPTED and one.offer]
    wins = tuple((one.offer or "", one.price or Micros(0)) for one in accepted)
    payout = sum(one.payout or 0 for one in told if one.event is EventName.SOLD)
    first = accepted[0] if accepted else None
    return Digest(
        pings=tuple(
            offer for one in told if one.event is EventName.PINGED for offer in one.offers or ()
        ),
        bids=tuple(
            (one.offer, one.price)
            for one in told
            if one.event is EventName.BID
            and one.ms is not None
            and one.offer is not None
            and one.price is not None
        ),
        posts=tuple(one.offer or "" for one in told if one.event is EventName.POSTED),
        lost=tuple(lost(told, {offer for offer, _ in wins})),
        winner=None if first is None else first.offer,
        sale_id=None if first is None else first.sale_id,
        wins=wins,
        method=None if first is None else method_of(told, first.sale_id),
        marks=marks(told),
        charge=Micros(sum(charge for _, charge in wins)),
        payout=Micros(payout),
        buyers_ms=buyers_ms(told),
        in_doubt=any(one.event is EventName.IN_DOUBT for one in told),
    )


def method_of(events: tuple[Event, ...], sale_id: str | None) -> str | None:
    """Return how the stage sells in which this sale was awarded; None where it is not told."""
    stages = {one.stage: one.detail for one in events if one.event is EventName.STAGE}
    for one in events:
        if one.event is EventName.AWARDED and one.sale_id == sale_id:
            words = (stages.get(one.stage) or "").split()
            return words[0].strip(",:;") if words else None
    return None


def lost(events: tuple[Event, ...], winners: Collection[str]) -> Iterator[Lost]:
    """Yield one reason for every offer that had a word of its own, and outbid for the rest."""
    explained: set[str] = set()
    for one in events:
        for code, offers in (one.left_out or {}).items():
            yield from (Lost(offer, Reason(code)) for offer in offers)
        if one.offer is not None and one.reason is not None and one.offer not in winners:
            explained.add(one.offer)
            yield Lost(one.offer, one.reason)
    ranked = (one.offers or () for one in events if one.event is EventName.RANKED)
    for offer in dict.fromkeys(offer for offers in ranked for offer in offers):
        if winners and offer not in winners and offer not in explained:
            yield Lost(offer, Reason.OUTBID)
