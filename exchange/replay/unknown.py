"""What a changed market asks of buyers that they were not asked then, and why they were not; pure.

Nobody knows what they would have said: a ping that was not made is no bid, a post that was not made
is accepted. How often that was supposed, and why, belongs to every result that rests on it.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

import msgspec

from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.replay.recorded import Answers, Recorded, together

NOT_REACHED = "not_reached"
"""The lead was sold, or ended, before the offer's stage."""
NOT_THERE = "not_there"
"""The market had no such offer then."""


class Supposed(msgspec.Struct, frozen=True):
    """What was supposed of one lead."""

    pings: tuple[str, ...] = ()
    """Why each of these offers had not been asked, or not been heard out."""
    posts: int = 0


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers are not on record for one reason, and of how many leads."""

    reason: str
    pings: int
    leads: int


class Unrecorded(msgspec.Struct, frozen=True, kw_only=True):
    """All that was supposed."""

    pings: int = 0
    posts: int = 0
    leads: int = 0
    """That any of it touched."""
    reasons: tuple[Why, ...] = ()
    """Of the pings, the most frequent first."""


def supposed(lead: Recorded, played: Iterable[Event], then: Snapshot, now: Snapshot) -> Supposed:
    """Return what one lead, sold again under the market of now, rests on.

    `played`: all that came of it, its ping's events first.
    """
    said, stage, posts = Answers(lead.answers), 0, 0
    pings: list[str] = []
    for one in played:
        if one.event is EventName.STAGE:
            stage = one.stage or stage
        elif one.event is EventName.PINGED:
            asked = one.offers or ()
            pings += [
                why_not_asked(lead, then, stage, name)
                for name in asked
                if said.get(stage, name) is None
            ]
        elif one.event is EventName.NO_BID and one.offer is not None:
            answer = said.get(stage, one.offer)
            was_cut_off = answer is not None and answer.reason is Reason.CUT_OFF
            if was_cut_off and one.reason is Reason.TIMEOUT:
                pings.append(Reason.CUT_OFF.word)  # its silence counts now, and did not then
        elif one.event is EventName.POSTED and one.offer not in lead.posts:
            offer = now.offers.get(one.offer or "")
            posts += offer is not None and offer.post is not None
    return Supposed(tuple(pings), posts)


def why_not_asked(lead: Recorded, market: Snapshot, stage: int, offer_id: str) -> str:
    """Return why an offer was not asked then: the word of its reason in this stage, or in any."""
    if offer_id not in market.offers:
        return NOT_THERE
    elsewhere, here = NOT_REACHED, 0
    for one in lead.events:
        if one.event is EventName.STAGE:
            here = one.stage or here
        if one.event is not EventName.OFFER_LEFT_OUT:
            continue
        reason = one.reason if one.offer == offer_id else None
        for why, names in together(one, lead.campaign_id, market).items():
            reason = why if offer_id in names else reason
        if reason is None or reason is Reason.OUTBID:  # others had got the lead before its stage
            continue
        if (one.stage or here) == stage:
            return reason.word
        elsewhere = reason.word
    return elsewhere


def all_of(found: Mapping[LeadId, Supposed]) -> Unrecorded:
    """Add up what was supposed of all leads."""
    pings, leads = Tally[str](), Tally[str]()
    for one in found.values():
        pings.update(one.pings)
        leads.update(set(one.pings))
    return Unrecorded(
        pings=pings.total(),
        posts=sum(one.posts for one in found.values()),
        leads=sum(1 for one in found.values() if one.pings or one.posts),
        reasons=tuple(
            Why(reason=reason, pings=count, leads=leads[reason])
            for reason, count in sorted(pings.items(), key=lambda item: (-item[1], item[0]))
        ),
    )
