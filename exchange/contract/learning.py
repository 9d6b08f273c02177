"""What a campaign learns from its own ledger, as the market file says it."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.parts import Amount, Part, Percent

Days = Annotated[int, Meta(ge=1, le=3650)]


class ExpectedValuePart(Part, frozen=True, kw_only=True):
    """How the chances are estimated that expected value is made of."""

    prior_posts: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """So many posts of the campaign's mean every offer is taken to have had; absent: fitted."""
    days: Days = 30
    returns_after_days: Annotated[int, Meta(ge=0, le=365)] = 14
    """A sale tells whether it is returned once it is so old."""
    after_refusal: Percent = Decimal(0)
    """What a refused lead is still worth to the next buyer, in percent."""


class LearnFloorPart(Part, frozen=True, kw_only=True):
    """Between which bounds, and at what price, floors are learned."""

    explore: Annotated[Decimal, Meta(extra={"least": 0, "most": 1})]
    """The share of auctions whose floor is drawn instead, from 0 to 1."""
    min: Amount
    max: Amount
    hours: int = 6
    """How long a band of hours is."""
    time_zone: str = "UTC"
    auctions: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """So many a segment needs before it has a floor of its own."""
    days: Days = 28
    unsold: Amount = msgspec.field(default_factory=Decimal)
    """What a lead still brings that nobody buys in this stage."""
