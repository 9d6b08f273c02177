"""Messages to those outside: what they may be about, to whom they go, and when one is due. Pure."""

from enum import StrEnum

import msgspec

from exchange.domain.states import LeadStatus


class Topic(StrEnum):
    """What a message is about; its `type` on the wire."""

    LEAD_SOLD = "lead.sold"
    LEAD_UNSOLD = "lead.unsold"
    LEAD_RESOLVED = "lead.resolved"
    """The end of a lead of which its seller heard `pending`, sold or not."""


ENDS = {LeadStatus.SOLD: Topic.LEAD_SOLD, LeadStatus.UNSOLD: Topic.LEAD_UNSOLD}


class Webhook(msgspec.Struct, frozen=True):
    """Where somebody is told, of what, and how it is signed."""

    url: str
    topics: frozenset[Topic]
    secret: bytes | None = None
    """Decoded; None: messages are not signed."""

    def __repr__(self) -> str:
        """Say where; the secret is nobody's business."""
        return f"Webhook({self.url})"


class MessageRow(msgspec.Struct, frozen=True):
    """A message as it is written with what it tells; its body is made when it is sent."""

    id: str
    recipient: str
    topic: Topic


class NoticeKind(StrEnum):
    """What became of a bid."""

    WON = "won"
    OUTBID = "outbid"
    BELOW_FLOOR = "below_floor"
    LATE = "late"
    """No whole answer by `tmax_ms`."""
    INVALID = "invalid"
    CAPPED = "capped"
    """It stood, and its own cap, budget or balance had no room at the award."""


class NoticeTerms(msgspec.Struct, frozen=True):
    """Where an offer's notices go, and which."""

    url: str
    kinds: frozenset[NoticeKind]


def topic_of_end(webhook: Webhook | None, status: LeadStatus, *, pending: bool) -> Topic | None:
    """Return as what a seller hears of a lead's end; None where it does not ask for it.

    One end is one message: `lead.resolved` where the seller heard `pending` and asks for that,
    else `lead.sold` or `lead.unsold`. A duplicate and a rejection are ends that nobody waits for.
    """
    topic = ENDS.get(status)
    if webhook is None or topic is None:
        return None
    if pending and Topic.LEAD_RESOLVED in webhook.topics:
        return Topic.LEAD_RESOLVED
    return topic if topic in webhook.topics else None


def seller_recipient(seller_id: str) -> str:
    """Return the name under which a seller's messages are kept."""
    return f"seller/{seller_id}"


def offer_recipient(offer_id: str) -> str:
    """Return the name under which an offer's notices are kept."""
    return f"offer/{offer_id}"
