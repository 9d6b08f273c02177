"""One offer, tried: what would go out to it; where it was sent, what came back and how it reads."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class Sending(StrEnum):
    """What of a try really leaves the house."""

    PING = "ping"
    POST = "post"
    BOTH = "both"
    """The post only where the ping brought a bid."""


class TryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/admin/offers/{offer_id}/try`; empty: everything is shown, not sent.

    All but `send` is what `POST /v1/leads` takes, so that a seller's own lead can be pasted; its
    campaign and its prices mean nothing here.
    """

    send: Sending | None = None
    lead: dict[str, object] | None = None
    """As a seller would send it; absent: an invented one of the vertical."""
    consent: dict[str, object] | None = None
    tracking: dict[str, object] | None = None
    source: str | None = None


class TriedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out, named secrets taken out."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str


class TriedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


class TriedReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an answer was understood."""

    outcome: str
    """Of a ping: `bid`, `no_bid`, `invalid_bid`, `timeout` …; of a post: `accepted`, `refused`,
    `in_doubt`, `unreachable`."""
    detail: str | None = None
    """The buyer's reason, or what was wrong with its answer."""
    price: Decimal | None = None
    currency: str | None = None
    bid_id: str | None = None
    token: str | None = None
    """What the post will show again."""
    ttl_s: int | None = None
    reference: str | None = None
    redirect_url: str | None = None


class TriedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A ping, a post or a question about a sale, of a try."""

    request: TriedRequest
    sent: bool
    answer: TriedAnswer | None
    """None where it was not sent, or nothing came back."""
    ms: float | None
    read: TriedReading | None
    """None where it was not sent."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a try; nothing of it is on any book."""

    offer: str
    vertical: str
    lead: dict[str, object]
    """The lead that was used, as intake understood it."""
    ping: TriedCall | None
    """None where the offer is not asked."""
    post: TriedCall | None
    """None where nothing is called when it wins."""
    status: TriedCall | None
    """The question about the sale of that post; None where its buyer cannot be asked."""
    note: str | None
    """Why something was not sent though it was asked for."""
