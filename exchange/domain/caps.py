"""Caps, budgets and balances as lines of one hold: what a sale takes of each limit.

A counter belongs to one buyer and is named `scope|kind|window`, where the window is the epoch
second in which it began (0 for the total, and for what is held at once). Market state keeps two
numbers for each, `settled` and `held`; their sum never passes a limit.
"""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import BillingMode, Cap, CapKind, Offer
from exchange.domain.pacing import paced
from exchange.domain.pilot import is_of_pilot, limits_of
from exchange.domain.reason import Reason
from exchange.domain.schedule import window_start_s


class HoldLine(msgspec.Struct, frozen=True):
    """What one sale takes of one limit."""

    counter: str
    amount: int
    limit: int
    reason: Reason
    """What to say where there is no room: CAP_AT_AWARD or BUDGET_AT_AWARD."""
    settles: bool = True
    """False for a concurrent cap: it counts what is held, nothing remains once settled."""
    paces: bool = False
    """It takes nothing: it asks that what is used already is not ahead of the clock."""

    @property
    def told(self) -> str:
        """Return what to say of it where it has no room."""
        return f"{self.counter}{PACED}" if self.paces else self.counter


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A cap slot and an amount of budget reserved for one sale."""

    sale_id: SaleId
    lead_id: LeadId
    buyer_id: str
    held_at_us: int
    lines: tuple[HoldLine, ...]
    until_us: int | None = None
    """How long it stays without an award; None: as holds do."""
    asker: str = ""
    """Which request of its worker asks for a lead's own place: others may rely on it as well."""


class HoldRefused(msgspec.Struct, frozen=True):
    """No room: which counter, and the reason to write down."""

    counter: str
    reason: Reason


PACED = "|paced"
"""After a counter's name: the cap has room, but not yet."""

Used = Mapping[str, int]
"""Settled plus held, by counter, as last read ahead; an absent counter is 0."""


def counter(cap: Cap, at_us: int, offer: Offer, *, test: bool) -> str:
    """Name the counter that this cap of an offer moves at this moment."""
    return counter_in(cap, at_us, offer.buyer.zone, test=test)


def counter_in(cap: Cap, at_us: int, zone: ZoneInfo, *, test: bool) -> str:
    """Name the counter that this cap moves at this moment, in its owner's time zone."""
    start = 0 if cap.per is None else window_start_s(cap.per, at_us, zone)
    per = cap.per or "now"
    # `!s`: an enumeration's own way of being formatted takes four times as long.
    return f"{'test/' if test else ''}{cap.scope}|{cap.kind!s}|{per!s}|{start}"


def balance_counter(buyer_id: str) -> str:
    """Name the counter of all that a buyer was ever charged and not given back."""
    return f"buyer/{buyer_id}|balance|total|0"


def hold_lines(
    offer: Offer, price: Micros, at_us: int, *, credited: Micros, test: bool
) -> tuple[HoldLine, ...]:
    """Return all that this sale would take of its offer's and its buyer's limits."""
    lines = []
    for cap in limits_of(offer.caps, test=test):
        is_money = cap.kind is CapKind.SPEND
        line = HoldLine(
            counter=counter(cap, at_us, offer, test=test),
            amount=price if is_money else 1,
            limit=cap.limit,
            reason=Reason.BUDGET_AT_AWARD if is_money else Reason.CAP_AT_AWARD,
            settles=cap.kind is not CapKind.CONCURRENT,
        )
        if cap.pace is not None:
            so_far = paced_to(cap, at_us, offer)
            lines.append(HoldLine(line.counter, 0, so_far, line.reason, settles=False, paces=True))
        lines.append(line)
    limit = payable_limit(offer, credited)
    if limit is not None and not test:
        name = balance_counter(offer.buyer.id)
        lines.append(HoldLine(name, price, limit, Reason.BUDGET_AT_AWARD))
    return tuple(lines)


def paced_to(cap: Cap, at_us: int, offer: Offer) -> int:
    """Return how much of a paced cap may be used already where one more sale is to be let in."""
    assert cap.pace is not None, "only a cap that is paced is asked"
    assert cap.per is not None, "what is paced has a window"
    return paced(cap.limit, cap.per, cap.pace, at_us, offer.buyer.zone)


def payable_limit(offer: Offer, credited: Micros) -> int | None:
    """Return up to what total this buyer may be charged, or None where nothing limits it."""
    billing = offer.buyer.billing
    if billing.mode is BillingMode.OPEN:
        return None
    return credited + billing.credit_limit


def full(
    offer: Offer, least: Micros, at_us: int, used: Used, *, credited: Micros, test: bool
) -> tuple[Reason, str] | None:
    """Tell which limit leaves no room for a sale at the least possible price, or None.

    Only a look ahead, to spare a full buyer the ping; the hold alone decides.
    """
    # A budget with nothing left is full even where the least price is nothing.
    some = max(least, 1)
    for cap in limits_of(offer.caps, test=test):
        is_money = cap.kind is CapKind.SPEND
        name = counter(cap, at_us, offer, test=test)
        if is_of_pilot(cap.scope):
            # Whether the next lead fits into its money the hold finds out, and then it is over.
            if used.get(name, 0) + 1 > cap.limit:
                return Reason.PAUSED, name
            continue
        if used.get(name, 0) + (some if is_money else 1) > cap.limit:
            return (Reason.BUDGET if is_money else Reason.CAP), name
        if cap.pace is not None and used.get(name, 0) > paced_to(cap, at_us, offer):
            return (Reason.BUDGET if is_money else Reason.CAP), f"{name}{PACED}"
    limit = payable_limit(offer, credited)
    if limit is not None and not test:
        name = balance_counter(offer.buyer.id)
        if used.get(name, 0) + some > limit:
            return Reason.BUDGET, name
    return None


class Limits:
    """The limits of one offer as they count in one minute: `may_be_full` is quick, and no more.

    No window begins within a minute, so the names of counters are made once.
    """

    __slots__ = ("_dearest", "_floor", "_is_billed", "_numbers", "_sums", "buyer_id")

    def __init__(self, offer: Offer, at_us: int) -> None:
        """Take the offer, and a moment of the minute."""
        self.buyer_id = offer.buyer.id
        self._is_billed = offer.buyer.billing.mode is not BillingMode.OPEN
        self._floor = offer.floor
        self._dearest = max([offer.floor, *(rule.price for rule in offer.prices)])
        named = [(counter(cap, at_us, offer, test=False), cap) for cap in offer.caps]
        self._sums = tuple((n, c.limit) for n, c in named if c.kind is CapKind.SPEND)
        numbers = [(n, c.limit) for n, c in named if c.kind is not CapKind.SPEND]
        # What is let in only grows within a window: at the minute's first moment it is least.
        numbers += [(n, paced_to(c, at_us, offer) + 1) for n, c in named if c.pace is not None]
        self._numbers = tuple(numbers)

    def may_be_full(self, used: Used, highest: Micros, *, at_own_price: bool = False) -> bool:
        """Tell whether `full` has to be asked: False where it would certainly say None.

        `highest`: no offer must pay more at least, but for its own floor and, where nobody is
        asked, its own price.
        """
        for name, limit in self._numbers:
            if used.get(name, 0) >= limit:
                return True
        if self._sums:
            own = self._dearest if at_own_price else self._floor
            some = (max(own, highest)) or 1
            for name, limit in self._sums:
                if used.get(name, 0) + some > limit:
                    return True
        return self._is_billed


def anyones(counter: str) -> str:
    """Return a counter's name without whose it is, so that many can be told together.

    `offer/acme-tx|leads|day|1795` becomes `offer|leads|day|1795`.
    """
    scope, _, rest = counter.partition("|")
    return f"{scope.rpartition('/')[0]}|{rest}"


def someones(told: str, offer: Offer) -> str:
    """Return what `anyones` made of a counter of this offer, or of its buyer, with its owner.

    A seller's counter names its owner itself, and stays as it is.
    """
    scope, _, rest = told.partition("|")
    owner = OWNERS.get(scope.removeprefix("test/"))
    return told if owner is None else f"{scope}/{owner(offer)}|{rest}"


def account_scope(buyer_id: str, account: str) -> str:
    """Return whose the limits of a part of a buyer are."""
    return f"account/{buyer_id}:{account}"


OWNERS: Mapping[str, Callable[[Offer], str]] = {
    "offer": lambda offer: offer.id,
    "account": lambda offer: f"{offer.buyer.id}:{offer.account}",
    "buyer": lambda offer: offer.buyer.id,
    "pilot": lambda offer: offer.buyer.id,
    "offer-pilot": lambda offer: offer.id,
}
