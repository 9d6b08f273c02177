"""What each simulated buyer received and believes, to compare with the exchange's ledger."""

from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from bidders.fleet.spec import PostFault


class Belief(StrEnum):
    """What a buyer holds of a sale: it has the lead and pays, or not, or has not decided."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"
    UNREAD = "unread"


class Sale(msgspec.Struct):
    """One sale as its buyer knows it; `price` is what was asked, `pays` what the buyer means to."""

    sale_id: str
    ping_id: str | None
    price: Decimal
    pays: Decimal
    belief: Belief
    fault: PostFault | None
    posts: int = 1


class Received(msgspec.Struct, frozen=True):
    """One request as it came over the wire."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Book:
    """One buyer's record: counts of pings and posts, every sale, and the last requests."""

    def __init__(self, keep: int) -> None:
        self.pings = 0
        self.bids = 0
        self.no_bids = 0
        self.posts = 0
        self.repeats = 0
        self.asked = 0
        self.notices: Counter[str] = Counter()
        self.unreadable = 0
        self.unsigned = 0
        self.faults: Counter[str] = Counter()
        self.sales: dict[str, Sale] = {}
        self.requests: deque[Received] = deque(maxlen=keep)

    def accepted(self) -> dict[str, Decimal]:
        """Return the price that the buyer pays for each sale it believes to have made."""
        return {
            sale.sale_id: sale.pays
            for sale in self.sales.values()
            if sale.belief is Belief.ACCEPTED
        }

    def counts(self) -> dict[str, Any]:
        """Return the counts alone."""
        return {
            "pings": self.pings,
            "bids": self.bids,
            "no_bids": self.no_bids,
            "posts": self.posts,
            "repeats": self.repeats,
            "asked": self.asked,
            "notices": dict(sorted(self.notices.items())),
            "unreadable": self.unreadable,
            "unsigned": self.unsigned,
            "faults": dict(sorted(self.faults.items())),
            "beliefs": dict(sorted(Counter(s.belief for s in self.sales.values()).items())),
        }


ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(seed: int, books: Mapping[str, Book], *, sales: bool = True) -> bytes:
    """Return the books as JSON, prices as exact numbers, the sales in the order they came."""
    return ENCODER.encode(
        {
            "seed": seed,
            "buyers": {
                name: book.counts() | ({"sales": list(book.sales.values())} if sales else {})
                for name, book in books.items()
            },
        }
    )
