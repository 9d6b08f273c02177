"""What of the bids may still be chosen where some of a choice had no room; pure."""

from collections.abc import Iterable, Mapping

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.choice import Choice
from exchange.domain.reason import Reason

Full = Mapping[str, Reason]
"""Offers that had no room at the award, and whether they lacked a place or money."""


def remaining(bids: Iterable[Bid], choice: Choice, full: Full) -> list[Bid]:
    """Return the bids that are left, in their order.

    Who has not the money that it bid for being alone still stands with what it bid for sharing.
    """
    left: list[Bid] = []
    for bid in bids:
        why = full.get(bid.offer.id)
        if why is None:
            left.append(bid)
        elif choice.alone and why is Reason.BUDGET_AT_AWARD and bid.price:
            left.append(msgspec.structs.replace(bid, exclusive_price=None))
    return left
