"""The market file: what operators write as TOML, and the admin API takes as JSON.

The types say what a key may hold, its default and its limits. What they cannot say, such as that
a stage's offers exist, is checked by `exchange.configuration`. Money is an exact Decimal.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.door import DoorPart
from exchange.contract.learning import ExpectedValuePart, LearnFloorPart
from exchange.contract.mapping import MappingPart, Scalar
from exchange.contract.parts import (
    Amount,
    Count,
    FieldName,
    Id,
    Milliseconds,
    Part,
    Percent,
    SourceId,
    Text,
    Title,
    Url,
)
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
from exchange.domain.message import NoticeKind, Topic
from exchange.domain.offer import HashKind, OnLowerPrice, OnNoAnswer, Per
from exchange.domain.seller import UndeclaredSources
from exchange.domain.vertical import FieldType, Privacy, Show


class Required(StrEnum):
    """Whether a field must be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class FieldPart(Part, frozen=True, kw_only=True):
    """One field of a vertical."""

    type: FieldType
    privacy: Privacy
    ping: Required = Required.OPTIONAL
    """`required`: needed in a ping, and so in a direct post."""
    post: Required = Required.OPTIONAL
    show: Show | None = None
    """How a ping shows it; absent: attributes as they are, all else hidden."""
    values: tuple[Text, ...] = ()
    """The choices of a `choice`."""
    aliases: dict[str, Text] = msgspec.field(default_factory=dict)
    """Other spellings of a choice."""
    min: Decimal | None = None
    max: Decimal | None = None
    length_max: Annotated[int, Meta(ge=1, le=10_000)] = 200
    pattern: Text | None = None
    """A regular expression that the whole value must match."""


class AnonymityPart(Part, frozen=True, kw_only=True):
    """That it is counted how many people a ping could be about."""

    window_days: Annotated[int, Meta(ge=1, le=366)] = 30
    """How far back people count."""


class VerticalPart(Part, frozen=True, kw_only=True):
    """A kind of lead with its field schema."""

    id: Id
    name: Title | None = None
    fields: dict[FieldName, FieldPart]
    anonymity: AnonymityPart | None = None
    """Absent: not counted."""


class VolumeCapPart(Part, frozen=True, kw_only=True):
    """One limit of what a seller or a source brings."""

    leads: Count | None = None
    """Taken in."""
    pings: Count | None = None
    """Sent to buyers for its leads and pings."""
    per: Per


class SourcePart(Part, frozen=True, kw_only=True):
    """One feed of a seller."""

    id: SourceId
    channel: Title | None = None
    cost: Amount = Decimal(0)
    """What one lead of it costs the exchange beside the payout."""
    floor: Amount = Decimal(0)
    caps: tuple[VolumeCapPart, ...] = ()
    paused: bool = False


class SellerPilotPart(Part, frozen=True, kw_only=True):
    """How far a seller may go before it is paused."""

    leads: Count


class WebhookPart(Part, frozen=True, kw_only=True):
    """Where a seller is told of its leads."""

    url: Url
    events: tuple[Topic, ...] = (Topic.LEAD_RESOLVED,)


class SellerPart(Part, frozen=True, kw_only=True):
    """A publisher."""

    id: Id
    name: Title | None = None
    source: tuple[SourcePart, ...] = ()
    undeclared_sources: UndeclaredSources = UndeclaredSources.ACCEPT
    always_200: bool = False
    """Answers errors with status 200, for sellers that cannot read 4xx."""
    time_zone: str = "UTC"
    """In which its caps count; weeks begin on Monday."""
    caps: tuple[VolumeCapPart, ...] = ()
    """Limits on all of its sources together."""
    pilot: SellerPilotPart | None = None
    webhook: WebhookPart | None = None
    paused: bool = False


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
    """How far a buyer may go before it is paused: in leads, in money, or both."""

    leads: Count | None = None
    spend: Amount | None = None


class ReturnsPart(Part, frozen=True, kw_only=True):
    """What a buyer may send back, and until when."""

    window_days: Annotated[int, Meta(ge=0, le=365)]
    reasons: tuple[Id, ...] = ()
    max_percent: Percent = Decimal(100)
    auto_approve_hours: Annotated[int, Meta(ge=0, le=8760)] | None = None


class BuyerDuplicatesPart(Part, frozen=True, kw_only=True):
    """How long a person whom a buyer bought is not offered to it again."""

    window_hours: Annotated[int, Meta(ge=1, le=87_600)]


class PricePart(Part, frozen=True, kw_only=True):
    """A price for the leads of which a condition holds."""

    when: Text
    price: Amount


class PointsPart(Part, frozen=True, kw_only=True):
    """How much better, or worse, leads of a condition fit."""

    when: Text
    points: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


class RatePart(Part, frozen=True, kw_only=True):
    """How often an offer may be pinged, by all workers together; one of the two."""

    per_second: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    per_minute: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class PingPart(Part, frozen=True, kw_only=True):
    """Where an offer is asked for its bid."""

    url: Url
    timeout_ms: Milliseconds | None = None
    """Absent: the stage's."""
    max_bid: Amount = Decimal(1000)
    rate: RatePart | None = None
    """Absent: as often as there are leads for it."""


class StatusPart(Part, frozen=True, kw_only=True):
    """Where a buyer is asked what became of a sale that it left in doubt."""

    url: Url
    """With `{sale.id}`, `{reference}`, `{bid.id}` or `{ping.id}` in it."""
    timeout_ms: Milliseconds = 5_000


class PostPart(Part, frozen=True, kw_only=True):
    """Where a won lead goes."""

    url: Url
    timeout_ms: Milliseconds = 10_000
    on_no_answer: OnNoAnswer | None = None
    """Absent: `wait`; a mapped offer whose buyer knows no repetition, and cannot be asked either,
    must say it."""
    in_doubt_max_s: Annotated[int, Meta(ge=1, le=86_400)] = 120
    status: StatusPart | None = None


class NoticesPart(Part, frozen=True, kw_only=True):
    """Where an offer is told what became of its bids."""

    url: Url
    events: tuple[NoticeKind, ...] = tuple(NoticeKind)


STANDARD = "standard"
"""The exchange's own format; every other one is a mapping."""


class FormatPart(Part, frozen=True, kw_only=True):
    """How an endpoint speaks whose ping and post speak differently."""

    ping: Id = STANDARD
    post: Id = STANDARD


class BandPart(Part, frozen=True, kw_only=True):
    """The exchange's part of prices up to one, in one of three ways."""

    upto: Amount | None = None
    """Absent, in the last band alone: every price above the others'."""
    percent: Percent | None = None
    fixed: Amount | None = None
    payout: Amount | None = None
    relax_to: Amount | None = None


class MarginPart(Part, frozen=True, kw_only=True):
    """The exchange's part of a price, in one of four ways."""

    percent: Percent | None = None
    fixed: Amount | None = None
    payout: Amount | None = None
    """A fixed price to the seller."""
    bands: tuple[BandPart, ...] | None = None
    """Another way for each range of prices."""
    relax_to: Amount | None = None
    """The least percent, or the least amount, where the sale would fail without."""
    allow_loss: bool = False


class OfferPart(Part, frozen=True, kw_only=True):
    """One thing that a buyer wants."""

    id: Id
    vertical: Id
    where: Text | None = None
    account: Id | None = None
    """Which of its buyer's accounts it belongs to; its limits hold, too."""
    caps: tuple[CapPart, ...] = ()
    hours: dict[str, str] | None = None
    """`mon-fri = "09:00-17:00"`; absent: always open; a day not named: closed."""
    price: Amount | None = None
    prices: tuple[PricePart, ...] = ()
    margin: MarginPart | None = None
    """Of its sales; absent: the campaign's."""
    floor: Amount = Decimal(0)
    buy_now: Amount | None = None
    """The bid at which a `first_accept` stage sells to it at once; absent: the stage's."""
    fit: Text | tuple[PointsPart, ...] = ()
    """How well a lead fits, for `best_match`: a formula, or the points of all that holds."""
    priority: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    weight: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    ping: PingPart | None = None
    post: PostPart | None = None
    format: Id | FormatPart = STANDARD
    """`standard`, or the id of a mapping."""
    params: dict[FieldName, Scalar] = msgspec.field(default_factory=dict)
    """What a mapping's `{param.NAME}` is for this offer."""
    hash: HashKind = HashKind.KEYED
    hide: tuple[FieldName, ...] = ()
    """Fields that this offer's pings do not show, though the vertical would."""
    on_lower_price: OnLowerPrice = OnLowerPrice.TAKE
    exclusive_price: Amount | None = None
    """What it pays for being the only one, where it is not asked."""
    take_down_to: Percent = Decimal(0)
    """Percent of what its post asked: at less, a lower price is disputed."""
    share_with_max: Annotated[int, Meta(ge=0, le=99)] | None = None
    """With how many others it shares a lead at most; absent: as the stage says."""
    not_with: tuple[Id, ...] = ()
    """Buyers with whom it shares none."""
    notices: NoticesPart | None = None
    """What it is told of its bids."""
    in_flight_max: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """Calls under way at once; 0: the exchange's own limit."""
    test: bool = False
    paused: bool = False


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
    """What becomes of a duplicate."""

    REJECT = "reject"
    MERGE = "merge"


class DuplicatesPart(Part, frozen=True, kw_only=True):
    """When a lead repeats an earlier one."""

    window_hours: Annotated[int, Meta(ge=1, le=87_600)]
    on: tuple[FieldName, ...] = ("phone", "email")
    match: MatchOn = MatchOn.ANY
    against: Against = Against.SOLD
    scope: DuplicateScope = DuplicateScope.CAMPAIGN
    action: Annotated[Action, Meta(extra={"later": ("merge",)})] = Action.REJECT


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
    paused: bool = False
    stage: tuple[StagePart, ...] = ()


class MarketFile(Part, frozen=True, kw_only=True):
    """A whole market: what is not in it is retired."""

    vertical: tuple[VerticalPart, ...] = ()
    seller: tuple[SellerPart, ...] = ()
    mapping: tuple[MappingPart, ...] = ()
    door: tuple[DoorPart, ...] = ()
    buyer: tuple[BuyerPart, ...] = ()
    campaign: tuple[CampaignPart, ...] = ()
