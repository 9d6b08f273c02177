"""What a buyer's endpoint receives and answers, in the `standard` format of the contract.

The types are for a buyer's side of the wire: what is read keeps working when the exchange adds
a field, what is answered is exact to the last digit. Money is `Decimal`, on the wire a JSON
number, never a string and never a binary float.
"""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec


class UnreadableError(ValueError):
    """The body is not what the contract promises; says where, never what stood there."""


class PingAuction(msgspec.Struct, frozen=True):
    """The terms of one auction: least price, time left, and how many buyers may win."""

    tmax_ms: float
    floor: Decimal = Decimal(0)
    currency: str = "USD"
    type: str = "first_price"
    max_buyers: int = 1


class Source(msgspec.Struct, frozen=True):
    """Where the lead came from: an id that is opaque and stable for this buyer, and a channel."""

    id: str
    channel: str | None = None


class PingConsent(msgspec.Struct, frozen=True):
    """The proof of consent as far as it may be shown before the lead is won."""

    tcpa: bool | None = None
    jornaya_id: str | None = None
    trustedform_ping_url: str | None = None


class PostConsent(msgspec.Struct, frozen=True):
    """The whole proof of consent, for the buyer who won."""

    tcpa: bool | None = None
    text: str | None = None
    url: str | None = None
    ip: str | None = None
    at: str | None = None
    trustedform_url: str | None = None
    jornaya_id: str | None = None
    named_buyers: tuple[str, ...] = ()


class Ping(msgspec.Struct, frozen=True):
    """A lead without its identity, offered for a price."""

    ping_id: str
    vertical: str
    auction: PingAuction
    lead: dict[str, Any]
    test: bool = False
    source: Source | None = None
    consent: PingConsent | None = None


class BidAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer to a ping: a price, or with `bid` at zero a refusal and its reason."""

    bid: Decimal
    bid_id: str | None = None
    exclusive_bid: Decimal | None = None
    currency: str | None = None
    ttl_s: int | None = None
    buyer_name: str | None = None
    consent_text: str | None = None
    reason: str | None = None


class Post(msgspec.Struct, frozen=True):
    """The full record of a lead that this buyer has won, at the price it pays."""

    sale_id: str
    price: Decimal
    vertical: str
    lead: dict[str, Any]
    ping_id: str | None = None
    bid_id: str | None = None
    currency: str = "USD"
    test: bool = False
    source: Source | None = None
    consent: PostConsent | None = None
    max_buyers: int | None = None
    """Where several may share: with how many in all this buyer has the lead; 1: it is alone."""


class PostAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer to a post: taken, refused, or with `accepted` at null not known yet."""

    accepted: bool | None
    reason: str | None = None
    reference: str | None = None
    redirect_url: str | None = None
    price: Decimal | None = None


T = TypeVar("T")

PINGS = msgspec.json.Decoder(Ping)
POSTS = msgspec.json.Decoder(Post)
ANSWERS = msgspec.json.Encoder(decimal_format="number")


def read_ping(body: bytes) -> Ping:
    """Return the ping in `body`, passing over unknown fields; raises `UnreadableError`."""
    return decode(PINGS, body)


def read_post(body: bytes) -> Post:
    """Return the post in `body`, passing over unknown fields; raises `UnreadableError`."""
    return decode(POSTS, body)


def encode(answer: BidAnswer | PostAnswer) -> bytes:
    """Return the answer as JSON, its prices exact numbers, without the fields left open."""
    return ANSWERS.encode(answer)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `decoder` finds in `body`; every way of being unreadable is `UnreadableError`."""
    try:
        return decoder.decode(body)
    except UnicodeDecodeError:
        raise UnreadableError("the body is not UTF-8") from None
    except RecursionError:
        raise UnreadableError("the body is nested too deeply") from None
    except msgspec.MsgspecError as error:
        raise UnreadableError(str(error)) from None


class PriceBand(msgspec.Struct, frozen=True):
    """Between which prices a lead was sold to somebody else."""

    low: Decimal
    high: Decimal | None
    """None: there is no upper one."""


class BidNotice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one bid."""

    ping_id: str | None
    result: str
    """`won`, `outbid`, `below_floor`, `late`, `invalid`, `capped`."""
    at: str
    test: bool = False
    bid_id: str | None = None
    bid: Decimal | None = None
    """As it was made; None where none was understood."""
    price: Decimal | None = None
    """Of `won`: what is paid."""
    floor: Decimal | None = None
    """Of `below_floor`."""
    detail: str | None = None
    """Of `invalid`: what was wrong with the answer."""
    price_band: PriceBand | None = None
    """Where somebody else bought the lead."""


class BidNotices(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of a message of the type `bid.notices`: what gathered since the last one."""

    offer: str
    dropped: int
    """So many more there were, and nobody was there to hear them."""
    notices: tuple[BidNotice, ...]
