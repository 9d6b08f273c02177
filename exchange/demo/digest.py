"""What one lead's events say of its offers, its money, and how long its buyers took; pure."""

from collections.abc import Iterable, Iterator

import msgspec

from exchange.contract.timeline import buyers_ms
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
    sale_id: str | None = None
    charge: Micros = Micros(0)
    payout: Micros = Micros(0)
    buyers_ms: float = 0.0
    """How long the exchange waited for buyers: the slowest answer of each stage, and every post."""
    in_doubt: bool = False
    """A post was not answered, so that waiting for it was no longer a matter of one answer."""


def digest(events: Iterable[Event]) -> Digest:
    """Return what the events of one lead say, in the order in which they happened."""
    told = tuple(events)
    accepted = next((one for one in told if one.event is EventName.ACCEPTED), None)
    payout = next((one.payout for one in told if one.event is EventName.SOLD), None)
    winner = None if accepted is None else accepted.offer
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
        lost=tuple(lost(told, winner)),
        winner=winner,
        sale_id=None if accepted is None else accepted.sale_id,
        charge=Micros(0) if accepted is None else accepted.price or Micros(0),
        payout=payout or Micros(0),
        buyers_ms=buyers_ms(told),
        in_doubt=any(one.event is EventName.IN_DOUBT for one in told),
    )


def lost(events: tuple[Event, ...], winner: str | None) -> Iterator[Lost]:
    """Yield one reason for every offer that had a word of its own, and outbid for the rest."""
    explained: set[str] = set()
    for one in events:
        for code, offers in (one.left_out or {}).items():
            yield from (Lost(offer, Reason(code)) for offer in offers)
        if one.offer is not None and one.reason is not None and one.offer != winner:
            explained.add(one.offer)
            yield Lost(one.offer, one.reason)
    ranked = (one.offers or () for one in events if one.event is EventName.RANKED)
    for offer in dict.fromkeys(offer for offers in ranked for offer in offers):
        if winner is not None and offer != winner and offer not in explained:
            yield Lost(offer, Reason.OUTBID)
