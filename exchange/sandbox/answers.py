"""What the test buyers say to a ping and to a post, by the role that the address names; pure."""

from decimal import Decimal

import msgspec

from exchange.domain.money import Micros, from_decimal, to_decimal
from exchange.domain.sandbox import DECIDES_AT_REPETITION, Asked, Posted, Role

CENT = Decimal("0.01")
LESS = Decimal("0.8")
REDIRECT = "https://sandbox.invalid/thank-you"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class AuctionWire(msgspec.Struct, frozen=True):
    """What a test buyer reads of a ping's terms."""

    floor: Decimal = Decimal(0)


class PingWire(msgspec.Struct, frozen=True):
    """What a test buyer reads of a ping."""

    ping_id: str = ""
    auction: AuctionWire = AuctionWire()


class PostWire(msgspec.Struct, frozen=True):
    """What a test buyer reads of a post."""

    price: Decimal = Decimal(0)


class Said(msgspec.Struct, frozen=True):
    """An answer: its status and body; None in its place is silence."""

    status: int
    body: bytes = b""
    hangs_up: bool = False


_ping = msgspec.json.Decoder(PingWire, float_hook=Decimal).decode
_post = msgspec.json.Decoder(PostWire, float_hook=Decimal).decode


def to_ping(role: Role, body: bytes) -> Said | None:
    """Return what a buyer of this role says to a ping."""
    match role.asked:
        case Asked.BIDS:
            ping = _ping(body)
            price = to_decimal(role.bid(Micros(from_decimal(ping.auction.floor))))
            return Said(200, _encode({"bid": price, "bid_id": f"sandbox-{role.name}"}))
        case Asked.DECLINES:
            return Said(200, _encode({"bid": 0, "reason": "not wanted"}))
        case Asked.GARBLED:
            return Said(200, b"<html>thank you</html>")
        case Asked.HANGS_UP:
            return Said(200, hangs_up=True)
        case Asked.SILENT:
            return None


def to_post(role: Role, body: bytes, repetition: int) -> Said:
    """Return what a buyer of this role says to a post that it has had so often before."""
    match role.posted:
        case Posted.TAKES:
            return accepted()
        case Posted.REDIRECTS:
            return accepted(redirect_url=REDIRECT)
        case Posted.PAYS_LESS:
            return accepted(price=(_post(body).price * LESS).quantize(CENT))
        case Posted.REFUSES:
            return refused("not today")
        case Posted.KNOWS:
            return refused("duplicate")
        case Posted.TAKES_LATER:
            return accepted() if repetition >= DECIDES_AT_REPETITION else Said(202)
        case Posted.REFUSES_LATER:
            return refused("not today") if repetition >= DECIDES_AT_REPETITION else Said(202)
        case Posted.NEVER_TELLS:
            return Said(202)


def accepted(**more: object) -> Said:
    """Return a buyer's yes."""
    return Said(200, _encode({"accepted": True, "reference": "sandbox", **more}))


def refused(reason: str) -> Said:
    """Return a buyer's no."""
    return Said(200, _encode({"accepted": False, "reason": reason}))
