"""What the winners of a stage pay, and what their sellers get: pure, from the bids that stood.

Under first price everybody pays its bid. Under second price a winner pays the best bid that could
have bought instead of it, or the floor that its ping named, whichever is higher, and never more
than it bid. A bid could have bought if it stood, did not win, is of a buyer that wins nothing of
this lead, and that buyer was not sent it already. So after a refusal the price of the next winner
is set by the bids below it: who refused the lead sets nobody's price.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.campaign import PriceRuleKind, SellerTerms
from exchange.domain.floors import Floors
from exchange.domain.money import Micros, share_up, to_text
from exchange.domain.offer import Offer, OnLowerPrice
from exchange.domain.pricing import split

NOBODY: frozenset[str] = frozenset()


class Deal(msgspec.Struct, frozen=True):
    """What a bid comes to if its buyer gets the lead now."""

    bid: Bid
    price: Micros
    """What the buyer pays: at most what it bid, at least its floor."""
    payout: Micros
    """What the seller gets of it."""
    remark: str | None = None
    """Why the buyer pays less than it bid, or the exchange keeps less than its rule says."""


class Terms(msgspec.Struct, frozen=True):
    """On what one lead is sold in one stage."""

    rule: PriceRuleKind
    seller: SellerTerms
    floors: Floors
    wanted: Micros
    """The least that the seller must get: its `min_price`, or what a quote promised."""


def deals(
    winners: Sequence[Bid], others: Iterable[Bid], terms: Terms, sent: Collection[str] = NOBODY
) -> tuple[Deal, ...]:
    """Return what each of several winners pays, in their order, and its seller gets.

    `others` are all bids that stood and did not win, of whichever buyer; `sent` are buyers who were
    sent the lead before. Under second price all winners pay alike, but for their floors and bids.
    """
    rival = None
    if terms.rule is PriceRuleKind.SECOND_PRICE:
        rival = best_rival(others, {*sent, *(bid.offer.buyer.id for bid in winners)})
    return tuple([deal(bid, rival, terms) for bid in winners])


def best_rival(others: Iterable[Bid], never: Collection[str]) -> Bid | None:
    """Return the highest bid of a buyer that is none of these; the first one of equal ones."""
    able = (bid for bid in others if bid.offer.buyer.id not in never)
    return max(able, key=lambda bid: bid.price, default=None)


def deal(bid: Bid, rival: Bid | None, terms: Terms) -> Deal:
    """Return what a winner pays whose best rival this is, under its stage's rule."""
    price, remark = bid.price, None
    if terms.rule is PriceRuleKind.SECOND_PRICE:
        floor = terms.floors.of(bid.offer)
        by = rival if rival is not None and rival.price >= floor else None
        price = second_price(bid.price, floor, None if by is None else by.price)
        if price < bid.price:
            remark = f"second price: {'its floor' if by is None else f'the bid of {by.offer.id}'}"
    parts = split(price, terms.seller.margin_of(bid.offer.id), terms.wanted)
    if parts.margin < parts.by_rule:
        less = f"margin {to_text(parts.by_rule)} relaxed to {to_text(parts.margin)}"
        remark = less if remark is None else f"{remark}; {less}"
    return Deal(bid, price, parts.payout, remark)


def second_price(bid: Micros, floor: Micros, rival: Micros | None) -> Micros:
    """Return what a winner pays: the best rival's bid or its floor, and never more than it bid.

    Vickrey, Counterspeculation, Auctions, and Competitive Sealed Tenders, 1961.
    """
    return min(bid, floor if rival is None else max(floor, rival))


def charged(asked: Micros, said: Micros | None, offer: Offer) -> tuple[Micros, str | None]:
    """Return what a buyer owes that accepts at a price of its own, and a remark where that differs.

    A lower price is taken down to the offer's limit, a part of what its post asked.
    """
    if said is None or said == asked:
        return asked, None
    if said > asked:
        return asked, "higher price ignored"
    least = share_up(asked, offer.take_down_to)
    if offer.on_lower_price is OnLowerPrice.DISPUTE or said < least:
        return asked, "lower price disputed"
    return said, "lower price taken"
