"""What is put up in an auction, and how it ended."""

from collections.abc import Sequence

import msgspec

from exchange.auction.ping import Showing
from exchange.auction.rest import Rest
from exchange.domain.bid import Bid, Contender, above
from exchange.domain.captured import CallKind, Captured
from exchange.domain.closing import Closing, Decided
from exchange.domain.dialect import PingDialect
from exchange.domain.lead import Fingerprint
from exchange.domain.offer import Offer
from exchange.domain.ranking import Worth, rank
from exchange.domain.reason import Reason
from exchange.wire.call import Call

PING = CallKind.PING


class Tender(msgspec.Struct, frozen=True, kw_only=True):
    """What is put up: a lead as it may be shown, and who may compete for it."""

    auction_id: str
    showing: Showing
    fingerprint: Fingerprint
    hashed: tuple[str, ...]
    """Fields that a ping shows as a hash keyed for its buyer."""
    seller_id: str
    source_id: str
    contenders: tuple[Contender, ...]
    at_us: int
    timeout_ms: float
    """What is left until the stage's or the auction's deadline, whichever comes first."""
    by: Worth | None = None
    """What bids are ranked by; None: by price."""
    closing: Closing | None = None
    """What may end the auction early; None: nothing but the last answer."""


class ClosedEarly(msgspec.Struct, frozen=True):
    """An auction that was decided before all had answered."""

    decided: Decided
    ms: float
    """When, from its beginning."""
    left_ms: float
    """Until the last of those who were silent would have had to answer."""
    rest: Rest
    """What they still bid, for who needs it."""


class AuctionResult(msgspec.Struct, frozen=True):
    """How an auction ended: the bids that stand, best first, and one result for each contender."""

    ranked: tuple[Bid, ...]
    results: tuple[Contender, ...]
    exchanged: tuple[Captured, ...]
    early: ClosedEarly | None = None


def result_of(
    tender: Tender, calls: Sequence[Call], early: ClosedEarly | None = None
) -> AuctionResult:
    """Return how an auction ended, from what its contenders came to."""
    standing: list[Bid] = []
    for one in tender.contenders:
        bid = one.bid
        if bid is not None:
            if bid.exclusive_price is not None:
                bid = above(bid, one.floor)
            elif bid.price < one.floor:
                bid = None
            if bid is not None:
                standing.append(bid)
            else:  # it is kept with its reason
                one.reason = Reason.BELOW_FLOOR
    return AuctionResult(
        ranked=tuple(rank(standing, tender.auction_id, tender.by)),
        results=tender.contenders,
        exchanged=tuple([captured(call, tender.at_us) for call in calls]),
        early=early,
    )


def captured(call: Call, at_us: int) -> Captured:
    """Return what is kept of a call: exact, but for secrets."""
    offer = call.tag.offer
    dialect = dialect_of(offer)
    request, answer = call.request, call.body
    if dialect is not None:
        request, answer = dialect.redacted(request), dialect.redacted(answer)
    return Captured(offer.id, PING, request, call.status, answer, at_us)


def dialect_of(offer: Offer) -> PingDialect | None:
    """Return how an offer's endpoint speaks; None: as the exchange does."""
    return None if offer.ping is None else offer.ping.dialect
