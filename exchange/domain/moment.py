"""The durable moments of a lead: what is written together, once, or not at all.

Every lead has a chain of moments numbered from 1. A moment is committed only if nobody wrote
that number before: this one rule fences a stopped worker off a lead that another one finished,
makes a quote usable once, and lets a repeated flush be recognized. All rows that belong to a
moment (an award, the end of a sale, transfers of money) stand or fall with it.
"""

from enum import StrEnum

import msgspec

from exchange.domain.events import Event
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.message import MessageRow
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus, SaleState


class MomentKind(StrEnum):
    """Why something was written."""

    QUOTE = "quote"
    LEAD = "lead"
    AWARD = "award"
    OUTCOME = "outcome"
    """A sale's or the lead's end, or both."""
    PENDING = "pending"
    NOTE = "note"
    """Events that change no state, such as a late acceptance."""
    MERGED = "merged"
    """A duplicate that is part of the lead that came first: what it says of a lead and of its end
    is kept as a submission, and no lead comes of it."""
    VOID = "void"
    """Takes a number so that a stopped worker cannot."""


class LeadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as the reports know it: no field of the person."""

    seller_id: str
    campaign_id: str
    source_id: str
    channel: str | None
    source_declared: bool
    vertical_id: str
    seller_ref: str | None
    test: bool
    version: int
    """The snapshot's, under which it was sold."""
    received_at_us: int
    answer_by_us: int
    idempotency_key: bytes | None = None
    """Digest of account, path and key; None where the seller sent no key."""
    claim: bytes | None = None
    """What the duplicate check claimed for it, packed; needed to free it after a crash."""
    state: str | None = None
    score: int | None = None


class QuoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ping as its seller was answered: quoted, unsold, duplicate or rejected."""

    seller_id: str
    campaign_id: str
    source_id: str
    vertical_id: str
    test: bool
    version: int
    status: LeadStatus
    reason: Reason | None
    price: Micros | None
    """What the seller was promised."""
    expires_at_us: int | None


class AwardRow(msgspec.Struct, frozen=True, kw_only=True):
    """The decision to post to one buyer."""

    sale_id: SaleId
    offer_id: str
    buyer_id: str
    price: Micros
    payout: Micros
    currency: str
    held_at_us: int
    bid_id: str | None
    ping_id: str | None
    stage: int
    buyers_max: int = 1
    """So many buyers at most have the lead, this one among them; 1: it is alone."""
    post: bytes | None = None
    """The post's query, headers and body, sealed with the lead's records: what a repetition sends
    again."""


class SaleEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one sale: accepted, refused or void, exactly once."""

    sale_id: SaleId
    state: SaleState
    reason: Reason | None = None
    reference: str | None = None
    redirect_url: str | None = None


class LeadEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a lead, exactly once."""

    status: LeadStatus
    reason: Reason | None = None
    detail: str | None = None
    price: Micros | None = None
    """What the seller is paid, in total; None unless sold."""
    original: LeadId | None = None
    """Of a duplicate: the lead that came first."""


class Transfer(msgspec.Struct, frozen=True):
    """A double entry: what leaves one account enters another; the amount is above zero."""

    kind: str
    debit: str
    credit: str
    amount: Micros
    currency: str
    sale_id: SaleId | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """All that is written of one lead at one time."""

    lead_id: LeadId
    number: int
    kind: MomentKind
    at_us: int
    events: tuple[Event, ...]
    lead: LeadRow | None = None
    quote: QuoteRow | None = None
    record: bytes | None = None
    """The full record in clear; the ledger seals it under a data key of its own."""
    award: AwardRow | None = None
    sale_end: SaleEnd | None = None
    lead_end: LeadEnd | None = None
    transfers: tuple[Transfer, ...] = ()
    capture: bytes | None = None
    """Exact requests and answers since the last moment, sealed and kept for a set time."""
    message: MessageRow | None = None
    """Tells the seller of the lead's end, where it asks for that."""
    announce: bool = False
    """Somebody may be waiting for this elsewhere: all workers are told the lead's id."""
