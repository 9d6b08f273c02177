"""Who gets a lead: one buyer alone, or several who share it, whichever brings more; exactly.

A set of buyers may be no larger than its stage allows, nor than any of its own offers does; nobody
is in it twice, and nobody beside a competitor that its offer names. Who has the lead already, or
may have it, stays in the set with all its terms: others only come in beside it.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.campaign import Stage
from exchange.domain.lead import Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.rivals import Rivals, rivals_of

Worth = Callable[[Bid, Micros], int]
"""What a bid is expected to bring at this price; only compared and added up."""


class Taken(msgspec.Struct, frozen=True):
    """Somebody who has the lead, or may have it, and what it was promised."""

    offer: Offer
    buyers_max: int
    """So many of this exchange's buyers at most have the lead; 1: it is alone."""


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a lead may still be shared."""

    buyers_max: int
    """So many buyers may have it in all."""
    elsewhere: int = 0
    """How many have it already by the seller's own word."""
    elsewhere_to: frozenset[str] = frozenset()
    """Buyers whom the seller excluded: where it sold before, it may have been to them."""
    taken: tuple[Taken, ...] = ()
    is_let_out: bool = False
    """Somebody who was to share it may have it, though it was given up and is never charged."""

    @property
    def room(self) -> int:
        """Return how many more may come in."""
        limits = (self.buyers_max - self.elsewhere, *(one.buyers_max for one in self.taken))
        return max(0, min(limits) - len(self.taken))

    @property
    def may_be_alone(self) -> bool:
        """Tell whether nobody has it, or may have it, yet."""
        return not self.elsewhere and not self.taken and not self.is_let_out

    def buyers_max_of(self, offer: Offer) -> int:
        """Return with how many in all, itself among them, this offer would have the lead here."""
        limit = self.buyers_max
        if offer.share_with_max is not None:
            limit = min(limit, offer.share_with_max + 1)
        return limit - self.elsewhere

    def why_not(self, offer: Offer) -> str | None:
        """Say why this offer may not come in beside who is there, or None."""
        is_small = offer.share_with_max is not None
        if is_small and self.buyers_max_of(offer) <= len(self.taken):
            return "shares with fewer than have the lead"
        if self.is_let_out and self.buyers_max_of(offer) + self.elsewhere == 1:
            return "has it alone, and somebody may have it"
        if self.elsewhere and offer.not_with & self.elsewhere_to:
            return "a competitor that it names may have the lead"
        if any(are_rivals(offer, one.offer) for one in self.taken):
            return "does not share with who has the lead"
        return None


def sharing_of(
    lead: Lead, stage: Stage, *, taken: tuple[Taken, ...] = (), is_let_out: bool = False
) -> Sharing:
    """Return how far a lead may still be shared in a stage."""
    return Sharing(
        buyers_max=stage.max_buyers,
        elsewhere=lead.already_sold,
        elsewhere_to=lead.exclude_buyers,
        taken=taken,
        is_let_out=is_let_out,
    )


class Choice(msgspec.Struct, frozen=True):
    """Who is to get the lead now, best first, and whether as the only one."""

    bids: tuple[Bid, ...]
    alone: bool = False

    def price_of(self, bid: Bid) -> Micros:
        """Return what this bid pays on these terms."""
        if not self.alone:
            return bid.price
        assert bid.exclusive_price is not None, "who is chosen alone named a price for it"
        return bid.exclusive_price


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A bid that may come in, by what it is worth."""

    worth: int
    limit: int
    """With how many newcomers at most, itself among them."""
    buyer_id: str
    bid: Bid


def are_rivals(one: Offer, other: Offer) -> bool:
    """Tell whether two offers cannot have a lead together: one buyer's, or one names the other."""
    mine, yours = one.buyer.id, other.buyer.id
    return mine == yours or yours in one.not_with or mine in other.not_with


def at_price(_bid: Bid, price: Micros) -> int:
    """Value a bid by what it pays."""
    return price


def choose(bids: Iterable[Bid], sharing: Sharing, worth: Worth = at_price) -> Choice | None:
    """Return who brings most, together or alone; None where nobody may come in.

    Of what brings the same, fewer buyers; then the bids that come first. `bids` stand above their
    floors, best first; one whose price is 0 and that names an exclusive price is for that alone.
    """
    bids = list(bids)
    found = candidates(bids, sharing, worth)
    together = best_together(found, sharing.room)
    best = max(
        ((worth(bid, bid.exclusive_price), bid) for bid in bids if bid.exclusive_price is not None),
        key=lambda pair: pair[0],
        default=None,
    )
    if best is not None and sharing.may_be_alone and sharing.room:
        total = sum(one.worth for one in together)
        if not together or best[0] > total or (best[0] == total and len(together) > 1):
            return Choice((best[1],), alone=True)
    return Choice(tuple(one.bid for one in together)) if together else None


def in_turn(bids: Iterable[Bid], sharing: Sharing) -> Choice | None:
    """Return those who come first and can share: of a stage that is no auction."""
    chosen: list[Candidate] = []
    room = sharing.room
    for one in candidates(bids, sharing, at_price):
        if len(chosen) >= min(room, one.limit):
            continue
        if not any(are_rivals(one.bid.offer, other.bid.offer) for other in chosen):
            chosen.append(one)
            room = min(room, one.limit)
    return Choice(tuple(one.bid for one in chosen)) if chosen else None


def candidates(bids: Iterable[Bid], sharing: Sharing, worth: Worth) -> list[Candidate]:
    """Return the bids that may come in beside others, in their order."""
    room, before = sharing.room, len(sharing.taken)
    if not room:
        return []
    is_plain = sharing.may_be_alone
    found = []
    for bid in bids:
        offer = bid.offer
        if not bid.price and bid.exclusive_price is not None:
            continue
        if not is_plain and sharing.why_not(offer) is not None:
            continue
        limit = room
        if offer.share_with_max is not None:
            limit = min(room, sharing.buyers_max_of(offer) - before)
        found.append(Candidate(worth(bid, bid.price), limit, offer.buyer.id, bid))
    return found


def best_together(found: Sequence[Candidate], room: int) -> list[Candidate]:
    """Return the set of most worth, of `room` at most, its best first."""
    # Stable: of equal worth, who stands better.
    ranked = sorted(found, key=lambda one: -one.worth)
    if any(one.bid.offer.not_with for one in ranked):
        return worth_something(among_rivals(ranked, room))
    size = best_size(ranked, room)
    chosen: list[Candidate] = []
    seen: set[str] = set()
    for one in ranked:
        if one.limit >= size and one.buyer_id not in seen:
            chosen.append(one)
            seen.add(one.buyer_id)
            if len(chosen) == size:
                break
    return worth_something(chosen)


def among_rivals(ranked: Sequence[Candidate], room: int) -> list[Candidate]:
    """Return the set of most worth where some name competitors; `ranked` by worth, the most first.

    Of sets that bring the same, one of fewer buyers.
    """
    buyers = [one.buyer_id for one in ranked]
    rivals = rivals_of(buyers, [one.bid.offer.not_with for one in ranked])
    search = Rivals([one.worth for one in ranked], rivals)
    return [ranked[place] for place in search.best([one.limit for one in ranked], room)]


def best_size(ranked: Sequence[Candidate], room: int) -> int:
    """Return how large the best set is that nobody in it finds too large; nobody names a rival.

    Sizes are looked at from the largest on; with each smaller one those come in who stand no more.
    Only a size at which somebody comes in can be the best: between two of them the larger is.
    """
    if all(one.limit == room for one in ranked):
        return room
    by_limit: dict[int, list[Candidate]] = {}
    for one in ranked:
        by_limit.setdefault(one.limit, []).append(one)
    best, best_total = room, -1
    own: dict[str, int] = {}
    worths: list[int] = []
    for size in sorted(by_limit, reverse=True):
        for one in by_limit[size]:
            before = own.get(one.buyer_id)
            if before is not None:
                if before >= one.worth:
                    continue
                del worths[bisect_left(worths, before)]
            own[one.buyer_id] = one.worth
            insort(worths, one.worth)
        total = sum(worths[-size:])
        if total >= best_total:
            best, best_total = size, total
    return best


def worth_something(chosen: list[Candidate]) -> list[Candidate]:
    """Return the set without those who bring nothing, unless it is all there is."""
    return [one for one in chosen if one.worth] or chosen[:1]
