"""What a buyer wants, and how it is asked for its bid and given what it won."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.mapping import Scalar
from exchange.contract.market.limits import CapPart, PilotPart, RatePart
from exchange.contract.market.margins import MarginPart
from exchange.contract.parts import Amount, FieldName, Id, Milliseconds, Part, Percent, Text, Url
from exchange.domain.message import NoticeKind
from exchange.domain.offer import HashKind, OnLowerPrice, OnNoAnswer


class PricePart(Part, frozen=True, kw_only=True):
    """A price for the leads of which a condition holds."""

    when: Text
    price: Amount


class PointsPart(Part, frozen=True, kw_only=True):
    """How much better, or worse, leads of a condition fit."""

    when: Text
    points: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


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


class OfferPart(Part, frozen=True, kw_only=True):
    """One thing that a buyer wants."""

    id: Id
    vertical: Id
    where: Text | None = None
    account: Id | None = None
    """Which of its buyer's accounts it belongs to; its limits hold, too."""
    caps: tuple[CapPart, ...] = ()
    pilot: PilotPart | None = None
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
