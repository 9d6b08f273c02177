"""Pings as the exchange makes them, for offers and a lead that stand for all others."""

from zoneinfo import ZoneInfo

import msgspec

from exchange.auction.bids import NotABid, read_bid
from exchange.auction.ping import PingIds, Showing
from exchange.auction.speaking import Round, Speaker
from exchange.domain.bid import Bid, Contender
from exchange.domain.ids import ENTROPY_BYTES
from exchange.domain.lead import ConsentMarks, Fingerprint, Value
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Buyer, Offer, PingTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import compile_endpoint
from exchange.wire.endpoints import CALL_HEADERS

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
    speaker: Speaker
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
    return Asking(offer, Speaker(offer, compile_endpoint(url, headers=CALL_HEADERS)), signed)


class Ping(msgspec.Struct, frozen=True, gc=False):
    """One ping, ready to send."""

    asked: Contender
    request: bytes

    @property
    def body(self) -> bytes:
        """For clients that make a head of their own."""
        return self.request.partition(HEAD_END)[2]

    @property
    def signature(self) -> bytes:
        """The ready header lines of it, or nothing."""
        lines = self.request.partition(HEAD_END)[0].split(b"\r\n")
        return b"".join(line + b"\r\n" for line in lines if line.startswith(b"webhook-"))


HEAD_END = b"\r\n\r\n"


def one_auction(asking: list[Asking]) -> list[Ping]:
    """Encode one auction's pings as the auction does."""
    ids = PingIds(AT_US, ENTROPY)
    signed = bool(asking) and asking[0].signed
    round_ = Round(SHOWING, ("fastquotes", "search"), FINGERPRINT, HASHED if signed else (), AT_US)
    pings: list[Ping] = []
    for number, one in enumerate(asking):
        ping_id = ids.number(number)
        request = one.speaker.request(round_, ping_id, FLOOR, TIMEOUT_MS)
        pings.append(Ping(Contender(one.offer, FLOOR, ping_id=ping_id), request))
    return pings


def calls(asking: list[Asking]) -> list[Call]:
    """Return one auction's pings as the wire sends them."""
    return [
        Call(one.speaker.endpoint, ping.request, TIMEOUT_MS, True, ping.asked)
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


def is_bid(status: int, body: bytes, asked: Contender) -> bool:
    """Read and check one answer."""
    bid: Bid | NotABid = read_bid(status, body, asked)
    return isinstance(bid, Bid)
