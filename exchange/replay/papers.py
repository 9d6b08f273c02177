"""The rows of one lead, and what they say of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from exchange.domain.eligibility import SENT_BEFORE
from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.replay.lessons import learned_of
from exchange.replay.recorded import (
    US_PER_MS,
    Recorded,
    Sale,
    Sums,
    answers_of,
    left_out_for,
    ping_of,
    posts_of,
    tried_of,
)
from exchange.replay.steps import Held
from exchange.story.quoted_room import SLACK_US
from exchange.story.record import submission

EVENTS = msgspec.json.Decoder(list[Event])


class Papers(NamedTuple):
    """What else was written of some leads, by lead."""

    moments: Mapping[Any, Sequence[Any]]
    records: Mapping[Any, Sequence[Any]]
    """A ping's before its post's."""
    sales: Mapping[Any, Sequence[Any]]
    quotes: Mapping[Any, Sequence[Any]]
    """The one of its ping, if it was quoted."""


def recorded(row: Any, papers: Papers, records: Sequence[bytes], market: Snapshot) -> Recorded:
    """Return one lead from its rows and its opened records."""
    sales, quotes = papers.sales[row["lead_id"]], papers.quotes[row["lead_id"]]
    events = [event for moment in papers.moments[row["lead_id"]]
              for event in EVENTS.decode(moment["events"])]  # fmt: skip
    posted = submission(records[-1])
    return Recorded(
        lead_id=LeadId(str(row["lead_id"])),
        campaign_id=row["campaign"],
        version=row["version"],
        received_at_us=row["received_at"],
        submission=posted,
        pinged=None if not quotes else ping_of(records[0], posted, events[0].at_us),
        quoted_under=quotes[0]["version"] if quotes else row["version"],
        answers=answers_of(events),
        posts=posts_of(events),
        tried=tried_of(events),
        learned=learned_of(events),
        original=None if row["original"] is None else LeadId(str(row["original"])),
        bought_by=frozenset(
            market.offers[name].buyer.id
            for name in left_out_for(
                Reason.DUPLICATE_FOR_BUYER, events, row["campaign"], market, but=SENT_BEFORE
            )
            if name in market.offers
        ),
        rated=left_out_for(Reason.RATE, events, row["campaign"], market),
        sales=sales_of(sales),
        events=tuple(events),
        end=Sums(
            status=row["status"],
            sales=len(sales),
            revenue=Micros(sum(sale["charge"] for sale in sales)),
            payout=Micros(sum(sale["payout"] for sale in sales)),
            ms=(row["ended_at"] - row["received_at"]) / US_PER_MS,
        ),
    )


def sales_of(rows: Iterable[Any]) -> tuple[Sale, ...]:
    """Return what the accepted sales of a lead took."""
    return tuple(Sale(row["offer"], Micros(row["charge"]), row["held_at"]) for row in rows)


def held_by(ping: Any, moments: Sequence[Any]) -> list[Held]:
    """Return the room that a ping held whose post is not played, and how long it did."""
    quoted, *after = moments
    # Posted, or made sure that it never would be: either way its room went then.
    until_us = after[0]["at"] if after else ping["expires_at"] + SLACK_US
    last: dict[str, Event] = {}
    for one in EVENTS.decode(quoted["events"]):
        if one.event is EventName.HELD and one.offer is not None:
            last[one.offer] = one
        elif one.event is EventName.RELEASED:
            last.pop(one.offer or "", None)
    return [
        Held(
            at_us=one.at_us,
            until_us=until_us,
            lead_id=LeadId(str(ping["lead_id"])),
            version=ping["version"],
            sale_id=SaleId(one.sale_id or ""),
            offer_id=offer_id,
            price=one.price or Micros(0),
        )
        for offer_id, one in last.items()
    ]
