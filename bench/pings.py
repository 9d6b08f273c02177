"""Pings as the exchange makes them, for offers and a lead that stand for all others."""

from zoneinfo import ZoneInfo

import msgspec

from exchange.auction.bids import Asked, NotABid, read_bid
from exchange.auction.ping import PingIds, Showing, own_head, own_tail, shared_part
from exchange.domain import anonymize
from exchange.domain.bid import Bid
from exchange.domain.ids import ENTROPY_BYTES
from exchange.domain.lead import ConsentMarks, Fingerprint, Value
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Buyer, Offer, PingTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import Endpoint, compile_endpoint
from exchange.wire.endpoints import CALL_HEADERS
from exchange.wire.signature import signature_headers

AT_US = 1_764_072_000_000_000
ENTROPY = bytes(range(ENTROPY_BYTES))
FLOOR = Micros(5_000_000)
MAX_BID = Micros(80_000_000)
TIMEOUT_MS = 2000
"""Longer than any pause of a busy machine: a ping that times out costs what no ping costs."""
OK = 200
HASHED = ("phone", "email")

FIELDS: dict[str, Value] = {
    "state": "TX",
    "zip": "78701",
    "age_band": "35-39",
    "vehicle_year": 2019,
    "vehicle_make": "Toyota",
    "currently_insured": True,
    "homeowner": True,
    "credit": "good",
    "gender": "female",
    "score": 71,
}
SHOWING = Showing(
    vertical_id="auto_insurance",
    test=False,
    fields=FIELDS,
    consent=ConsentMarks(tcpa=True, jornaya_id="8DD2A6C1-0E0B-45A7-9D8E-0A1B2C3D4E5F"),
    currency="USD",
    channel="search",
)
FINGERPRINT = Fingerprint(sha256={"phone": "5" * 64, "email": "e" * 64})


class Asking(msgspec.Struct, frozen=True):
    """An offer, and where it is asked."""

    offer: Offer
    endpoint: Endpoint
    signed: bool
    """Its calls carry a signature and the person's hashes, keyed for its buyer."""


def buyers(base_url: str, count: int, *, signed: bool) -> list[Asking]:
    """Return so many offers of as many buyers, each with its own key and address."""
    return [_asking(f"{base_url}/{number}/ping", number, signed=signed) for number in range(count)]


def _asking(url: str, number: int, *, signed: bool) -> Asking:
    key = number.to_bytes(4) * 8
    buyer = Buyer(
        id=f"buyer-{number}",
        name=f"Buyer {number}",
        zone=ZoneInfo("America/Chicago"),
        currency="USD",
        billing=Billing(BillingMode.OPEN),
    )
    offer = Offer(
        id=f"offer-{number}",
        buyer=buyer,
        vertical_id=SHOWING.vertical_id,
        ping=PingTerms(url, TIMEOUT_MS, MAX_BID),
        secret=key if signed else None,
        hash_key=key,
    )
    return Asking(offer, compile_endpoint(url, headers=CALL_HEADERS), signed)


class Ping(msgspec.Struct, frozen=True, gc=False):
    """One ping, ready to send by any client."""

    asked: Asked
    body: bytes
    signature: bytes
    """Ready header lines, or nothing."""


def one_auction(asking: list[Asking]) -> list[Ping]:
    """Encode one auction's pings as the auction does: what all share once, the rest for each."""
    ids = PingIds(AT_US, ENTROPY)
    shared = shared_part(SHOWING, frozenset())
    return [_ping(one, ids.number(number), shared) for number, one in enumerate(asking)]


def _ping(one: Asking, ping_id: str, shared: bytes) -> Ping:
    offer = one.offer
    hashes = _hashes(offer) if one.signed else {}
    source = anonymize.source_alias("fastquotes", "search", offer)
    body = own_head(ping_id, FLOOR, TIMEOUT_MS, source, SHOWING) + shared + own_tail(hashes)
    signature = b""
    if offer.secret is not None:
        signature = signature_headers(offer.secret, ping_id, AT_US // 1_000_000, body)
    return Ping(Asked(offer, ping_id, "USD", None), body, signature)


def _hashes(offer: Offer) -> dict[str, str]:
    known = {name: anonymize.person_hash(FINGERPRINT, name, offer) for name in HASHED}
    return {name: digest for name, digest in known.items() if digest is not None}


def calls(asking: list[Asking]) -> list[Call]:
    """Return one auction's pings as the wire sends them."""
    return [
        Call(
            one.endpoint,
            one.endpoint.request(ping.body, headers=ping.signature),
            TIMEOUT_MS,
            repeatable=True,
            tag=ping.asked,
        )
        for one, ping in zip(asking, one_auction(asking), strict=True)
    ]


def bids(ended: list[Call]) -> int:
    """Read and check every answer; return how many are bids."""
    return sum(
        [
            call.outcome is Outcome.ANSWERED and is_bid(call.status, call.body, call.tag)
            for call in ended
        ]
    )


def is_bid(status: int, body: bytes, asked: Asked) -> bool:
    """Read and check one answer."""
    bid: Bid | NotABid = read_bid(status, body, asked)
    return isinstance(bid, Bid)
