"""When an auction is decided before its time: nobody who is still silent can change who wins.

Three ways to know that. A bid reached its buy-now price. No bid that a silent offer may make would
stand before the best one: an offer's `max_bid` is the most that it may bid, more is no bid. Or,
where several may share the lead: even if every silent offer bid the most that it may, for sharing
and for being alone, none of them would be among those who are chosen; any set with a lesser bid in
it brings no more.
"""

from collections.abc import Iterable, Mapping

import msgspec

from exchange.domain.bid import Bid, Contender, above
from exchange.domain.choice import Sharing, at_price, choose
from exchange.domain.choice import Worth as Value
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.ranking import Worth


class Closing(msgspec.Struct, frozen=True):
    """What may end an auction early."""

    by_bounds: bool = False
    sharing: Sharing | None = None
    """How far the lead may be shared; None: one buyer gets it."""
    value: Value = at_price
    """What a shared lead's bids are expected to bring."""
    buy_now: Mapping[str, Micros] | None = None
    """The prices at which offers get the lead at once, by offer."""


class Decided(msgspec.Struct, frozen=True):
    """Why an auction needs to wait no longer."""

    bid: Bid | None
    """A best one; None where nobody stands, and nobody who is still silent can."""
    buy_now: Micros | None = None
    """The price that it reached, where that decided."""

    @property
    def words(self) -> str:
        """Say it for a timeline."""
        if self.bid is None:
            return "no offer that was still silent could reach its floor"
        if self.buy_now is not None:
            return f"{self.bid.offer.id} reached its buy-now price"
        return "no offer that was still silent could change who wins"


class Race:
    """One auction as its answers come in; `heard` each one once, in their order."""

    __slots__ = (
        "_best",
        "_bounds",
        "_closing",
        "_first",
        "_heard",
        "_might",
        "_standing",
        "_worth",
    )

    def __init__(self, contenders: Iterable[Contender], closing: Closing, worth: Worth) -> None:
        """Take all contenders; those that are not asked have their bids, or reasons, already."""
        self._worth = worth
        self._closing = closing
        self._standing: list[Bid] = []
        self._might: dict[str, Bid] = {}
        """By offer that is silent: the most that it may bid, shared or alone."""
        self._best: tuple[tuple[int, ...], Bid] | None = None
        self._heard: set[str] = set()
        self._first = 0
        self._bounds: list[tuple[tuple[int, ...], str]] = []
        """The best that each of those could bid who are asked, the best of all first."""
        for one in contenders:
            if one.pinged and closing.by_bounds:
                most = most_of(one.offer)
                if most >= one.floor:
                    could = Bid(offer=one.offer, price=most, exclusive_price=most)
                    self._might[one.offer.id] = could
                    self._bounds.append((worth(could), one.offer.id))
        self._bounds.sort()

    def heard(self, one: Contender) -> Decided | None:
        """Take what one contender came to; return why that decides, or None where it does not."""
        self._heard.add(one.offer.id)
        self._might.pop(one.offer.id, None)
        bid = None if one.bid is None else above(one.bid, one.floor)
        if bid is not None:
            self._standing.append(bid)
            price = (self._closing.buy_now or {}).get(one.offer.id)
            if price is not None and bid.price >= price:
                return Decided(bid, price)
            key = self._worth(bid)
            if self._best is None or key < self._best[0]:
                self._best = key, bid
        if not self._closing.by_bounds:
            return None
        return self.decided() if self._closing.sharing is None else self.decided_among()

    def decided_among(self) -> Decided | None:
        """Tell whether nobody who is still silent can be among those who are chosen."""
        sharing, might = self._closing.sharing, self._might
        assert sharing is not None, "several may share this lead"
        if not might:
            return Decided(None if self._best is None else self._best[1])
        if not self._may_be_decided(sharing):
            return None
        bids = sorted([*might.values(), *self._standing], key=self._worth)  # they win all ties
        choice = choose(bids, sharing, self._closing.value)
        if choice is None or any(bid.offer.id in might for bid in choice.bids):
            return None
        return Decided(choice.bids[0])

    def _may_be_decided(self, sharing: Sharing) -> bool:
        """Tell whether it is worth choosing: nobody silent obviously has room, or brings more."""
        value = self._closing.value
        most = max(value(bid, bid.price) for bid in self._might.values())
        beaten, alone = 0, 0
        for bid in self._standing:
            beaten += value(bid, bid.price) >= most
            if bid.exclusive_price is not None:
                alone = max(alone, value(bid, bid.exclusive_price))
        return beaten >= sharing.room or alone >= most * sharing.room

    def decided(self) -> Decided | None:
        """Tell whether nobody who is still silent can stand before the best bid, or beside it."""
        bounds = self._bounds
        while self._first < len(bounds) and bounds[self._first][1] in self._heard:
            self._first += 1
        if self._first == len(bounds):
            return Decided(None if self._best is None else self._best[1])
        if self._best is not None and self._best[0] < bounds[self._first][0]:
            return Decided(self._best[1])
        return None


def most_of(offer: Offer) -> Micros:
    """Return the most that an offer may bid where it is asked."""
    assert offer.ping is not None, "only offers with a ping are asked"
    return offer.ping.max_bid
