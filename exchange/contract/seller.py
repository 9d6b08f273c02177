"""What sellers send and hear; field names and status words are fixed by the contract."""

from decimal import Decimal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from exchange.domain.reason import Reason


class ConsentIn(msgspec.Struct, frozen=True):
    """A consent as a seller states it; each value is checked and cleaned by intake."""

    tcpa: object = None
    text: object = None
    url: object = None
    ip: object = None
    at: object = None
    trustedform_url: object = None
    jornaya_id: object = None
    named_buyers: object = None


class LeadRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/leads` and `POST /v1/pings`, before any check of its values.

    Control fields are checked one by one, so that all errors are told at once; `lead`, `consent`
    and `tracking` are open. Unknown top-level fields go to the lead's `extra`.
    """

    campaign: object = UNSET
    source: object = None
    seller_ref: object = None
    ping_id: object = None
    min_price: Raw | UnsetType = UNSET
    timeout_ms: object = None
    test: object = False
    lead: object = UNSET
    consent: object = None
    tracking: object = None
    already_sold: object = 0
    exclude_buyers: object = ()
    legs: object = None


class ReasonOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reason as it is published: `{"code": 301, "reason": "below_floor"}`."""

    code: int
    reason: str
    detail: str | None = None

    @classmethod
    def of(cls, reason: Reason, detail: str | None = None) -> "ReasonOut":
        """Return the published form of a reason."""
        return cls(reason.value, reason.word, detail)


class SaleOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sale as its seller sees it."""

    sale_id: str
    price: Decimal
    buyer: str | None = None
    redirect_url: str | None = None


class Original(msgspec.Struct, frozen=True):
    """The seller's own earlier lead that a duplicate repeats."""

    lead_id: str
    status: str
    price: Decimal | None
    redirect_url: str | None


class LeadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a post: 200 for every outcome of a well-formed lead."""

    lead_id: str
    status: str
    price: Decimal | None
    currency: str
    sales: tuple[SaleOut, ...]
    reason: ReasonOut | None
    score: int | None
    duration_ms: float
    original: Original | UnsetType = UNSET


class ExpectedOut(msgspec.Struct, frozen=True):
    """What a bid was worth when it was ranked, and by which chances."""

    accepted: Decimal
    """The chance that its post is accepted, from 0 to 1."""
    returned: Decimal
    """The chance that the sale is returned."""
    value: Decimal


class SubmissionOut(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was posted of a lead's person afterwards, and is part of that lead."""

    lead_id: str
    """The id that was answered."""
    seller: str
    source: str
    channel: str | None = None
    """Told to operators."""


class TimelineEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line of a timeline, as it is published."""

    seq: int
    at: str
    event: str
    offer: str | None = None
    buyer: str | None = None
    reason: ReasonOut | None = None
    ms: float | None = None
    price: Decimal | None = None
    payout: Decimal | None = None
    floor: Decimal | None = None
    sale_id: str | None = None
    stage: int | None = None
    detail: str | None = None
    score: int | None = None
    model: str | None = None
    expected: ExpectedOut | None = None
    segment: str | None = None
    people: int | None = None
    """How many people a ping could be about; told to operators."""
    submission: SubmissionOut | None = None
    """Of `merged`; a seller hears of its own."""


class LeadView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/leads/{lead_id}`: the POST's, up to date, and the way it took."""

    lead_id: str
    status: str
    price: Decimal | None
    currency: str
    sales: tuple[SaleOut, ...]
    reason: ReasonOut | None
    score: int | None
    duration_ms: float
    campaign: str
    source: str
    seller_ref: str | None
    """The seller's own word for it: a lead whose answer was lost is known by it alone."""
    test: bool
    owner: str | None
    """The public names of its buyers, only where the campaign discloses them."""
    timeline: tuple[TimelineEntry, ...]
    original: Original | UnsetType = UNSET


class Leg(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a quote: what one buyer would pay for."""

    leg_id: str
    price: Decimal
    buyer: str | None = None
    consent_text: str | None = None


class QuoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a ping: a binding quote, or why there is none."""

    ping_id: str | None
    status: str
    price: Decimal | None
    currency: str
    expires_at: str | None
    legs: tuple[Leg, ...]
    reason: ReasonOut | None
    warnings: tuple[str, ...] | UnsetType = UNSET


class FieldError(msgspec.Struct, frozen=True):
    """One bad field: where, which of the contract's codes, and a sentence without its value."""

    field: str
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()
