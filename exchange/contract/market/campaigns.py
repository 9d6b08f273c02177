"""What a seller posts into: its terms, its rules, and its routing plan."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.learning import ExpectedValuePart, LearnFloorPart
from exchange.contract.market.limits import PilotPart
from exchange.contract.market.margins import MarginPart
from exchange.contract.parts import Amount, FieldName, Id, Milliseconds, Part, Text
from exchange.domain.campaign import (
    Against,
    DuplicateScope,
    LocationCheck,
    MatchOn,
    Method,
    PriceRuleKind,
    ReturnsTo,
    Weights,
)
from exchange.domain.expected import RankBy


class Rounding(StrEnum):
    """To what a payout is rounded down."""

    CENT = "cent"
    MICRO = "micro"


class TermsPart(Part, frozen=True, kw_only=True):
    """A seller of a campaign with terms of its own; what is absent is the campaign's."""

    id: Id
    margin: MarginPart | None = None
    offer_margins: dict[Id, MarginPart] = msgspec.field(default_factory=dict)
    """By offer: what holds of this seller's leads when that offer buys them."""
    returns: ReturnsTo | None = None
    payout_rounding: Rounding | None = None


class Action(StrEnum):
    """What becomes of a duplicate; its seller hears the same."""

    REJECT = "reject"
    """It is a lead of its own, kept like every other."""
    MERGE = "merge"
    """It is part of the lead that came first, and no lead."""


class DuplicatesPart(Part, frozen=True, kw_only=True):
    """When a lead repeats an earlier one."""

    window_hours: Annotated[int, Meta(ge=1, le=87_600)]
    on: tuple[FieldName, ...] = ("phone", "email")
    match: MatchOn = MatchOn.ANY
    against: Against = Against.SOLD
    scope: DuplicateScope = DuplicateScope.CAMPAIGN
    action: Action = Action.REJECT


class StagePart(Part, frozen=True, kw_only=True):
    """One step of a campaign's routing plan."""

    method: Method
    offers: tuple[str, ...] = ("*",)
    """Ids of offers in the order in which a rule asks them; `*`: all of the vertical, of an
    `own_team` all of its own buyers."""
    when: Text | None = None
    """Leads of which it does not hold pass the stage by."""
    weights: Weights = Weights.FIXED
    """Of a `weighted` stage: the offers' own, or those by how much of it their buyers accept."""
    buy_now: Amount | None = None
    """The bid that ends a `first_accept` at once."""
    early_close: bool = False
    """Ask no longer than until nobody who is still silent can win; offers say their `max_bid`."""
    timeout_ms: Milliseconds | None = None
    """Absent: the campaign's auction deadline."""
    floor: Amount | None = None
    """In place of the campaign's."""
    price_rule: PriceRuleKind = PriceRuleKind.FIRST_PRICE
    rank_by: RankBy | None = None
    """In place of the campaign's."""
    max_buyers: Annotated[int, Meta(ge=1, le=100)] = 1
    """So many may share a lead at most; 1: whoever gets it is alone."""


class FloorsPart(Part, frozen=True, kw_only=True):
    """Floors that depend on the lead: a table of rules, the most specific of which counts."""

    fields: tuple[FieldName, ...]
    """What the parts of a rule's key stand for, in their order."""
    values: dict[Text, Amount] = msgspec.field(default_factory=dict)
    """The floor by key: `"TX|*|mobile" = 9.00`."""
    default: Amount | None = None
    """Where no rule fits; absent: the campaign's floor."""


class CampaignPart(Part, frozen=True, kw_only=True):
    """What a seller posts into."""

    id: Id
    vertical: Id
    sellers: tuple[Id | TermsPart, ...] = ()
    currency: str = "USD"
    floor: Amount = Decimal(0)
    floors: FloorsPart | None = None
    margin: MarginPart | None = None
    returns: ReturnsTo = ReturnsTo.PASS
    payout_rounding: Rounding = Rounding.CENT
    auction_deadline_ms: Annotated[int, Meta(ge=100, le=30_000)] = 1000
    answer_deadline_ms: Annotated[int, Meta(ge=100, le=120_000)] = 30_000
    quote_ttl_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    hold_quotes: bool = False
    """Holds room in caps and budgets for what is quoted, until the quote expires."""
    qualify: Text | dict[Id, Text] = msgspec.field(default_factory=dict)
    """A condition, or conditions by the id with which they reject."""
    min_score: Annotated[int, Meta(ge=0, le=100)] = 0
    location: LocationCheck = LocationCheck.REJECT
    reject_disposable_email: bool = False
    disclose_buyer: bool = False
    duplicates: DuplicatesPart | None = None
    rank_by: RankBy = RankBy.PRICE
    expected_value: ExpectedValuePart = ExpectedValuePart()
    learn_floor: LearnFloorPart | None = None
    sandbox: bool = False
    """Test leads meet test offers of the exchange's own, with answers by ZIP code."""
    pilot: PilotPart | None = None
    paused: bool = False
    stage: tuple[StagePart, ...] = ()
