"""What came of asking one offer: a bid, a no-bid, or one of the ways not to answer."""

import msgspec

from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason


class Bid(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A price that binds its buyer until it expires."""

    offer: Offer
    price: Micros
    ping_id: str | None = None
    """None for an offer that competes unasked at its static price."""
    bid_id: str | None = None
    ttl_s: int | None = None
    buyer_name: str | None = None
    consent_text: str | None = None
    exclusive_price: Micros | None = None
    """What it pays for being the only one; None where it named no such price. With a `price` of 0
    it is for that alone."""
    token: str | None = None
    """What a foreign dialect wants to see again in the post."""


class Contender(msgspec.Struct, gc=False):
    """An eligible offer under its terms, and the one result that it then has in a stage.

    `reason` None: its bid stands (or won). Filled while the auction goes on, then left alone. One
    object goes the whole way: an auction has as many of them as offers, and makes little else.
    """

    offer: Offer
    floor: Micros = Micros(0)
    """The least it may pay."""
    static_price: Micros | None = None
    """What it pays where it names no price."""
    buyers_max: int = 1
    """With how many in all, itself among them, it would have the lead for its bid."""
    ping_id: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    """A filter's clause, a full counter, what was wrong with the answer; never a value."""
    bid: Bid | None = None
    pinged: bool = False
    ms: float | None = None
    """From the ping to its answer, or to the moment when it was given up."""

    @property
    def offer_id(self) -> str:
        """Whose result it is."""
        return self.offer.id


def above(bid: Bid, floor: Micros) -> Bid | None:
    """Return what of a bid reaches its floor: both its prices, one of them, or None."""
    alone = bid.exclusive_price
    if alone is None:
        return bid if bid.price >= floor else None
    price = bid.price if bid.price >= floor else Micros(0)
    alone = alone if alone >= floor else None
    if alone is None and not price:
        return None
    if price == bid.price and alone == bid.exclusive_price:
        return bid
    part: Bid = msgspec.structs.replace(bid, price=price, exclusive_price=alone)
    return part
