"""Who wins: price, then priority, then a digest that makes every replay end alike."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from exchange.domain.bid import Bid

Worth = Callable[[Bid], tuple[int, ...]]
"""What bids are compared by first; the least is the best."""


def rank(bids: Iterable[Bid], auction_id: str, by: Worth | None = None) -> list[Bid]:
    """Return the bids, best first: price down, priority up, then SHA-256 of auction and offer.

    `by` where something else than `worth` comes before that digest.
    """
    by = by or worth
    ranked = sorted(bids, key=by)
    if len({by(bid) for bid in ranked}) < len(ranked):
        # Here alone: ties are rare, and a digest for every bid costs more than all the rest.
        ranked.sort(key=lambda bid: (*by(bid), _lot(bid, auction_id)))
    return ranked


def fitting(fits: Mapping[str, int]) -> Worth:
    """Return what bids are compared by where the best fit comes first; `fits` by offer."""
    return lambda bid: (-fits[bid.offer.id], *worth(bid))


def worth(bid: Bid) -> tuple[int, int]:
    """Return what bids are compared by first; the least is the best."""
    return -bid.price, bid.offer.priority


def _lot(bid: Bid, auction_id: str) -> bytes:
    return hashlib.sha256(f"{auction_id}{bid.offer.id}".encode()).digest()
