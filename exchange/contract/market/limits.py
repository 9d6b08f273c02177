"""How much is taken: caps, rates, and the limits of a pilot."""

from typing import Annotated

from msgspec import Meta

from exchange.contract.parts import Amount, Count, Id, Part
from exchange.domain.offer import Per


class VolumeCapPart(Part, frozen=True, kw_only=True):
    """One limit of what a seller or a source brings."""

    leads: Count | None = None
    """Taken in."""
    pings: Count | None = None
    """Sent to buyers for its leads and pings."""
    per: Per


class SellerPilotPart(Part, frozen=True, kw_only=True):
    """How far a seller may go before it is paused: in leads, in what it is paid, or both."""

    leads: Count | None = None
    payout: Amount | None = None


class CapPart(Part, frozen=True, kw_only=True):
    """One limit: of leads, of money, or of sales under way at once."""

    leads: Count | None = None
    spend: Amount | None = None
    concurrent: Count | None = None
    per: Per | None = None
    pace: bool = False
    """Spread over the open hours of its window."""


class AccountPart(Part, frozen=True, kw_only=True):
    """A part of a buyer, such as a branch, with limits of its own under the buyer's."""

    id: Id
    caps: tuple[CapPart, ...] = ()


class PilotPart(Part, frozen=True, kw_only=True):
    """How far a buyer, an offer or a campaign may go before it is paused.

    In leads, in what buyers pay, or both.
    """

    leads: Count | None = None
    spend: Amount | None = None


class RatePart(Part, frozen=True, kw_only=True):
    """How often an offer may be pinged, by all workers together; one of the two."""

    per_second: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    per_minute: Annotated[int, Meta(ge=1, le=10_000)] | None = None
