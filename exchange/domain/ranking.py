"""Who wins: price, then priority, then a digest that makes every replay end alike."""

import hashlib
from collections.abc import Iterable

from exchange.domain.bid import Bid


def rank(bids: Iterable[Bid], auction_id: str) -> list[Bid]:
    """Return the bids, best first: price down, priority up, then SHA-256 of auction and offer."""
    ranked = sorted(bids, key=worth)
    if len({worth(bid) for bid in ranked}) < len(ranked):
        # Here alone: ties are rare, and a digest for every bid costs more than all the rest.
        ranked.sort(key=lambda bid: (*worth(bid), _lot(bid, auction_id)))
    return ranked


def worth(bid: Bid) -> tuple[int, int]:
    """Return what bids are compared by first; the least is the best."""
    return -bid.price, bid.offer.priority


def _lot(bid: Bid, auction_id: str) -> bytes:
    return hashlib.sha256(f"{auction_id}{bid.offer.id}".encode()).digest()
