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
from bidders.fleet.spec import BuyerSpec, PostFault, Speaking
from bidders.fleet.speech import SPEECHES, PostHead, Standard
from bidders.signature import Signatures
from exchange.contract.buyer import BidNotices


class Told(msgspec.Struct, frozen=True):
    """A message with notices."""

    data: BidNotices


CENT = Decimal("0.01")
UNSIGNED = Reply(message(b'{"error":"bad signature"}', 401))
NOTICES = msgspec.json.Decoder(Told)
NO_SALE = Reply(message(b'{"error":"no such sale"}', 404))
UNREADABLE = Reply(message(b'{"error":"not of the contract"}', 400))


QUOTED_MAX = 100_000
"""So many bids of its own a buyer remembers, to know what it pays for a lead."""

MIDDLE = 0.5
"""The luck by which a fixed price is drawn."""


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
        self.speech = SPEECHES[spec.speaks](self.write)
        self.quoted: dict[str, Decimal] = {}

    def ping(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Return the answer to a ping, None for silence. Faults befall wanted pings only."""
        book, spec = self.book, self.spec
        book.pings += 1
        if not self.signatures.accept(headers, body):
            book.unsigned += 1
            return UNSIGNED
        try:
            ping = self.speech.ping(body)
        except (ValueError, RecursionError):
            book.unreadable += 1
            return UNREADABLE
        luck = self.dice.roll("ping/" + ping.ping_id)
        after_ms = spec.latency_ms.at(luck.pace)
        if luck.interest >= spec.bids or spec.vertical not in {None, ping.vertical}:
            book.no_bids += 1
            return Reply(self.speech.no_bid(), after_ms)
        book.bids += 1
        bid = in_cents(spec.price.at(luck.price))
        price, token = f"{bid:.2f}".encode(), f"{luck.token:016x}"
        if spec.speaks is not Speaking.STANDARD:  # its posts name no price, but the bid
            self.remember(token, bid)
        said = self.speech.bid(price, token)
        if spec.alone_times and isinstance(self.speech, Standard):
            alone = in_cents(float(bid) * spec.alone_times)
            said = self.speech.bid_or_alone(price, f"{alone:.2f}".encode(), token)
        good = Reply(said, after_ms)
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
            post = self.speech.post(headers, body)
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
        sale = book.sales[key] = self.open(post, self.agreed(post), fault)
        good = self.plainly(sale, after_ms)
        if fault is None:
            return good
        book.faults["post-" + fault] += 1
        return spoil_answer(fault, good, self.manners)

    def status(self, headers: Mapping[str, str], sale_id: str) -> Reply | None:
        """Return what the buyer holds of a sale by now; None for silence, 404 for one unknown."""
        book = self.book
        book.asked += 1
        if not self.signatures.accept(headers, b""):
            book.unsigned += 1
            return UNSIGNED
        sale = book.sales.get(sale_id)
        if sale is None or sale.belief is Belief.UNREAD:
            return NO_SALE
        if sale.fault is PostFault.MUTE:
            return None
        sale.belief = later_belief(sale.fault)
        return self.plainly(sale, self.spec.post_latency_ms.at(MIDDLE))

    def hear(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take notices of bids, and count them by what they say."""
        if not self.signatures.accept(headers, body):
            self.book.unsigned += 1
            return UNSIGNED
        try:
            told = NOTICES.decode(body).data.notices
        except (ValueError, RecursionError):
            self.book.unreadable += 1
            return UNREADABLE
        self.book.notices.update(one.result for one in told)
        return Reply(NO_CONTENT)

    def remember(self, token: str, price: Decimal) -> None:
        """Remember a bid until its post comes, or too many others came."""
        self.quoted[token] = price
        if len(self.quoted) > QUOTED_MAX:
            del self.quoted[next(iter(self.quoted))]

    def agreed(self, post: PostHead) -> Decimal:
        """Return the price of a post: its own, its bid's, or what this buyer always pays."""
        if post.price is not None:
            return post.price
        quoted = self.quoted.get((post.token or "").removeprefix("W_"))
        return in_cents(self.spec.price.at(MIDDLE)) if quoted is None else quoted

    def open(self, post: PostHead, price: Decimal, fault: PostFault | None) -> Sale:
        """Return a new sale as the buyer holds it after the first post."""
        pays = price
        if fault is PostFault.LOWER_PRICE:
            pays = price * (1 - Decimal(str(self.spec.lower_by)))
            pays = max(CENT, pays.quantize(CENT, rounding=ROUND_DOWN))
        return Sale(
            sale_id=post.sale_id,
            ping_id=post.ping_id,
            price=price,
            pays=pays,
            belief=first_belief(fault),
            fault=fault,
        )

    def plainly(self, sale: Sale, after_ms: float) -> Reply:
        """Return what the buyer holds of the sale, in its own words."""
        return Reply(self.speech.stand(sale, f"{self.spec.id}-{sale.sale_id}"), after_ms)


def in_cents(price: float) -> Decimal:
    """Return a price drawn as a float, rounded once to whole cents, and exact from there on."""
    return Decimal(max(1, round(price * 100))) / 100
