"""A binding quote: what a ping was promised, and what its post must agree with.

All that a post needs travels inside the quote, so that any machine can honour it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.campaign import Stage
from exchange.domain.floor_table import RuledFloor
from exchange.domain.ids import LeadId
from exchange.domain.keyed import hmac_sha256
from exchange.domain.lead import ConsentMarks, Fingerprint, Source, Value
from exchange.domain.legs import QuotedLeg
from exchange.domain.money import Micros
from exchange.domain.offer import Offer

DIGEST_BYTES = 12
TERMS_LENGTH = 16


class StandingBid(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bid that binds its buyer until the quote expires."""

    offer_id: str
    price: Micros
    ping_id: str | None = None
    bid_id: str | None = None
    ttl_s: int | None = None
    exclusive_price: Micros | None = None
    token: str | None = None

    @classmethod
    def of(cls, bid: Bid) -> "StandingBid":
        """Return what must be remembered of a bid; what was to be shown was shown in the quote."""
        return cls(
            offer_id=bid.offer.id,
            price=bid.price,
            ping_id=bid.ping_id,
            bid_id=bid.bid_id,
            ttl_s=bid.ttl_s,
            exclusive_price=bid.exclusive_price,
            token=bid.token,
        )

    def bid(self, offer: Offer) -> Bid:
        """Return the bid again, for its offer as it is now."""
        assert offer.id == self.offer_id, "a bid stands for its own offer"
        return Bid(
            offer=offer,
            price=self.price,
            ping_id=self.ping_id,
            bid_id=self.bid_id,
            ttl_s=self.ttl_s,
            exclusive_price=self.exclusive_price,
            token=self.token,
        )


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a ping's token carries."""

    lead_id: LeadId
    """The ping's; its post is the same lead."""
    seller_id: str
    campaign_id: str
    vertical_id: str
    source: Source
    version: int
    """The snapshot's, under which it was quoted."""
    quoted_at_us: int
    expires_at_us: int
    currency: str
    payout: Micros
    """What the seller was promised."""
    bids: tuple[StandingBid, ...]
    """Best first; the promise rests on the first, the others follow if it fails."""
    fields: dict[str, Any]
    """The ping's fields, normalized `Value`s; never one of the identity.

    Any, because no decoder could tell an exact number from a text; a token keeps them apart.
    """
    digests: dict[str, str] = {}
    """By `sha256:phone`: what the person behind the post must match, under the quote's own key."""
    consent: ConsentMarks = ConsentMarks()
    seller_ref: str | None = None
    min_price: Micros = Micros(0)
    already_sold: int = 0
    exclude_buyers: frozenset[str] = frozenset()
    test: bool = False
    score: int | None = None
    floor: RuledFloor | None = None
    """The floor that the campaign's rules gave the ping: it holds for these bids to the end."""
    stage: int = 0
    """The stage whose bids stand, by its number in the plan of that version."""
    terms: str = ""
    """By which that stage is known in a plan that was changed."""
    legs: tuple[QuotedLeg, ...] = ()
    """Its parts, one for each buyer that was to get the lead; their bids come first."""
    alone: bool = False
    """The one leg was quoted to a buyer that is alone, in a stage where others may share."""

    @property
    def least(self) -> Micros:
        """Return the least that any sale of it must pay the seller, whoever buys."""
        return min((leg.payout for leg in self.legs), default=self.payout)

    def __repr__(self) -> str:
        """Name the lead; fields and bids are nobody's business."""
        return f"Quote({self.lead_id}, {len(self.bids)} bids)"


def terms_of(stage: Stage) -> str:
    """Return what two stages share that sell alike: how, to how many, at what price, which leads.

    Floor and time are no part of it: of bids that were quoted the floor leaves some out, no more.
    """
    when = "" if stage.when is None else stage.when.text
    told = (stage.method, stage.price_rule, str(stage.max_buyers), stage.rank_by, when)
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:TERMS_LENGTH]


class Merged(msgspec.Struct, frozen=True):
    """The fields of a post together with its ping's, and where the two contradict."""

    fields: dict[str, Value]
    contradictions: tuple[str, ...]
    """Names of fields, in the order of the post."""


def merge(quote: Quote, fields: Mapping[str, Value], fingerprint: Fingerprint) -> Merged:
    """Return the post's fields with the ping's where it left them out.

    A field that says something else than in the ping is a contradiction, and so is a person who
    does not match a digest that the ping gave.
    """
    contradictions = [
        name
        for name, value in fields.items()
        if name in quote.fields and not same(name, value, quote)
    ]
    known = digests(quote.lead_id, fingerprint)
    for key, digest in quote.digests.items():
        name = key.partition(":")[2]
        if known.get(key, digest) != digest and name not in contradictions:
            contradictions.append(name)
    return Merged({**quote.fields, **fields}, tuple(contradictions))


def same(name: str, value: Value, quote: Quote) -> bool:
    """Tell whether a post's value is its ping's; yes and 1 are two values."""
    quoted = quote.fields[name]
    return quoted == value and isinstance(quoted, bool) is isinstance(value, bool)


def digests(lead_id: LeadId, fingerprint: Fingerprint) -> dict[str, str]:
    """Return a fingerprint's digests keyed with the quote's id: of use for this quote alone."""
    key = hashlib.sha256(lead_id.encode()).digest()
    return {
        f"{kind}:{name}": hmac_sha256(key, digest.encode())[:DIGEST_BYTES].hex()
        for kind, by_name in (("sha256", fingerprint.sha256), ("md5", fingerprint.md5))
        for name, digest in by_name.items()
    }
