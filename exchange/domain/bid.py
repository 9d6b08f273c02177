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
    token: str | None = None
    """What a foreign dialect wants to see again in the post."""


class OfferResult(msgspec.Struct, kw_only=True):
    """The one reason or result that an offer has for a lead in one stage.

    `reason` None: its bid stands (or won). Filled while the auction goes on, then left alone.
    """

    offer_id: str
    reason: Reason | None = None
    detail: str | None = None
    """A filter's clause, a full counter, what was wrong with the answer; never a value."""
    bid: Bid | None = None
    floor: Micros = Micros(0)
    pinged: bool = False
    ms: float | None = None
    """From the ping to its answer, or to the moment when it was given up."""
