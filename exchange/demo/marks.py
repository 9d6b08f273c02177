"""What one lead met beside being sold, in a few words each: which rules and limits counted; pure.

A market of every method is shown side by side by these words: how often each of them happened in
each campaign.
"""

from collections.abc import Iterable, Iterator

from exchange.domain.caps import PACED
from exchange.domain.events import Event, EventName
from exchange.domain.reason import Reason

FLOOR_BY = "floor by "
BY_DEFAULT = "floor by default"
LEFT_OUT = {
    Reason.SCHEDULE: "closed",
    Reason.CAP: "cap full",
    Reason.BUDGET: "budget used up",
    Reason.DUPLICATE_FOR_BUYER: "buyer has the person",
    Reason.PAUSED: "paused",
    Reason.RATE: "over its rate",
}
"""Why an offer was not asked, where that is a limit's doing."""
HAPPENED = {
    EventName.QUOTED: "quoted",
    EventName.HOLD_FAILED: "full at the award",
    EventName.REFUSED: "refused",
    EventName.IN_DOUBT: "in doubt",
    EventName.REPEATED: "posted again",
    EventName.STATUS_ASKED: "status asked",
    EventName.VOIDED: "void",
    EventName.ADVANCED: "gone on",
    EventName.CLOSED_EARLY: "closed early",
    EventName.ANONYMITY: "people counted",
    EventName.MERGED: "merged",
}
"""What is its own name."""
REMARKS = {
    EventName.AWARDED: {"second price": "second price", "relaxed to": "margin relaxed"},
    EventName.ACCEPTED: {
        "lower price taken": "lower price taken",
        "lower price disputed": "lower price disputed",
    },
}
"""What a detail says, by what stands in it."""


def marks(events: Iterable[Event]) -> tuple[str, ...]:
    """Return what a lead met, each word once, in the order in which it met them."""
    return tuple(dict.fromkeys(mark for one in events for mark in marks_of(one)))


def marks_of(event: Event) -> Iterator[str]:
    """Yield the words of one event."""
    if event.event in HAPPENED:
        yield HAPPENED[event.event]
    detail = event.detail or ""
    yield from (word for part, word in REMARKS.get(event.event, {}).items() if part in detail)
    match event.event:
        case EventName.STAGE if FLOOR_BY in detail and BY_DEFAULT not in detail:
            yield "floor by rule"
        case EventName.FLOOR:
            yield f"floor {event.model}"
        case EventName.RANKED if event.expected:
            yield "by expected value"
        case EventName.CHOSEN:
            yield "alone" if detail == "alone" else f"shared by {len(event.offers or ())}"
        case EventName.OFFER_LEFT_OUT:
            yield from left_out(event)
        case _:
            pass


def left_out(event: Event) -> Iterator[str]:
    """Yield why offers were not asked, where a limit was the reason."""
    codes = [Reason(code) for code in (*(event.left_out or {}), *(event.places or {}))]
    for reason in (*codes, *([] if event.reason is None else [event.reason])):
        if reason in LEFT_OUT:
            is_paced = (event.detail or "").endswith(PACED)
            yield "held back by a pace" if is_paced else LEFT_OUT[reason]
