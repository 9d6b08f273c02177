"""What operators hear of a lead: everything but the person."""

from decimal import Decimal

import msgspec

from exchange.contract.seller import LeadAnswer, ReasonOut, TimelineEntry


class OperatorSale(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One award and what became of it."""

    sale_id: str
    offer: str
    buyer: str
    state: str
    price: Decimal
    """What the buyer pays."""
    payout: Decimal
    """What the seller gets."""
    stage: int
    reason: ReasonOut | None = None
    reference: str | None = None
    redirect_url: str | None = None


class CaptureOut(msgspec.Struct, frozen=True, kw_only=True):
    """One exact exchange with a buyer's endpoint, identity masked."""

    at: str
    offer: str
    kind: str
    """`ping` or `post`."""
    request: str
    answer: str | None
    """None where nothing came back."""


class ErasedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `DELETE /v1/admin/leads/{lead_id}/person`."""

    lead_id: str
    erased_at: str
    """When that was asked for first."""
    erased_by: str


class OperatorLeadView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/admin/leads/{lead_id}`."""

    lead_id: str
    status: str
    price: Decimal | None
    """What the seller is paid, in total; null unless sold."""
    currency: str
    reason: ReasonOut | None
    score: int | None
    duration_ms: float
    received_at: str
    seller: str
    campaign: str
    source: str
    channel: str | None
    seller_ref: str | None
    test: bool
    market_version: int
    """Of the configuration under which the lead was sold."""
    heard: LeadAnswer
    """What the seller was answered, up to date."""
    sales: tuple[OperatorSale, ...]
    timeline: tuple[TimelineEntry, ...]
    captures: tuple[CaptureOut, ...]
