"""What simulated buyers bid: few amounts, each with an id that tells it again."""

import json
from decimal import Decimal
from functools import cache

BIDS = tuple(
    b'{"bid": %d.%02d, "bid_id": "b%d"%b}'
    % (n // 20 + 1, n * 7 % 100, n, b', "exclusive_bid": %d' % (n // 8 + 2) if n % 3 == 0 else b"")
    for n in range(400)
)
"""A third names a price for being alone, too; where nobody shares it counts if it is higher."""


@cache
def amounts(bid_id: str) -> frozenset[int]:
    """Return what a bid of this id named, in micros: its price, and that for being alone."""
    said = json.loads(BIDS[int(bid_id[1:])], parse_float=Decimal)
    return frozenset(
        int(said[name] * 1_000_000) for name in ("bid", "exclusive_bid") if name in said
    )
