"""What a seller posts into: a vertical, a floor, a margin, a routing plan."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.domain.condition import Condition
from exchange.domain.money import Micros


class MarginKind(StrEnum):
    """How the exchange's part is computed."""

    PERCENT = "percent"
    FIXED = "fixed"
    PAYOUT = "payout"
    """The seller gets a fixed price, the exchange the rest."""


class Margin(msgspec.Struct, frozen=True):
    """The rule by which a buyer's price becomes the seller's payout."""

    kind: MarginKind = MarginKind.PERCENT
    percent: Decimal = Decimal(0)
    amount: Micros = Micros(0)
    """Of a fixed margin, or the fixed payout."""
    round_to_cent: bool = True
    allow_loss: bool = False


class ReturnsTo(StrEnum):
    """Who bears a return."""

    PASS = "pass"  # noqa: S105 - the contract's word, no secret
    ABSORB = "absorb"


class Method(StrEnum):
    """How a stage hands out a lead."""

    AUCTION = "auction"
    WATERFALL = "waterfall"


class Stage(msgspec.Struct, frozen=True):
    """One step of a routing plan."""

    number: int
    method: Method
    offer_ids: tuple[str, ...]
    """Resolved: `*` is every offer of the vertical; in the order of the market file."""
    timeout_ms: int
    floor: Micros
    """The stage's own floor, else the campaign's."""
    max_buyers: int = 1
    """So many buyers may share a lead at most."""


class MatchOn(StrEnum):
    """Whether one recognized field makes a duplicate, or only all together."""

    ANY = "any"
    ALL = "all"


class Against(StrEnum):
    """What an earlier lead must have become to count."""

    SOLD = "sold"
    """Sold, in flight, or in doubt."""
    ALL = "all"


class DuplicateScope(StrEnum):
    """How far a duplicate check looks."""

    CAMPAIGN = "campaign"
    VERTICAL = "vertical"


class DuplicateRule(msgspec.Struct, frozen=True):
    """When a lead repeats an earlier one."""

    window_s: int
    on: tuple[str, ...]
    match: MatchOn
    against: Against
    scope: DuplicateScope


class LocationCheck(StrEnum):
    """What becomes of a lead whose ZIP lies in another state than it says."""

    REJECT = "reject"
    WARN = "warn"


class SellerTerms(msgspec.Struct, frozen=True):
    """What one seller agreed with one campaign."""

    seller_id: str
    margin: Margin
    returns: ReturnsTo


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller posts into."""

    id: str
    vertical_id: str
    currency: str
    sellers: dict[str, SellerTerms]
    floor: Micros = Micros(0)
    stages: tuple[Stage, ...]
    auction_deadline_ms: int
    answer_deadline_ms: int
    quote_ttl_s: int
    qualify: tuple[tuple[str, Condition], ...] = ()
    """Rules by id; the first that does not hold rejects the lead with its id."""
    min_score: int = 0
    location: LocationCheck = LocationCheck.REJECT
    duplicates: DuplicateRule | None = None
    disclose_buyer: bool = False
    reject_disposable_email: bool = False
    paused: bool = False
