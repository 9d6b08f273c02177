"""The timeline's events: everything that happened to one lead, in order, with its reason."""

from enum import StrEnum

import msgspec

from exchange.domain.expected import Expected
from exchange.domain.ids import LeadId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason


class EventName(StrEnum):
    """What can happen to a lead; the contract's words."""

    RECEIVED = "received"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    BLOCKED = "blocked"
    SCORED = "scored"
    QUOTED = "quoted"
    OFFER_LEFT_OUT = "offer_left_out"
    PINGED = "pinged"
    BID = "bid"
    NO_BID = "no_bid"
    """The buyer's own no, or by its reason a way not to bid: late, invalid, unreachable."""
    RANKED = "ranked"
    HELD = "held"
    HOLD_FAILED = "hold_failed"
    AWARDED = "awarded"
    POSTED = "posted"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    REPEATED = "repeated"
    STATUS_ASKED = "status_asked"
    ADVANCED = "advanced"
    VOIDED = "voided"
    SOLD = "sold"
    UNSOLD = "unsold"
    PENDING = "pending"
    RESOLVED = "resolved"
    RETURNED = "returned"
    OUTCOME = "outcome"
    CONFIGURED = "configured"
    VALIDATED = "validated"
    CLAIMED = "claimed"
    MERGED = "merged"
    """The person was posted again, and that is part of this lead; told from what was posted."""
    STAGE = "stage"
    RECOVERED = "recovered"
    LATE_ACCEPTANCE = "late_acceptance"
    FLOOR = "floor"
    """The floor of an auction was learned, or drawn in order to learn."""
    CHOSEN = "chosen"
    """Who is to get a lead that may be shared: together, or one alone."""
    RELEASED = "released"
    """A hold given back because the buyers who were to share could not all be held."""
    CLOSED_EARLY = "closed_early"
    """An auction that was decided before its time: after `ms`, why, and how much time was left."""
    ANONYMITY = "anonymity"
    """How many people the pings that just went out could be about."""


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What was posted of a lead's person afterwards, and is part of that lead."""

    lead_id: LeadId
    """The id that its seller was told."""
    seller_id: str
    source_id: str
    channel: str | None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line of a timeline; short keys, for it is stored as it is."""

    at_us: int = msgspec.field(name="t")
    event: EventName = msgspec.field(name="e")
    offer: str | None = msgspec.field(default=None, name="o")
    reason: Reason | None = msgspec.field(default=None, name="r")
    ms: float | None = msgspec.field(default=None, name="ms")
    price: Micros | None = msgspec.field(default=None, name="p")
    """What the buyer pays or bids."""
    payout: Micros | None = msgspec.field(default=None, name="pay")
    floor: Micros | None = msgspec.field(default=None, name="f")
    sale_id: str | None = msgspec.field(default=None, name="s")
    stage: int | None = msgspec.field(default=None, name="st")
    detail: str | None = msgspec.field(default=None, name="d")
    """A clause, a counter, a rule's id, a buyer's cleaned words; never an identity value."""
    reference: str | None = msgspec.field(default=None, name="rf")
    """The buyer's own, of an answer that decides nothing: by it the sale may be asked about."""
    score: int | None = msgspec.field(default=None, name="sc")
    model: str | None = msgspec.field(default=None, name="m")
    offers: tuple[str, ...] | None = msgspec.field(default=None, name="os")
    """Of `pinged` and `ranked`: all of them in one line, in order; unfolded when read. In a
    ranking the first stands best, and the others are outbid unless a later line tells more."""
    expected: tuple[Expected, ...] | None = msgspec.field(default=None, name="ex")
    """Of a ranking by expected value: the numbers of each of its offers, in their order."""
    segment: str | None = msgspec.field(default=None, name="sg")
    """Of a learned floor: the state and the hours of the lead, `TX 12-18`."""
    left_out: dict[int, tuple[str, ...]] | None = msgspec.field(default=None, name="lo")
    """Offers left out without a word of their own, by reason code; unfolded when read."""
    places: dict[int, str] | None = msgspec.field(default=None, name="pl")
    """The same where they are many: the set of their places in the stage, see domain.places."""
    people: int | None = msgspec.field(default=None, name="k")
    """Of `anonymity`: so many look the same in a ping, this one among them."""
    version: int | None = msgspec.field(default=None, name="v")
    """Of the market under which offers were left out: it tells whose places these are, and whose
    filters; what they failed follows from it and the lead, and is not stored."""
    merged: Merged | None = msgspec.field(default=None, name="mg")
    """Of `merged`."""
