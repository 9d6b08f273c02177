"""Who buys: a company, how it pays, and how much it takes."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from exchange.contract.market.limits import AccountPart, CapPart, PilotPart
from exchange.contract.market.offers import OfferPart
from exchange.contract.parts import Amount, Id, Part, Percent, Title


class BillingKind(StrEnum):
    """How a buyer pays."""

    PREPAID = "prepaid"
    CREDIT = "credit"


class BillingPart(Part, frozen=True, kw_only=True):
    """How far a buyer's account may go; absent: only its caps limit what it spends."""

    mode: BillingKind
    opening_balance: Amount | None = None
    """Booked once, when the buyer is made."""
    limit: Amount | None = None


class ReturnsPart(Part, frozen=True, kw_only=True):
    """What a buyer may send back, and until when."""

    window_days: Annotated[int, Meta(ge=0, le=365)]
    reasons: tuple[Id, ...] = ()
    max_percent: Percent = Decimal(100)
    auto_approve_hours: Annotated[int, Meta(ge=0, le=8760)] | None = None


class BuyerDuplicatesPart(Part, frozen=True, kw_only=True):
    """How long a person whom a buyer bought is not offered to it again."""

    window_hours: Annotated[int, Meta(ge=1, le=87_600)]


class BuyerPart(Part, frozen=True, kw_only=True):
    """A company that bids."""

    id: Id
    name: Title | None = None
    time_zone: str = "UTC"
    currency: str = "USD"
    billing: BillingPart | None = None
    caps: tuple[CapPart, ...] = ()
    account: tuple[AccountPart, ...] = ()
    pilot: PilotPart | None = None
    duplicates: BuyerDuplicatesPart | None = None
    returns: ReturnsPart | None = None
    paused: bool = False
    own: bool = False
    """The house's own team: `own_team` stages are for such buyers."""
    offer: tuple[OfferPart, ...] = ()
