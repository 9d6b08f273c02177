"""What the record teaches of one campaign: counts, made of the events of moment after moment; pure.

Posts are counted when they end, auctions when they are held, rankings when their first winner is
awarded, and money when a sale is accepted or returned; each of them stands in one moment. What
belongs to it and was written before is found in the lead's earlier events.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.events import Event, EventName
from exchange.domain.expected import Chance, revenue
from exchange.domain.learned_floors import LearnFloor, Segment, widening
from exchange.domain.money import Micros
from exchange.domain.reserve import Cell, bid_step, floor_step

US_PER_DAY = 86_400_000_000
DOUBTS = frozenset({EventName.IN_DOUBT, EventName.ADVANCED, EventName.RESOLVED})
"""One of these stands before the void of a post; any other void says nothing of its buyer."""


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a lead of this campaign."""

    events: Sequence[Event]
    earlier: Sequence[Event] = ()
    """Those of the lead's moments before."""
    returned: Mapping[str, Micros] = {}
    """What went back to its buyer now, by sale."""


class Auctioned(msgspec.Struct, frozen=True, kw_only=True):
    """One auction under a floor that was learned, or drawn to learn."""

    at_us: int
    segment: Segment
    floor: Micros
    """What every bid had to reach."""
    model: str
    best: Micros
    """0: nobody bid."""
    second: Micros
    """Of another buyer."""


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """One ranking by expected value, beside the order that prices alone would have given."""

    at_us: int
    changed: bool
    """Another offer came first than by price."""
    expected: Micros
    """What posting in this order was expected to bring."""
    by_price: Micros
    """What posting in the order of prices was."""


class TrackDay(msgspec.Struct):
    """What became of an offer's posts of one day."""

    posts: int = 0
    accepted: int = 0
    returned: int = 0


class FloorDay(msgspec.Struct):
    """What auctions of one day earned under floors that came about alike."""

    auctions: int = 0
    sold: int = 0
    revenue: int = 0


class ExpectedDay(msgspec.Struct):
    """What rankings of one day brought, in all or of those alone that price would not have made."""

    leads: int = 0
    expected: int = 0
    by_price: int = 0
    realized: int = 0


class Experience:
    """Counts of one campaign, from the moments that were taken so far."""

    def __init__(self, campaign: Campaign, buyer_of: Mapping[str, str]) -> None:
        """Take the campaign as it is now, and whose the offers are."""
        self._alone = {stage.number for stage in campaign.stages if stage.max_buyers == 1}
        self._rule = campaign.learn_floor
        self._buyer_of = buyer_of
        self.tracks: defaultdict[tuple[str, int], TrackDay] = defaultdict(TrackDay)
        """By offer and day."""
        self.floors: defaultdict[tuple[str, int], FloorDay] = defaultdict(FloorDay)
        """By where the floor came from, and day."""
        self.rankings: defaultdict[tuple[bool, int], ExpectedDay] = defaultdict(ExpectedDay)
        """By whether the first was another than by price, and day."""
        self.cells: defaultdict[tuple[Segment, int, int, int], Cell] = defaultdict(Cell)
        """By segment, the period of memory, the step of the floor, the step of the bid."""

    def take(self, moment: Happened) -> None:
        """Count what is new in a moment."""
        for event, sale_taken in ends_of_posts(moment.events):
            track = self.tracks[event.offer or "", day_of(event.at_us)]
            track.posts += 1
            track.accepted += sale_taken
        for one in auctions_in(moment.events, self._buyer_of):
            self.floors[one.model, day_of(one.at_us)].auctions += 1
            if self._rule is not None:
                self._see(one, self._rule)
        for event in moment.events:
            if event.event is EventName.AWARDED:
                self._awarded(event, moment)
            elif event.event is EventName.ACCEPTED:
                self._paid(event, moment, event.price or 0)
        for sale_id, amount in moment.returned.items():
            self._returned(sale_id, amount, moment)

    def _see(self, one: Auctioned, rule: LearnFloor) -> None:
        period = one.at_us // (rule.days * US_PER_DAY)
        floor = floor_step(one.floor)
        best, second = bid_step(one.best), bid_step(one.second)
        if one.best >= one.floor and not rule.second_price:
            best = max(best, floor)  # it sold, though both lie between the same two steps
        for segment in widening(one.segment):
            for step, cell in (
                (best, Cell(1, one.best)),
                (second, Cell(0, 0, 1, one.second)),
            ):
                key = (segment, period, floor, step)
                self.cells[key] = self.cells[key].and_(cell)

    def _awarded(self, award: Event, moment: Happened) -> None:
        """Count a ranking once, with its first award."""
        before = [*moment.earlier, *before_it(award, moment.events)]
        stages = [event.stage for event in before if event.event is EventName.AWARDED]
        if award.stage in stages:
            return
        ranking = self._ranking(award, before)
        if ranking is not None:
            day = self.rankings[ranking.changed, day_of(ranking.at_us)]
            day.leads += 1
            day.expected += ranking.expected
            day.by_price += ranking.by_price

    def _paid(self, sale: Event, moment: Happened, amount: int) -> None:
        """Count money that came, or went back, to whatever it was earned by."""
        lead = [*moment.earlier, *moment.events]
        for event in lead:
            if event.event is EventName.AWARDED and event.sale_id == sale.sale_id:
                ranking = self._ranking(event, before_it(event, lead))
                if ranking is not None:
                    at = day_of(ranking.at_us)
                    self.rankings[ranking.changed, at].realized += amount
        auction = next((one for one in reversed(lead) if one.event is EventName.FLOOR), None)
        if auction is not None:
            day = self.floors[auction.model or "", day_of(auction.at_us)]
            day.revenue += amount
            first = next(one for one in lead if one.event is EventName.ACCEPTED)
            day.sold += amount > 0 and first.sale_id == sale.sale_id

    def _returned(self, sale_id: str, amount: Micros, moment: Happened) -> None:
        for event in moment.earlier:
            if event.event is EventName.ACCEPTED and event.sale_id == sale_id:
                self.tracks[event.offer or "", day_of(event.at_us)].returned += 1
                self._paid(event, moment, -amount)

    def _ranking(self, award: Event, before: Iterable[Event]) -> Ranking | None:
        """Return the ranking that an award came of; None where its stage ranks by price."""
        return None if award.stage not in self._alone else ranking_in(before)


def day_of(at_us: int) -> int:
    """Return the day of a moment, counted since 1970 in UTC."""
    return at_us // US_PER_DAY


def before_it(event: Event, events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events before this one."""
    for one in events:
        if one is event:
            return
        yield one


def ends_of_posts(events: Iterable[Event]) -> Iterator[tuple[Event, bool]]:
    """Yield each end of a post, and whether its buyer took the lead."""
    doubted = set()
    for event in events:
        if event.event in DOUBTS:
            doubted.add(event.sale_id)
        elif event.event is EventName.ACCEPTED:
            yield event, True
        elif event.event is EventName.REFUSED or (
            event.event is EventName.VOIDED and event.sale_id in doubted
        ):
            yield event, False


def auctions_in(events: Iterable[Event], buyer_of: Mapping[str, str]) -> Iterator[Auctioned]:
    """Yield the auctions of a moment that had a learned floor, with their two best bids."""
    under: Event | None = None
    bids: dict[str, int] = {}
    for event in events:
        if event.event in {EventName.FLOOR, EventName.STAGE}:
            if under is not None:
                yield auctioned(under, bids)
            under, bids = (event if event.event is EventName.FLOOR else None), {}
        elif under is not None and event.event is EventName.BID and event.offer is not None:
            own, common = event.floor or 0, under.floor or 0
            if own <= common or (event.price or 0) >= own:  # else it stays out under any floor
                buyer = buyer_of.get(event.offer, event.offer)
                bids[buyer] = max(bids.get(buyer, 0), event.price or 0)
    if under is not None:
        yield auctioned(under, bids)


def auctioned(under: Event, bids: Mapping[str, int]) -> Auctioned:
    """Return one auction by its floor and the best bid of each buyer."""
    best, second = sorted([0, 0, *bids.values()], reverse=True)[:2]
    state, _, hours = (under.segment or "").partition(" ")
    return Auctioned(
        at_us=under.at_us,
        segment=Segment(state, hours),
        floor=under.floor or Micros(0),
        model=under.model or "",
        best=Micros(best),
        second=Micros(second),
    )


def ranking_in(events: Iterable[Event]) -> Ranking | None:
    """Return the last ranking by expected value among these events; None where there is none."""
    prices: dict[str, Micros] = {}
    found: Ranking | None = None
    for event in events:
        if event.event is EventName.STAGE:
            prices = {}
        elif event.event is EventName.BID and event.offer is not None and event.price is not None:
            prices[event.offer] = event.price
        elif event.event is EventName.RANKED and event.expected and event.offers:
            known = zip(event.offers, event.expected, strict=True)
            order = [
                (prices[offer], Chance(one.accepted_ppm, one.returned_ppm))
                for offer, one in known
                if offer in prices
            ]
            if order:
                found = compared(event.at_us, order)
    return found


def compared(at_us: int, order: Sequence[tuple[Micros, Chance]]) -> Ranking:
    """Return an order beside that of its prices; of equal prices the order stands."""
    by_price = sorted(order, key=lambda one: -one[0])
    return Ranking(
        at_us=at_us,
        changed=order[0][0] < by_price[0][0],
        expected=revenue(order),
        by_price=revenue(by_price),
    )
