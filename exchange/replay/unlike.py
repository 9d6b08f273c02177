"""Leads that do not end as they were written though nothing was changed, and why; pure.

A replay knows what a timeline tells. What hung on more than that is left out of the comparison, and
the room that it took of caps and budgets is taken as it was: so of all others what was recorded is
exactly what selling them again brings.
"""

from collections.abc import Iterable

from exchange.domain.events import Event, EventName
from exchange.domain.reason import Reason
from exchange.replay.recorded import Recorded, Sums

INTERRUPTED = "interrupted"
ROOM_DIFFERED = "room differed"
ENDED_OTHERWISE = "ended otherwise"
NOT_PLAYED = "not played"

NO_ROOM = frozenset(
    {
        Reason.CAP,
        Reason.BUDGET,
        Reason.CAP_AT_AWARD,
        Reason.BUDGET_AT_AWARD,
        Reason.PAUSED,  # a pilot that is over
    }
)


def is_unlike(lead: Recorded, end: Sums) -> bool:
    """Tell whether a lead, sold again as it was, does not end as it was written."""
    then = lead.end
    return (then.status, then.sales, then.revenue, then.payout) != (
        end.status,
        end.sales,
        end.revenue,
        end.payout,
    )


def why_unlike(lead: Recorded, played: Iterable[Event]) -> str:
    """Return what such a lead hung on that its timeline does not tell."""
    if any(one.event is EventName.RECOVERED for one in lead.events):
        return INTERRUPTED
    if without_room(lead.events) != without_room(played):
        return ROOM_DIFFERED
    return ENDED_OTHERWISE


def without_room(events: Iterable[Event]) -> set[str]:
    """Return who had no room in a limit, many as the set that they were written as."""
    found: set[str] = set()
    for one in events:
        if one.offer is not None and one.reason in NO_ROOM:
            found.add(one.offer)
        for code, names in (one.left_out or {}).items():
            found.update(names if code in NO_ROOM else ())
        for code, packed in (one.places or {}).items():
            found.update((f"{one.stage}/{packed}",) if code in NO_ROOM else ())
    return found
