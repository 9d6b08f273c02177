"""What learning changed, as operators read it."""

from decimal import Decimal

import msgspec


class RankedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Leads that were ranked by expected value, and the money of them."""

    leads: int
    expected: Decimal
    """What posting in the order of value was expected to bring, down all bids."""
    by_price: Decimal
    """What posting in the order of prices was expected to bring."""
    realized: Decimal
    """What buyers were charged, less returns."""


class OfferChanceOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one offer in one campaign."""

    offer: str
    posts: int
    """That have their end."""
    taken: int
    """Of these, accepted."""
    accepted: Decimal
    """The estimated chance that its post is accepted, from 0 to 1."""
    returned: Decimal
    """The estimated chance that its sale is returned."""


class ExpectedValueOut(msgspec.Struct, frozen=True, kw_only=True):
    """What ranking by expected value changed in one campaign."""

    campaign: str
    currency: str
    all: RankedOut
    changed: RankedOut
    """Of these, the leads that another offer came first for than by price."""
    offers: tuple[OfferChanceOut, ...]


class ExpectedValueReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/admin/reports/expected-value`."""

    since: str
    campaigns: tuple[ExpectedValueOut, ...]


class FloorGroupOut(msgspec.Struct, frozen=True, kw_only=True):
    """Auctions whose floors came about alike, and what their leads brought in all."""

    model: str
    """`learned`, `control` (explored at the minimum), `explored` (drawn), `least` (not yet)."""
    auctions: int
    sold: int
    revenue: Decimal
    revenue_per_auction: Decimal


class SegmentFloorOut(msgspec.Struct, frozen=True, kw_only=True):
    """The floor that one segment has now."""

    segment: str
    floor: Decimal
    auctions: int
    """How many it was learned from."""
    at: str


class LearnedFloorsOut(msgspec.Struct, frozen=True, kw_only=True):
    """What learned floors brought in one campaign."""

    campaign: str
    currency: str
    groups: tuple[FloorGroupOut, ...]
    floors: tuple[SegmentFloorOut, ...]


class LearnedFloorsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/admin/reports/learned-floors`."""

    since: str
    campaigns: tuple[LearnedFloorsOut, ...]
