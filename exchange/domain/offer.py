"""What a buyer wants: filters, prices, caps, schedule and delivery, compiled and immutable."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.condition import Condition
from exchange.domain.dialect import PingDialect, PostDialect, StatusDialect
from exchange.domain.formula import Formula
from exchange.domain.lead import Facts
from exchange.domain.message import NoticeTerms
from exchange.domain.money import Micros
from exchange.domain.pacing import Pace
from exchange.domain.schedule import Schedule


class CapKind(StrEnum):
    """What a cap counts."""

    LEADS = "leads"
    SPEND = "spend"
    CONCURRENT = "concurrent"
    PINGS = "pings"
    """What buyers are sent for a seller."""
    PAYOUT = "payout"
    """What a seller is paid."""


class Per(StrEnum):
    """The window in which a cap counts, in the buyer's time zone; weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Cap(msgspec.Struct, frozen=True):
    """One limit of a buyer or an offer."""

    scope: str
    """`offer/acme-tx`, `account/acme:dallas` or `buyer/acme`: whose limit it is."""
    kind: CapKind
    limit: int
    """A number of leads, or micros for spend."""
    per: Per | None
    """None for a concurrent cap: it counts what is held, whenever."""
    pace: Pace | None = None
    """How it is spread over its window; None: whoever comes first."""


class BillingMode(StrEnum):
    """How a buyer pays."""

    PREPAID = "prepaid"
    CREDIT = "credit"
    OPEN = "open"
    """No billing was declared: nothing but its caps limits what a buyer spends."""


class Billing(msgspec.Struct, frozen=True):
    """How far a buyer's account may go."""

    mode: BillingMode
    credit_limit: Micros = Micros(0)


class HashKind(StrEnum):
    """How a buyer recognizes a person in a ping."""

    KEYED = "keyed"
    SHA256 = "sha256"
    MD5 = "md5"


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """A company that bids."""

    id: str
    name: str
    zone: ZoneInfo
    currency: str
    billing: Billing
    caps: tuple[Cap, ...] = ()
    pilot: tuple[Cap, ...] = ()
    """How far it may go in all before it is paused; these stand among its caps, too."""
    accounts: Mapping[str, tuple[Cap, ...]] = {}
    """The limits of its parts, by their ids."""
    duplicate_window_s: int = 0
    """How long a person whom this buyer bought counts as its duplicate; 0: not checked."""
    paused: bool = False
    own: bool = False
    """The house's own team."""


class OnNoAnswer(StrEnum):
    """What becomes of a sale whose post was not answered."""

    WAIT = "wait"
    ADVANCE = "advance"


class Rate(msgspec.Struct, frozen=True):
    """How many pings at most an offer is sent within any such time, by all workers together."""

    most: int
    within_us: int


class PingTerms(msgspec.Struct, frozen=True):
    """Where and how long an offer is asked."""

    url: str
    timeout_ms: int
    max_bid: Micros
    dialect: PingDialect | None = None
    """None: the exchange's own format."""
    rate: Rate | None = None
    """None: as often as there are leads for it."""


class StatusTerms(msgspec.Struct, frozen=True):
    """Where a buyer is asked what became of a sale that it left in doubt."""

    url: str
    """With `{sale.id}` or another name of `exchange.domain.asking` in it."""
    timeout_ms: int
    dialect: StatusDialect | None = None
    """None: a GET, signed and answered as a post is."""


class PostTerms(msgspec.Struct, frozen=True):
    """Where and how long the winner gets the full record."""

    url: str
    timeout_ms: int
    on_no_answer: OnNoAnswer
    in_doubt_max_s: int
    dialect: PostDialect | None = None
    """None: the exchange's own format."""
    status: StatusTerms | None = None
    """None: the buyer cannot be asked."""

    @property
    def repeatable(self) -> bool:
        """The buyer knows a repeated post again, so that one in doubt may be repeated."""
        return self.dialect is None or self.dialect.idempotent


class OnLowerPrice(StrEnum):
    """What becomes of a sale whose buyer accepts at less than it bid."""

    TAKE = "take"
    DISPUTE = "dispute"


class PriceRule(msgspec.Struct, frozen=True):
    """A static price that holds where its condition does; None: always."""

    when: Condition | None
    price: Micros


class Points(msgspec.Struct, frozen=True):
    """What a lead of this condition is worth more to an offer than another one, or less."""

    when: Condition
    points: int


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a buyer wants: which leads, at what price, how many, delivered where."""

    id: str
    buyer: Buyer
    vertical_id: str
    where: Condition | None = None
    account: str | None = None
    """The part of its buyer that it belongs to."""
    caps: tuple[Cap, ...] = ()
    """The offer's own, its account's and its buyer's, in that order."""
    pilot: tuple[Cap, ...] = ()
    """How far it may go in all before it is paused; these stand among its caps, too."""
    schedule: Schedule | None = None
    """None: always open."""
    prices: tuple[PriceRule, ...] = ()
    """Conditional prices, then the plain one; the first that holds counts."""
    floor: Micros = Micros(0)
    buy_now: Micros | None = None
    """The price at which it gets a lead at once where stages sell to the first; None: theirs."""
    fit: tuple[Points, ...] | Formula = ()
    """How well a lead fits: the points of all conditions that hold, or a formula."""
    priority: int = 100
    weight: int = 1
    ping: PingTerms | None = None
    post: PostTerms | None = None
    """None: a sale is delivered with nothing to call (fetched by the buyer's portal)."""
    hash_kind: HashKind = HashKind.KEYED
    hidden: frozenset[str] = frozenset()
    """Fields that this offer is not shown, though the vertical would."""
    on_lower_price: OnLowerPrice = OnLowerPrice.TAKE
    exclusive_price: Micros | None = None
    """What it pays unasked for being the only one, where others may share."""
    take_down_to: Decimal = Decimal(0)
    """Percent of what its post asked: at less, a lower price is disputed."""
    share_with_max: int | None = None
    """With how many others at most it has a lead; 0: alone; None: as many as the stage says."""
    not_with: frozenset[str] = frozenset()
    """Buyers beside whom it has no lead."""
    notices: NoticeTerms | None = None
    """What it is told of its bids, beside the answers to posts; None: nothing."""
    in_flight_max: int = 0
    """Calls under way at once; 0: the exchange's own limit."""
    test: bool = False
    paused: bool = False
    secret: bytes | None = None
    """The buyer's signing secret, decoded; None: calls are not signed."""
    hash_key: bytes = b""
    """Keys this buyer's hashes: its signing secret, or one made for it."""

    def static_price(self, facts: Facts) -> Micros | None:
        """Return what the offer pays for such a lead unasked, or None where it names no price."""
        for rule in self.prices:
            if rule.when is None or rule.when.holds(facts):
                return rule.price
        return None

    def fit_of(self, facts: Facts) -> int:
        """Return how well such a lead fits; formulas are rounded down to whole points."""
        if isinstance(self.fit, tuple):
            return sum([rule.points for rule in self.fit if rule.when.holds(facts)])
        return self.fit.value(facts)
