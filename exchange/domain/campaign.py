"""What a seller posts into: a vertical, a floor, a margin, a routing plan."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.domain.condition import Condition
from exchange.domain.expected import Expecting, RankBy
from exchange.domain.floor_table import FloorTable
from exchange.domain.learned_floors import LearnFloor
from exchange.domain.money import Micros
from exchange.domain.offer import Cap


class MarginKind(StrEnum):
    """How the exchange's part is computed."""

    PERCENT = "percent"
    FIXED = "fixed"
    PAYOUT = "payout"
    """The seller gets a fixed price, the exchange the rest."""
    BANDS = "bands"
    """By the price: each band of prices has its own way."""


class Band(msgspec.Struct, frozen=True):
    """The prices up to and including one, above those of the band before it."""

    upto: Micros | None
    """None, of the last band alone: without end."""
    margin: "Margin"


class Margin(msgspec.Struct, frozen=True):
    """The rule by which a buyer's price becomes the seller's payout."""

    kind: MarginKind = MarginKind.PERCENT
    percent: Decimal = Decimal(0)
    amount: Micros = Micros(0)
    """Of a fixed margin, or the fixed payout."""
    round_to_cent: bool = True
    allow_loss: bool = False
    bands: tuple[Band, ...] = ()
    """Of bands alone: at least one, their limits rising; a higher price never pays less."""
    relaxed: "Margin | None" = None
    """To what it may shrink where a sale would fail without; None: it is kept whole."""


class ReturnsTo(StrEnum):
    """Who bears a return."""

    PASS = "pass"  # noqa: S105 - the contract's word, no secret
    ABSORB = "absorb"


class Method(StrEnum):
    """How a stage hands out a lead."""

    AUCTION = "auction"
    """All are asked at once; the best price wins."""
    FIRST_ACCEPT = "first_accept"
    """All are asked at once; the first bid that reaches its buy-now price wins there and then."""
    BEST_MATCH = "best_match"
    """All are asked at once; of the bids that reach their floors the best fit wins."""
    WATERFALL = "waterfall"
    """Nobody is asked: offered at static prices, lower priority numbers first."""
    RULE = "rule"
    """Nobody is asked: offered in the order that is written down, to leads of its condition."""
    OWN_TEAM = "own_team"
    """Nobody is asked: offered to the house's own buyers, lower priority numbers first."""
    ROUND_ROBIN = "round_robin"
    """Nobody is asked: offered in turn."""
    WEIGHTED = "weighted"
    """Nobody is asked: offered in turn, and as often as weights say."""


IN_TURNS = frozenset({Method.ROUND_ROBIN, Method.WEIGHTED})
"""Methods that remember whose turn it is."""

ASKING = frozenset({Method.AUCTION, Method.FIRST_ACCEPT, Method.BEST_MATCH})
"""Methods that ping; all others sell at static prices."""


class Weights(StrEnum):
    """What the weights of a stage are."""

    FIXED = "fixed"
    """The offers' own."""
    ACCEPTANCE = "acceptance"
    """The offers' own, each by how many of its turns its buyer accepts."""


class PriceRuleKind(StrEnum):
    """What the winner of an auction pays."""

    FIRST_PRICE = "first_price"
    """What it bid."""
    SECOND_PRICE = "second_price"
    """The best bid that could have bought instead of its own, or its floor."""


class Stage(msgspec.Struct, frozen=True):
    """One step of a routing plan."""

    number: int
    method: Method
    offer_ids: tuple[str, ...]
    """Resolved: `*` is every offer of the vertical; in the order of the market file."""
    timeout_ms: int
    floor: Micros
    """The stage's own floor, else the campaign's."""
    rank_by: RankBy = RankBy.PRICE
    max_buyers: int = 1
    """So many buyers may share a lead at most."""
    by_rules: bool = False
    """Its floor is looked up in the campaign's table for each lead."""
    price_rule: PriceRuleKind = PriceRuleKind.FIRST_PRICE
    when: Condition | None = None
    """Leads of which it does not hold pass the stage by; None: all are for it."""
    weights: Weights = Weights.FIXED
    buy_now: Micros | None = None
    """The price that ends a first_accept at once, where an offer names none of its own."""
    early_close: bool = False
    """The auction ends when nobody who is still silent can win any more."""


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
    merges: bool = False
    """What repeats another is part of that one, and no lead of its own."""


class LocationCheck(StrEnum):
    """What becomes of a lead whose ZIP lies in another state than it says."""

    REJECT = "reject"
    WARN = "warn"


class SellerTerms(msgspec.Struct, frozen=True):
    """What one seller agreed with one campaign."""

    seller_id: str
    margin: Margin
    returns: ReturnsTo
    others: tuple[Margin, ...] = ()
    """The different margins of offers that have one of their own."""
    by_offer: Mapping[str, int] = {}
    """Which of `others` it is, by offer; all other offers have `margin`."""

    def margin_of(self, offer_id: str) -> Margin:
        """Return the margin of sales to this offer."""
        which = self.by_offer.get(offer_id)
        return self.margin if which is None else self.others[which]


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller posts into."""

    id: str
    vertical_id: str
    currency: str
    sellers: dict[str, SellerTerms]
    floor: Micros = Micros(0)
    floors: FloorTable | None = None
    """Where the floor depends on the lead."""
    stages: tuple[Stage, ...]
    auction_deadline_ms: int
    answer_deadline_ms: int
    quote_ttl_s: int
    hold_quotes: bool = False
    """Room is held for what a quote promises, until it expires."""
    qualify: tuple[tuple[str, Condition], ...] = ()
    """Rules by id; the first that does not hold rejects the lead with its id."""
    min_score: int = 0
    location: LocationCheck = LocationCheck.REJECT
    duplicates: DuplicateRule | None = None
    disclose_buyer: bool = False
    reject_disposable_email: bool = False
    expecting: Expecting | None = None
    """How it estimates what bids are worth; None where no stage ranks by that."""
    learn_floor: LearnFloor | None = None
    pilot: tuple[Cap, ...] = ()
    """How far it may go in all before it is paused."""
    paused: bool = False
