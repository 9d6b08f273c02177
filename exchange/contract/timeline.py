"""A lead's events as they are published: all of them to operators, to a seller only its own part.

What a seller may not learn from a timeline: who else was asked, what anyone bid or pays, which
filters and caps buyers have. It sees that offers were asked and answered, when, how long it took
and with which reason; of money only what it is itself promised or paid.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Protocol

import msgspec

from exchange.contract.seller import ExpectedOut, ReasonOut, SubmissionOut, TimelineEntry
from exchange.domain import places
from exchange.domain.events import Event, EventName, Merged
from exchange.domain.money import Micros, to_decimal
from exchange.domain.reason import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DETAIL_FOR_SELLER = frozenset({EventName.RECEIVED, EventName.VALIDATED, EventName.REJECTED})
"""Their details speak of what the seller itself sent; all others may name a buyer or a lead."""

PAYOUT_FOR_SELLER = frozenset({EventName.QUOTED, EventName.SOLD, EventName.UNSOLD})
"""Their payout is the seller's own promise or money, sold to whomever."""

ANSWERS = frozenset({EventName.BID, EventName.NO_BID})
ENDS_OF_POSTS = frozenset({EventName.ACCEPTED, EventName.REFUSED})


class Timed(Protocol):
    """One line of a timeline, as it is stored or as it is published."""

    @property
    def event(self) -> str:
        """Its word."""

    @property
    def ms(self) -> float | None:
        """How long it took."""


def buyers_ms(timeline: Iterable[Timed]) -> float:
    """Return how long buyers kept the lead: the slowest answer of each stage, and every post."""
    total, slowest = 0.0, 0.0
    for one in timeline:
        if one.event == EventName.STAGE:
            total, slowest = total + slowest, 0.0
        elif one.ms is not None and one.event in ANSWERS:
            slowest = max(slowest, one.ms)
        elif one.ms is not None and one.event in ENDS_OF_POSTS:
            total += one.ms
    return total + slowest


def utc_text(at_us: int) -> str:
    """Return a moment as RFC 3339 in UTC, to the microsecond: `2026-01-31T12:00:00.000000Z`."""
    moment = EPOCH + timedelta(microseconds=at_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def operator_timeline(
    events: Iterable[Event], buyer_of: Callable[[str], str | None]
) -> tuple[TimelineEntry, ...]:
    """Return every event, numbered from 1, offers left out unfolded to one line each."""
    return tuple(
        TimelineEntry(
            seq=seq,
            at=utc_text(event.at_us),
            event=event.event.value,
            offer=event.offer,
            buyer=None if event.offer is None else buyer_of(event.offer),
            reason=None if event.reason is None else ReasonOut.of(event.reason),
            ms=event.ms,
            price=amount(event.price),
            payout=amount(event.payout),
            floor=amount(event.floor),
            sale_id=event.sale_id,
            stage=event.stage,
            detail=event.detail,
            score=event.score,
            model=event.model,
            expected=expected(event),
            segment=event.segment,
            people=event.people,
            submission=submission(event.merged),
        )
        for seq, event in enumerate(unfolded(events), start=1)
    )


def seller_timeline(
    events: Iterable[Event], own_sales: Collection[str]
) -> tuple[TimelineEntry, ...]:
    """Return what the seller may see, numbered from 1; `own_sales` are the sales it is paid for."""
    return tuple(
        seller_entry(seq, event, detail, own=event.sale_id in own_sales)
        for seq, (event, detail) in enumerate(seller_lines(events), start=1)
    )


def seller_entry(seq: int, event: Event, detail: str | None, *, own: bool) -> TimelineEntry:
    """Return one line without offer, buyer, price, floor; sale and payout only where its own."""
    may_pay = own or (event.event in PAYOUT_FOR_SELLER and event.offer is None)
    return TimelineEntry(
        seq=seq,
        at=utc_text(event.at_us),
        event=event.event.value,
        reason=None if event.reason is None else ReasonOut.of(event.reason),
        ms=event.ms,
        payout=amount(event.payout) if may_pay else None,
        sale_id=event.sale_id if own else None,
        stage=event.stage,
        detail=detail,
        score=event.score,
        model=event.model,
        submission=own_submission(event.merged),
    )


def seller_lines(events: Iterable[Event]) -> Iterator[tuple[Event, str | None]]:
    """Yield each event with the detail that a seller may read; offers left out only as numbers.

    Those that are left out one after the other are one number for each reason: which of them had
    words of their own, such as one cap or two, is nothing that a seller has to know.
    """
    for stage, run in groupby(events, left_out_in):
        if stage is None:
            for event in run:
                told = event.event in DETAIL_FOR_SELLER and event.offer is None
                detail = event.detail if told else None
                yield event, numbered(len(event.offers)) if event.offers else detail
            continue
        first, numbers = None, Counter[int]()
        for event in run:
            first = first or event
            numbers.update(left_out_numbers(event))
        assert first is not None, "a run has an event"
        for code, number in numbers.items():
            yield alone(first, None, Reason(code)), numbered(number)


def left_out_in(event: Event) -> tuple[int | None] | None:
    """Return in which stage this leaves offers out, or None where it says something else."""
    return (event.stage,) if left_out_numbers(event) else None


def left_out_numbers(event: Event) -> dict[int, int]:
    """Return how many offers an event leaves out, by reason code."""
    listed = {code: len(offers) for code, offers in (event.left_out or {}).items()}
    listed |= {code: places.count(those) for code, those in (event.places or {}).items()}
    if not listed and event.event is EventName.OFFER_LEFT_OUT and event.reason is not None:
        return {event.reason: len(event.offers or (event.offer,))}
    return listed


def numbered(offers: int) -> str:
    """Return how many offers there were: a seller hears no more of them."""
    return f"{offers} {'offer' if offers == 1 else 'offers'}"


def unfolded(events: Iterable[Event]) -> Iterator[Event]:
    """Yield one event per offer of those that are named together in one line, in their order."""
    for event in events:
        if event.left_out:
            for code, offers in event.left_out.items():
                yield from (alone(event, offer, Reason(code)) for offer in offers)
        elif event.offers:
            # In a ranking all but the first are outbid, unless a later line tells more.
            is_ranking = event.event is EventName.RANKED
            for place, offer in enumerate(event.offers):
                one = alone(event, offer, Reason.OUTBID if is_ranking and place else event.reason)
                if event.expected:
                    one = msgspec.structs.replace(one, expected=event.expected[place : place + 1])
                yield one
        else:
            yield event


def alone(event: Event, offer: str | None, reason: Reason | None) -> Event:
    """Return one offer's part of an event that several share; of no offer in particular: None."""
    changed: Event = msgspec.structs.replace(
        event, left_out=None, places=None, offers=None, offer=offer, reason=reason
    )
    return changed


def expected(event: Event) -> ExpectedOut | None:
    """Return the numbers that ranked an offer, which has this line for itself."""
    if not event.expected:
        return None
    one = event.expected[0]
    return ExpectedOut(share(one.accepted_ppm), share(one.returned_ppm), to_decimal(one.value))


def submission(merged: Merged | None) -> SubmissionOut | None:
    """Return what was merged as an operator reads it."""
    if merged is None:
        return None
    return SubmissionOut(
        lead_id=merged.lead_id,
        seller=merged.seller_id,
        source=merged.source_id,
        channel=merged.channel,
    )


def own_submission(merged: Merged | None) -> SubmissionOut | None:
    """Return what was merged as its own seller reads it: channels are the operator's words."""
    if merged is None:
        return None
    return SubmissionOut(lead_id=merged.lead_id, seller=merged.seller_id, source=merged.source_id)


def share(ppm: int) -> Decimal:
    """Return millionths as a share of one, exact."""
    return to_decimal(Micros(ppm))


def amount(micros: Micros | None) -> Decimal | None:
    """Return the amount in currency units, or None."""
    return None if micros is None else to_decimal(micros)
