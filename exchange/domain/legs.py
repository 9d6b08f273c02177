"""The parts of a quote: what each of its buyers was promised to pay for, and who may replace it.

A leg is one buyer's part. What is sold of it is sold at no less than it was quoted; a buyer that
was not quoted may take the place of a leg that fell through, if it pays no less.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.campaign import Margin
from exchange.domain.ids import SaleId
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.pricing import least_price, split


class QuotedLeg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one buyer's part of a quote promises."""

    leg_id: str
    offer_id: str
    price: Micros
    """What the buyer pays at least: what it would have paid when it was quoted."""
    payout: Micros
    """What the seller gets of it at least."""
    buyer: str | None = None
    """The name by which the seller was told of it, if it was."""
    sale_id: SaleId | None = None
    """Under which room is held for it, if it is."""
    held_at_us: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a post insists on of its quote."""

    legs: tuple[QuotedLeg, ...]
    """Those that the seller posts."""
    stage: int
    """Where they were quoted."""
    alone: bool = False
    """The one leg was quoted to a buyer that is alone."""
    is_chosen: bool = False
    """The seller chose: nobody else gets the lead."""
    insists: bool = True
    """False: the seller's lower `min_price` permits less."""
    held: tuple[QuotedLeg, ...] = ()
    """All legs for which room is held, posted or not."""

    @property
    def held_of(self) -> frozenset[str]:
        """Return the offers for which room is held: it counts as full, and is theirs."""
        return frozenset(leg.offer_id for leg in self.held if leg.sale_id is not None)

    def held_for(self, deal: Deal) -> QuotedLeg | None:
        """Return the leg whose room a sale takes over: it pays no more than was held."""
        leg = self.leg_of(deal.bid)
        if leg is None or leg.sale_id is None or deal.price > leg.price:
            return None
        return leg

    def leg_of(self, bid: Bid) -> QuotedLeg | None:
        """Return the leg that a bid was quoted for; None where it was not."""
        return next((leg for leg in self.legs if leg.offer_id == bid.offer.id), None)

    def takers(
        self, left: Iterable[Bid], taken: Collection[str], payout_of: Callable[[Bid], Micros]
    ) -> list[Bid]:
        """Return which of the bids that are left may come in, on the terms of the quote.

        `taken` are offers that have the lead, or may have it. Who was quoted may always; somebody
        else only for a leg that fell through, and for no less than the best of them promised.
        """
        left = list(left)
        vacated = self.vacated(left, taken)
        able: list[Bid] = []
        for bid in left:
            if self.leg_of(bid) is not None:
                able.append(self._on_its_terms(bid))
            elif not self.is_chosen and vacated is not None:
                able += self._in_place(bid, vacated, payout_of)
        return able

    def vacated(self, left: Iterable[Bid], taken: Collection[str]) -> Micros | None:
        """Return the most that a leg promised which fell through and whose place nobody took."""
        quoted = {leg.offer_id for leg in self.legs}
        here = {bid.offer.id for bid in left} | set(taken)
        free = sorted((leg.payout for leg in self.legs if leg.offer_id not in here), reverse=True)
        free = free[len(set(taken) - quoted) :]
        return free[0] if free else None

    def _on_its_terms(self, bid: Bid) -> Bid:
        """Return the bid as it was quoted: for being alone, or for sharing."""
        price = Micros(0) if self.alone else bid.price
        alone = bid.exclusive_price if self.alone else None
        quoted: Bid = msgspec.structs.replace(bid, price=price, exclusive_price=alone)
        return quoted

    def _in_place(
        self, bid: Bid, promised: Micros, payout_of: Callable[[Bid], Micros]
    ) -> Iterable[Bid]:
        plain: Bid = msgspec.structs.replace(bid, exclusive_price=None)
        if bid.price and (not self.insists or payout_of(plain) >= promised):
            yield plain

    def as_promised(self, deal: Deal, vacated: Micros | None, margin: Margin) -> Deal:
        """Return a deal at no less than its leg promised, or the one whose place it takes.

        Its buyer never pays more than it bid.
        """
        leg = self.leg_of(deal.bid)
        least = vacated if leg is None else leg.payout
        if not self.insists or least is None or deal.payout >= least:
            return deal
        if leg is not None:
            return Deal(deal.bid, max(deal.price, leg.price), leg.payout, "as it was quoted")
        whole: Margin = msgspec.structs.replace(margin, relaxed=None)
        parts = split(min(deal.bid.price, least_price(least, whole)), whole)
        return Deal(deal.bid, parts.price, parts.payout, "no less than the leg in whose place")


def chosen(
    legs: tuple[QuotedLeg, ...],
    leg_ids: Collection[str] | None,
    named: Collection[str],
    names_of: Mapping[str, Collection[str]],
) -> tuple[QuotedLeg, ...]:
    """Return the legs that a post is for: those it names, of buyers to whom the person consented.

    `named` are the buyers that the consent names; where the quote told the seller no name, they
    choose nothing. `names_of` gives by offer what its buyer may be called beside its leg's name.
    """
    picked = tuple(leg for leg in legs if leg_ids is None or leg.leg_id in leg_ids)
    if not named or not any(leg.buyer for leg in legs):
        return picked
    told = {name.casefold() for name in named}
    return tuple(
        leg
        for leg in picked
        if told & {name.casefold() for name in (leg.buyer or "", *names_of.get(leg.offer_id, ()))}
    )
