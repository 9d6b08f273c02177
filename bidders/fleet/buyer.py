"""One simulated buyer decides, by its spec, the seed and what it is asked, and keeps its book."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

import msgspec

from bidders.fleet.books import Belief, Book, Sale
from bidders.fleet.chance import Dice
from bidders.fleet.misconduct import (
    Manners,
    Stack,
    first_belief,
    later_belief,
    spoil_answer,
    spoil_bid,
)
from bidders.fleet.reply import NO_CONTENT, Reply, chunked, message
from bidders.fleet.spec import BuyerSpec, PostFault
from bidders.signature import Signatures
from exchange.contract.buyer import PostAnswer, encode

CENT = Decimal("0.01")
UNSIGNED = Reply(message(b'{"error":"bad signature"}', 401))
UNREADABLE = Reply(message(b'{"error":"not of the contract"}', 400))


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
    price: Decimal
    ping_id: str | None = None


PINGS = msgspec.json.Decoder(PingHead)
POSTS = msgspec.json.Decoder(PostHead)


class Buyer:
    """Answers pings and posts; the same seed gives the same answers in whatever order."""

    def __init__(self, spec: BuyerSpec, seed: int, book: Book) -> None:
        self.spec = spec
        self.book = book
        self.dice = Dice(seed, spec.id)
        self.ping_faults = Stack(spec.ping_faults)
        self.post_faults = Stack(spec.post_faults)
        self.manners = Manners(spec.slow_ms, spec.late_ms, spec.drip_ms)
        self.signatures = Signatures([spec.secret] if spec.secret else [])
        self.write = chunked if spec.chunked else message

    def ping(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Return the answer to a ping, None for silence. Faults befall wanted pings only."""
        book, spec = self.book, self.spec
        book.pings += 1
        if not self.signatures.accept(headers, body):
            book.unsigned += 1
            return UNSIGNED
        try:
            ping = PINGS.decode(body)
        except (ValueError, RecursionError):
            book.unreadable += 1
            return UNREADABLE
        luck = self.dice.roll("ping/" + ping.ping_id)
        after_ms = spec.latency_ms.at(luck.pace)
        if luck.interest >= spec.bids or spec.vertical not in {None, ping.vertical}:
            book.no_bids += 1
            return Reply(NO_CONTENT, after_ms)
        book.bids += 1
        # Drawn as a float, rounded once to whole cents, and exact from there on.
        cents = max(1, round(spec.price.at(luck.price) * 100))
        price = b"%d.%02d" % divmod(cents, 100)
        good = Reply(self.write(b'{"bid":%b,"bid_id":"%016x"}' % (price, luck.token)), after_ms)
        fault = self.ping_faults.pick(luck.fault)
        if fault is None:
            return good
        book.faults["ping-" + fault] += 1
        return spoil_bid(fault, good, price, ping.auction.tmax_ms, self.manners)

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Return the answer to a post, None for silence; one sale per key, however often it comes.

        A repetition is answered plainly by what the buyer holds of the sale by then.
        """
        book = self.book
        book.posts += 1
        if not self.signatures.accept(headers, body):
            book.unsigned += 1
            return UNSIGNED
        try:
            post = POSTS.decode(body)
        except (ValueError, RecursionError):
            book.unreadable += 1
            return UNREADABLE
        key = headers.get("idempotency-key", post.sale_id)
        luck = self.dice.roll("post/" + post.sale_id)
        after_ms = self.spec.post_latency_ms.at(luck.pace)
        sale = book.sales.get(key)
        if sale is not None:
            sale.posts += 1
            sale.belief = later_belief(sale.fault)
            book.repeats += 1
            return None if sale.fault is PostFault.MUTE else self.plainly(sale, after_ms)
        fault = self.post_faults.pick(luck.fault)
        sale = book.sales[key] = self.open(post, fault)
        good = self.plainly(sale, after_ms)
        if fault is None:
            return good
        book.faults["post-" + fault] += 1
        return spoil_answer(fault, good, self.manners)

    def open(self, post: PostHead, fault: PostFault | None) -> Sale:
        """Return a new sale as the buyer holds it after the first post."""
        pays = post.price
        if fault is PostFault.LOWER_PRICE:
            pays = post.price * (1 - Decimal(str(self.spec.lower_by)))
            pays = max(CENT, pays.quantize(CENT, rounding=ROUND_DOWN))
        return Sale(
            sale_id=post.sale_id,
            ping_id=post.ping_id,
            price=post.price,
            pays=pays,
            belief=first_belief(fault),
            fault=fault,
        )

    def plainly(self, sale: Sale, after_ms: float) -> Reply:
        """Return what the buyer holds of the sale, as the contract wants it said."""
        match sale.belief:
            case Belief.ACCEPTED:
                price = sale.pays if sale.pays != sale.price else None
                reference = f"{self.spec.id}-{sale.sale_id}"
                answer = PostAnswer(accepted=True, reference=reference, price=price)
            case Belief.REFUSED:
                answer = PostAnswer(accepted=False, reason="not wanted after all")
            case _:
                return Reply(self.write(encode(PostAnswer(accepted=None)), 202), after_ms)
        return Reply(self.write(encode(answer)), after_ms)
