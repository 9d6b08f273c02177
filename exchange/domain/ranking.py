"""Who wins: price, then priority, then a digest that makes every replay end alike."""

import hashlib
from collections.abc import Iterable

from exchange.domain.bid import Bid


def rank(bids: Iterable[Bid], auction_id: str) -> list[Bid]:
    """Return the bids, best first: price down, priority up, then SHA-256 of auction and offer."""

    def key(bid: Bid) -> tuple[int, int, bytes]:
        tie = hashlib.sha256(f"{auction_id}{bid.offer.id}".encode()).digest()
        return (-bid.price, bid.offer.priority, tie)

    return sorted(bids, key=key)
