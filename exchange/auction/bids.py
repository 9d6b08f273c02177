"""Reading what a buyer answered to a ping: a bid, a no-bid, or what was wrong with it."""

from functools import lru_cache

import msgspec
from msgspec import UNSET, Raw, UnsetType

from exchange.domain.bid import Bid, Contender
from exchange.domain.dialect import Declined, Heard, Offered, PingDialect, Unclear
from exchange.domain.money import Micros, MoneyError, parse_json
from exchange.domain.reason import Reason

NO_CONTENT = 204
OK = 200
TEXT_MAX = 200
"""No text of a buyer is kept beyond this length."""
CONSENT_TEXT_MAX = 4 * TEXT_MAX
TTL_MAX_S = 86_400


class BidWire(msgspec.Struct, frozen=True, gc=False):
    """The answer as it comes; every field is checked before it is believed."""

    bid: Raw | UnsetType = UNSET
    exclusive_bid: Raw | UnsetType = UNSET
    bid_id: str | int | None = None
    currency: str | None = None
    ttl_s: float | None = None
    buyer_name: str | None = None
    consent_text: str | None = None
    reason: object = None
    accepted: bool | None = None


class NotABid(msgspec.Struct, frozen=True, gc=False):
    """Why an answer is no bid: the buyer's own no, or what made it invalid."""

    reason: Reason
    detail: str | None = None


NO_AMOUNT = "must be a JSON number with at most six decimals"

_decode = msgspec.json.Decoder(BidWire).decode
_amount = lru_cache(maxsize=8192)(parse_json)
"""Prices repeat: buyers bid whole cents of a few dozen dollars. A refused one is not kept."""


def read_bid(status: int, body: bytes, asked: Contender) -> Bid | NotABid:
    """Return the bid in an answer, or why it is none; nothing in it can raise."""
    if status != OK:
        if status == NO_CONTENT:
            return NotABid(Reason.NO_BID)
        return NotABid(Reason.INVALID_BID, f"status {status}")
    try:
        wire = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NotABid(Reason.INVALID_BID, "not the JSON of a bid")
    raw = wire.bid
    if raw is UNSET:
        return _unpriced(wire, asked)
    try:
        price = _amount(bytes(raw))
    except MoneyError:
        if raw == b"null":
            return _unpriced(wire, asked)
        return NotABid(Reason.INVALID_BID, f"bid {NO_AMOUNT}")
    return _checked(price, wire, asked)


def _unpriced(wire: BidWire, asked: Contender) -> Bid | NotABid:
    if wire.accepted is False or wire.reason is not None:
        return NotABid(Reason.NO_BID, clean(wire.reason))
    if asked.static_price is not None:
        return _checked(asked.static_price, wire, asked)
    if wire.exclusive_bid is not UNSET:
        return _checked(Micros(0), wire, asked)
    return NotABid(Reason.INVALID_BID, "no price, and the offer names none")


def _checked(price: Micros, wire: BidWire, asked: Contender) -> Bid | NotABid:
    alone: Micros | None = None
    if wire.exclusive_bid is not UNSET:
        try:
            alone = _alone(bytes(wire.exclusive_bid))
        except MoneyError:
            return NotABid(Reason.INVALID_BID, f"exclusive_bid {NO_AMOUNT}")
        if alone is not None and asked.buyers_max == 1:  # it is alone anyway
            price, alone = Micros(max(price, alone)), None
    if price == 0 and alone is None:
        return NotABid(Reason.NO_BID, clean(wire.reason))
    if alone is not None and (wrong := _wrong(alone, None, None, asked)):
        return NotABid(Reason.INVALID_BID, f"exclusive_bid: {wrong}")
    wrong = _wrong(price, wire.currency, wire.ttl_s, asked)
    if wrong is not None:
        return NotABid(Reason.INVALID_BID, wrong)
    bid_id, ttl_s, name, text = wire.bid_id, wire.ttl_s, wire.buyer_name, wire.consent_text
    return Bid(
        offer=asked.offer,
        price=price,
        ping_id=asked.ping_id,
        bid_id=None if bid_id is None else clean(bid_id),
        ttl_s=None if ttl_s is None else int(ttl_s),
        buyer_name=None if name is None else clean(name),
        consent_text=None if text is None else clean(text, CONSENT_TEXT_MAX),
        exclusive_price=alone,
    )


def _alone(raw: bytes) -> Micros | None:
    """Return the price for being the only one; none where it is nothing. Errors: MoneyError."""
    return None if raw == b"null" else _amount(raw) or None


def read_foreign_bid(heard: Heard, dialect: PingDialect, asked: Contender) -> Bid | NotABid:
    """Return the bid in an answer in a foreign dialect, under the very same checks."""
    if heard.status == NO_CONTENT:
        return NotABid(Reason.NO_BID)
    said = dialect.read(heard)
    if isinstance(said, Declined):
        return NotABid(Reason.NO_BID, clean(said.reason))
    if isinstance(said, Unclear):
        return NotABid(Reason.INVALID_BID, clean(said.detail))
    return _foreign(said, asked)


def _foreign(said: Offered, asked: Contender) -> Bid | NotABid:
    price, alone = asked.static_price if said.price is None else said.price, said.exclusive_price
    if price is None:
        if alone is None:
            return NotABid(Reason.INVALID_BID, "no price, and the offer names none")
        price = Micros(0)
    if alone is not None and asked.buyers_max == 1:  # it is alone anyway
        price, alone = Micros(max(price, alone)), None
    if price == 0 and alone is None:
        return NotABid(Reason.NO_BID)
    if alone is not None and (wrong := _wrong(alone, None, None, asked)):
        return NotABid(Reason.INVALID_BID, f"exclusive price: {wrong}")
    wrong = _wrong(price, said.currency, said.ttl_s, asked)
    if wrong is not None:
        return NotABid(Reason.INVALID_BID, wrong)
    return Bid(
        offer=asked.offer,
        price=price,
        ping_id=asked.ping_id,
        bid_id=said.bid_id,
        ttl_s=said.ttl_s,
        buyer_name=clean(said.buyer_name),
        consent_text=clean(said.consent_text, CONSENT_TEXT_MAX),
        token=said.token,
        exclusive_price=alone,
    )


def _wrong(
    price: Micros, currency: str | None, ttl_s: float | None, asked: Contender
) -> str | None:
    if price < 0:
        return "negative bid"
    if asked.offer.ping is not None and price > asked.offer.ping.max_bid:
        return "over the offer's maximum"
    if currency is not None and currency != asked.offer.buyer.currency:
        return "other currency"
    if ttl_s is not None and not 1 <= ttl_s <= TTL_MAX_S:
        return "ttl_s out of range"
    return None


def clean(text: object, longest: int = TEXT_MAX) -> str | None:
    """Return a buyer's words bounded and printable, or None for anything but text and numbers."""
    if isinstance(text, str):
        words = text if len(text) <= longest else text[:longest]
        return words if words.isprintable() else "".join(c for c in words if c.isprintable())
    if isinstance(text, bool) or not isinstance(text, int):
        return None
    return str(text) if abs(text) < 2**64 else None
