"""What the buyers of a choice pay: each on the terms on which it was chosen; pure."""

from collections.abc import Collection, Sequence

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.choice import Choice, Sharing, choose
from exchange.domain.money import Micros
from exchange.domain.paying import Deal, Terms, deals


def dealt(
    choice: Choice, others: Sequence[Bid], sharing: Sharing, terms: Terms, sent: Collection[str]
) -> tuple[Deal, ...]:
    """Return the deal of each bid that was chosen, in their order.

    `others` are the bids that stood and were not; `sent` are buyers who were sent the lead before.
    Neither these nor another offer of a winner's own buyer sets anybody's price.
    """
    bids = [at_its_price(bid, choice) for bid in choice.bids]
    never = {*sent, *(one.offer.buyer.id for one in sharing.taken)}
    if has_it_alone(choice, sharing):
        own = choice.bids[0].offer.buyer.id
        able = [bid for bid in others if bid.offer.buyer.id not in {*never, own}]
        others = as_one(choose(able, sharing))
    return deals(bids, others, terms, never)


def has_it_alone(choice: Choice, sharing: Sharing) -> bool:
    """Tell whether a choice keeps others out who could share: by its bid, or by its offer."""
    if choice.alone or sharing.buyers_max == 1 or len(choice.bids) > 1:
        return choice.alone
    return sharing.buyers_max_of(choice.bids[0].offer) == 1


def at_its_price(bid: Bid, choice: Choice) -> Bid:
    """Return the bid as it is to be sold: at its exclusive price where it is alone."""
    if not choice.alone:
        return bid
    sold: Bid = msgspec.structs.replace(bid, price=choice.price_of(bid), exclusive_price=None)
    return sold


def as_one(choice: Choice | None) -> list[Bid]:
    """Return a choice as one bid of all it brings: what who is alone is measured against."""
    if choice is None:
        return []
    total = Micros(sum(choice.price_of(bid) for bid in choice.bids))
    rival: Bid = msgspec.structs.replace(choice.bids[0], price=total, exclusive_price=None)
    return [rival]
