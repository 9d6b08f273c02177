"""How simulated buyers speak: the standard format, and the dialects of buyers who came before it.

A foreign buyer knows no sale ids. Only to compare its book with the exchange's ledger, which no
real one does, it takes the sale's id from the `Idempotency-Key` header.
"""

import hashlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import msgspec

from bidders.fleet.books import Belief, Sale
from bidders.fleet.reply import JSON, NO_CONTENT
from bidders.fleet.spec import Speaking
from exchange.contract.buyer import PostAnswer, encode

Write = Callable[[bytes, int, bytes], bytes]
"""Makes a whole HTTP answer of a body, a status and a content type."""

XML = b"text/xml; charset=utf-8"
USUAL_TMAX_MS = 300.0
"""What a buyer takes for its time that is not told one."""

UNTOLD = ""
"""The vertical of a ping that names none."""


class Terms(msgspec.Struct, frozen=True):
    """What of an auction matters to a simulated buyer."""

    tmax_ms: float


class PingHead(msgspec.Struct, frozen=True):
    """What of a ping matters to a simulated buyer; the rest is not even parsed into values."""

    ping_id: str
    vertical: str
    auction: Terms


class PostHead(msgspec.Struct, frozen=True):
    """What of a post matters to a simulated buyer."""

    sale_id: str
    price: Decimal | None = None
    """None: as the bid of that token said, or as it always pays."""
    ping_id: str | None = None
    token: str | None = None


PINGS = msgspec.json.Decoder(PingHead)
POSTS = msgspec.json.Decoder(PostHead)


class Speech(Protocol):
    """Reads what comes and words what is answered; ValueError for what it cannot read."""

    def ping(self, body: bytes) -> PingHead:
        """Return what a ping says."""

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Return what a post says."""

    def bid(self, price: bytes, token: str) -> bytes:
        """Return the whole answer that is a bid."""

    def no_bid(self) -> bytes:
        """Return the whole answer that is none."""

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Return the whole answer that says what the buyer holds of a sale."""


class Standard:
    """The exchange's own format."""

    def __init__(self, write: Write) -> None:
        self.write = write

    def ping(self, body: bytes) -> PingHead:
        """Read JSON."""
        return PINGS.decode(body)

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Read JSON."""
        del headers
        post = POSTS.decode(body)
        if post.price is None:
            raise ValueError("no price")
        return post

    def bid(self, price: bytes, token: str) -> bytes:
        """Name the price as a number."""
        return self.write(b'{"bid":%b,"bid_id":"%b"}' % (price, token.encode()), 200, JSON)

    def bid_or_alone(self, price: bytes, alone: bytes, token: str) -> bytes:
        """Name the price, and the one for being the only buyer."""
        said = b'{"bid":%b,"exclusive_bid":%b,"bid_id":"%b"}' % (price, alone, token.encode())
        return self.write(said, 200, JSON)

    def no_bid(self) -> bytes:
        """Say nothing, with 204."""
        return NO_CONTENT

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Say it as the contract wants it said."""
        match sale.belief:
            case Belief.ACCEPTED:
                price = sale.pays if sale.pays != sale.price else None
                answer = PostAnswer(accepted=True, reference=reference, price=price)
            case Belief.REFUSED:
                answer = PostAnswer(accepted=False, reason="not wanted after all")
            case _:
                return self.write(encode(PostAnswer(accepted=None)), 202, JSON)
        return self.write(encode(answer), 200, JSON)


class Foreign:
    """What all foreign buyers have alike."""

    def __init__(self, write: Write) -> None:
        self.write = write

    def ping(self, body: bytes) -> PingHead:
        """Know a ping by its content: most dialects give it no id."""
        if not form(body):
            raise ValueError("no form")
        digest = hashlib.sha256(body).hexdigest()
        return PingHead(digest[:32], UNTOLD, Terms(USUAL_TMAX_MS))


def form(body: bytes) -> dict[str, str]:
    """Return an urlencoded form, the last value of each name."""
    return {name: values[-1] for name, values in parse_qs(body.decode()).items()}


def named(body: bytes, name: str) -> str:
    """Return one field of a form; ValueError where it is not there."""
    value = form(body).get(name)
    if value is None:
        raise ValueError(f"no {name}")
    return value


def sale_of(headers: Mapping[str, str]) -> str:
    """Return the sale's id from the header; ValueError where there is none."""
    key = headers.get("idempotency-key")
    if not key:
        raise ValueError("no Idempotency-Key")
    return key


class Phonexa(Foreign):
    """A form in, JSON out: a `promise` for the post, and a status that is a number there.

    The price is a number in one answer and a text in the other, as it is there.
    """

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Read a form that names its promise."""
        return PostHead(sale_of(headers), token=named(body, "promise"))

    def bid(self, price: bytes, token: str) -> bytes:
        """Continue."""
        body = b'{"status":"continue","price":%b,"promise":"W_%b"}' % (price, token.encode())
        return self.write(body, 200, JSON)

    def no_bid(self) -> bytes:
        """Reject, with status 200."""
        return self.write(b'{"status":"reject","reason":"No buyer found."}', 200, JSON)

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Say 1, 2 or 3."""
        said: dict[str, object] = {"lead_id": reference}
        match sale.belief:
            case Belief.ACCEPTED:
                said |= {"status": 1, "status_text": "sold", "price": f"{sale.pays:.4f}"}
            case Belief.REFUSED:
                said |= {"status": 2, "status_text": "reject", "price": "0.0000"}
            case _:
                said |= {"status": 3, "status_text": "in progress"}
        return self.write(msgspec.json.encode(said), 200, JSON)


class Boberdoo(Foreign):
    """A form in, XML out: `Matched` or `Unmatched`, and a lead id for the post."""

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Read a form that names the ping's lead id."""
        return PostHead(sale_of(headers), token=named(body, "Lead_ID"))

    def bid(self, price: bytes, token: str) -> bytes:
        """Match."""
        said = b"<status>Matched</status><lead_id>%b</lead_id>" % token.encode()
        best = b"<process_information><best_bid>%b</best_bid></process_information>" % price
        return self.answer(said + best)

    def no_bid(self) -> bytes:
        """Do not match."""
        return self.answer(b"<status>Unmatched</status>")

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Match, or not, or speak of an error where it is undecided."""
        if sale.belief is Belief.ACCEPTED:
            price = f"{sale.pays:.2f}".encode()
            said = b"<status>Matched</status><lead_id>%b</lead_id><price>%b</price>"
            return self.answer(said % (reference.encode(), price))
        if sale.belief is Belief.REFUSED:
            return self.answer(b"<status>Unmatched</status>")
        return self.answer(b"<status>Error</status><error>try again</error>")

    def answer(self, said: bytes) -> bytes:
        """Return a whole answer."""
        document = b'<?xml version="1.0" encoding="utf-8"?>\n<response>%b</response>'
        return self.write(document % said, 200, XML)


class DirectPost(Foreign):
    """Who is never asked: every lead is taken at the price agreed on, or not."""

    def ping(self, body: bytes) -> PingHead:
        """Refuse: there is no such door."""
        raise ValueError(f"no pings here: {len(body)} bytes")

    def bid(self, price: bytes, token: str) -> bytes:
        """Never happens."""
        raise AssertionError(f"no ping was read: {price!r} {token}")

    def no_bid(self) -> bytes:
        """Never happens."""
        raise AssertionError("no ping was read")


class LeadExec(DirectPost):
    """XML in and out."""

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Read any XML; its content is no matter."""
        try:
            ET.fromstring(body)  # noqa: S314 - a simulated buyer of a local exchange
        except ET.ParseError:
            raise ValueError("no XML") from None
        return PostHead(sale_of(headers))

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Call the post valid, or not."""
        valid = b"true" if sale.belief is Belief.ACCEPTED else b"false"
        said = b"<PostResponse><isValidPost>%b</isValidPost>" % valid
        if valid == b"true":
            said += b"<LeadIdentifier>%b</LeadIdentifier>" % reference.encode()
        else:
            said += b"<ResponseDetail>not wanted after all</ResponseDetail>"
        return self.write(said + b"</PostResponse>", 200, XML)


class Crm(DirectPost):
    """A REST service that makes a record of everything: 201 and its id."""

    def post(self, headers: Mapping[str, str], body: bytes) -> PostHead:
        """Read any JSON object."""
        msgspec.json.decode(body, type=dict)
        return PostHead(sale_of(headers))

    def stand(self, sale: Sale, reference: str) -> bytes:
        """Say that the record was made, or why not."""
        if sale.belief is Belief.ACCEPTED:
            body = b'{"id":"%b","status":"todo"}' % reference.encode()
            return self.write(body, 201, JSON)
        return self.write(b'{"error":"not wanted after all"}', 422, JSON)


SPEECHES: Mapping[Speaking, Callable[[Write], Speech]] = {
    Speaking.STANDARD: Standard,
    Speaking.PHONEXA: Phonexa,
    Speaking.BOBERDOO: Boberdoo,
    Speaking.LEADEXEC: LeadExec,
    Speaking.CRM: Crm,
}
