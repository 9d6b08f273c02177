"""The offers of a stage, prepared when the market is compiled: screened together, not one by one.

What depends on the configuration alone is decided beforehand; filters are looked up in an index;
schedules and the names of counters are found once a minute, for no window begins and no offer opens
within one. Sets of offers are whole numbers, a bit for each by its place in the stage.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

import msgspec

from exchange.domain import places
from exchange.domain.caps import Limits, anyones, full
from exchange.domain.eligibility import EXCLUDED, SENT_BEFORE, Circumstances, LeftOut, Screening
from exchange.domain.filter_index import FilterIndex
from exchange.domain.money import Micros
from exchange.domain.offer import BillingMode, Offer
from exchange.domain.reason import Reason
from exchange.domain.schedule import Schedule

LISTED_MAX = 32
"""So many offers left out for one reason are listed; of more there are only their places."""
US_PER_MINUTE = 60_000_000

Verdict = tuple[Reason, str | None]


class Lineup:
    """The offers of one stage in their order; `screen` is what domain.eligibility says it is."""

    def __init__(self, offers: Sequence[Offer], personal: Collection[str] = ()) -> None:
        """Prepare; `personal` are fields that name somebody: none of their values is kept."""
        self.offers = tuple(offers)
        self.offer_ids = tuple(offer.id for offer in self.offers)
        self.everyone = (1 << len(self.offers)) - 1
        self._paused = self._where(lambda offer: offer.paused or offer.buyer.paused)
        self._test = self._where(lambda offer: offer.test)
        self._by_currency = self._grouped(lambda offer: offer.buyer.currency)
        self._by_buyer = self._grouped(lambda offer: offer.buyer.id)
        self._remembering = self._where(lambda offer: offer.buyer.duplicate_window_s > 0)
        self._filters = FilterIndex([offer.where for offer in self.offers], personal)
        self._by_schedule: defaultdict[Schedule, int] = defaultdict(int)
        for place, offer in enumerate(self.offers):
            if offer.schedule is not None:
                self._by_schedule[offer.schedule] |= 1 << place
        self._unlimited = self._where(
            lambda offer: not offer.caps and offer.buyer.billing.mode is BillingMode.OPEN
        )
        self._minute = -1
        self._closed = 0
        self._numbers = range(len(self.offers))
        self._limits: list[Limits | None] = [None] * len(self.offers)

    def screen(self, around: Circumstances) -> Screening:
        """Return the same as `eligibility.screen` of these offers; many left out as places."""
        found: defaultdict[Verdict, int] = defaultdict(int)
        left = self.everyone

        def leave_out(those: int, reason: Reason, detail: str | None = None) -> int:
            out = left & those
            if out:
                found[reason, detail] |= out
            return left ^ out

        lead = around.lead
        left = leave_out(self._paused, Reason.PAUSED)
        left = leave_out(~self._test if lead.test else self._test, Reason.FILTERED)
        left = leave_out(~self._by_currency.get(around.currency, 0), Reason.CURRENCY)
        if lead.exclude_buyers:
            left = leave_out(self._of(lead.exclude_buyers), Reason.SUPPRESSED, EXCLUDED)
        if around.posted_to:
            sent_before = self._of(around.posted_to)
            left = leave_out(sent_before, Reason.DUPLICATE_FOR_BUYER, SENT_BEFORE)
        if around.bought_by:
            bought_by = self._of(around.bought_by) & self._remembering
            left = leave_out(bought_by, Reason.DUPLICATE_FOR_BUYER)
        left = leave_out(~self._filters.holding(around.facts, left), Reason.FILTERED)
        self._follow(around.at_us)
        left = leave_out(self._closed, Reason.SCHEDULE)
        for place in self._perhaps_full(left & ~self._unlimited, around):
            verdict = self._full(place, around)
            if verdict is not None:
                left = leave_out(1 << place, verdict[0], anyones(verdict[1]))
        return Screening(
            tuple(places.picked(self.offers, left)),
            tuple(self.left_out(those, *verdict) for verdict, those in found.items()),
        )

    # What follows from the configuration

    def _where(self, holds: Callable[[Offer], bool]) -> int:
        return sum(1 << place for place, offer in enumerate(self.offers) if holds(offer))

    def _grouped(self, key: Callable[[Offer], Hashable]) -> dict[Hashable, int]:
        groups: defaultdict[Hashable, int] = defaultdict(int)
        for place, offer in enumerate(self.offers):
            groups[key(offer)] |= 1 << place
        return dict(groups)

    def _of(self, buyer_ids: Iterable[str]) -> int:
        those = 0
        for buyer_id in buyer_ids:
            those |= self._by_buyer.get(buyer_id, 0)
        return those

    # What follows from the time

    def _follow(self, at_us: int) -> None:
        """Find out who is closed, and forget the names of counters, where it is another minute."""
        minute = at_us // US_PER_MINUTE
        if minute == self._minute:
            return
        self._minute = minute
        self._limits = [None] * len(self.offers)
        self._closed = 0
        for schedule, those in self._by_schedule.items():
            if not schedule.is_open(at_us):
                self._closed |= those

    def _perhaps_full(self, those: int, around: Circumstances) -> list[int]:
        """Return the places of these offers of which a limit may leave no room."""
        if around.lead.test:
            # Test leads are few, and count by themselves.
            return list(places.each(those))
        known, used = self._limits, around.used
        highest, at_own_price = around.floors.highest, around.at_own_price
        found = []
        for place in places.picked(self._numbers, those):
            limits = known[place]
            if limits is None:
                limits = known[place] = Limits(self.offers[place], around.at_us)
            if limits.may_be_full(used(limits.buyer_id), highest, at_own_price=at_own_price):
                found.append(place)
        return found

    def _full(self, place: int, around: Circumstances) -> tuple[Reason, str] | None:
        offer = self.offers[place]
        return full(
            offer,
            around.least(offer),
            around.at_us,
            around.used(offer.buyer.id),
            credited=around.credited.get(offer.buyer.id, Micros(0)),
            test=around.lead.test,
        )

    def left_out(self, those: int, reason: Reason, detail: str | None = None) -> LeftOut:
        """Say of this set of offers why they are left out: a few by name, many by their places."""
        if those.bit_count() > LISTED_MAX:
            return LeftOut(reason, detail, places=those)
        return LeftOut(reason, detail, tuple(places.picked(self.offer_ids, those)))


class Plan(msgspec.Struct, frozen=True):
    """The routing plan of a campaign, prepared: the lineup of each of its stages."""

    version: int
    """Of the market: it tells later whose places were meant."""
    lineups: tuple[Lineup, ...]
    newcomers: tuple[int, ...]
    """For each stage the places of those offers that stand in none before it."""
    remembers: bool
    """Some buyer of the market does not want a person twice."""
    rates: bool = False
    """Some offer of it may be pinged only so often."""

    def lineup(self, stage: int) -> Lineup:
        """Return the offers of the stage of this number."""
        return self.lineups[stage - 1]

    def not_reached(self, ended_in: int) -> Iterator[tuple[int, LeftOut]]:
        """Yield, by stage, the offers that were never looked at in a lead sold in this stage."""
        for number, lineup in enumerate(self.lineups[ended_in:], ended_in + 1):
            if self.newcomers[number - 1]:
                yield number, lineup.left_out(self.newcomers[number - 1], Reason.OUTBID)


def plan_of(version: int, lineups: Sequence[Lineup], *, remembers: bool) -> Plan:
    """Return a plan of these stages."""
    newcomers = []
    seen: set[str] = set()
    for lineup in lineups:
        names = enumerate(lineup.offer_ids)
        newcomers.append(sum(1 << place for place, name in names if name not in seen))
        seen.update(lineup.offer_ids)
    rates = any(
        offer.ping is not None and offer.ping.rate is not None
        for lineup in lineups
        for offer in lineup.offers
    )
    return Plan(version, tuple(lineups), tuple(newcomers), remembers, rates)
