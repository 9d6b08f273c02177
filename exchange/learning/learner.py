"""Follows the record, learns from it, and holds what was learned: a table that is swapped whole."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog

from exchange.domain.campaign import Campaign
from exchange.domain.expected import estimated
from exchange.domain.experience import US_PER_DAY, Experience
from exchange.domain.learned_floors import LearnedFloors, LearnFloor, Segment
from exchange.domain.lessons import NOTHING_LEARNED, Lessons
from exchange.domain.money import Micros
from exchange.domain.reserve import Seen, learned
from exchange.domain.snapshot import Snapshot
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.learning import Found, LearningBooks, Turn, period_of

AT_ONCE = 50
"""So many moments are read in one step: some milliseconds of work."""

logger = structlog.get_logger(__name__)


class Learner:
    """One worker's knowledge; of all workers one at a time learns for a campaign."""

    def __init__(
        self, books: LearningBooks, market: Callable[[], Snapshot], now_us: Callable[[], int]
    ) -> None:
        """Take the books and the market as it is now; nothing is known yet."""
        self._books = books
        self._market = market
        self._now_us = now_us
        self._lessons = NOTHING_LEARNED
        self._high = -1
        """Up to where was learned, by this worker or another that had the turn."""
        self._begun: set[str] = set()

    def lessons(self) -> Lessons:
        """Return what is known now: immutable."""
        return self._lessons

    async def run(self, every_s: float) -> NoReturn:
        """Learn and look so often, for good; an outage is waited out."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.learn()
                await self.look()
            except LedgerUnavailable as outage:
                logger.warning("learning waits", error=str(outage))

    async def look(self) -> None:
        """Know what was learned by now, by whichever worker."""
        campaigns = learning_in(self._market())
        if not campaigns:
            self._lessons = NOTHING_LEARNED
            return
        expecting = [one for one in campaigns if one.expecting is not None]
        flooring = [one.id for one in campaigns if one.learn_floor is not None]
        tracks = await self._books.tracks(expecting, self._now_us()) if expecting else {}
        rows = await self._books.floors(flooring) if flooring else []
        floors: dict[str, dict[tuple[str, str], Micros]] = {}
        for row in rows:
            floors.setdefault(row.campaign_id, {})[row.segment] = row.floor
        self._lessons = Lessons(
            {
                one.id: estimated(tracks[one.id], one.expecting.prior_posts)
                for one in expecting
                if one.expecting is not None
            },
            {campaign_id: LearnedFloors(known) for campaign_id, known in floors.items()},
        )

    async def learn(self) -> None:
        """Learn from all that was sealed since the last time, for every campaign that wants to."""
        snapshot = self._market()
        campaigns = learning_in(snapshot)
        if not campaigns:
            return
        wanted = {campaign.id for campaign in campaigns}
        high = await self._books.high()
        if high == self._high and wanted <= self._begun:
            return
        buyers = {name: offer.buyer.id for name, offer in snapshot.offers.items()}
        for campaign in campaigns:
            since_us = self._now_us() - days_of(campaign) * US_PER_DAY
            await self._books.begin(campaign.id, since_us, high)
            self._begun.add(campaign.id)
            touched: set[Segment] = set()
            while await self._step(campaign, buyers, high, touched):
                pass
        self._high = high

    async def _step(
        self, campaign: Campaign, buyers: dict[str, str], high: int, touched: set[Segment]
    ) -> bool:
        """Learn from some moments; tell whether there are more."""
        async with self._books.turn(campaign.id) as turn:
            if turn is None or turn.serial >= high:
                return False
            experience = Experience(campaign, buyers)
            moments, up_to = await turn.moments(high, AT_ONCE)
            for moment in moments:
                experience.take(moment)
            await turn.keep(experience, up_to)
            touched.update(segment for segment, *_ in experience.cells)
            if up_to == high:
                await self._find_floors(campaign, turn, touched)
                await turn.forget(campaign, self._now_us())
            return up_to < high

    async def _find_floors(self, campaign: Campaign, turn: Turn, touched: set[Segment]) -> None:
        """Find the best floor of every segment of which something new was seen."""
        rule = campaign.learn_floor
        if rule is None or not touched:
            return
        now_us = self._now_us()
        found: dict[Segment, Found | None] = {}
        for segment in sorted(touched):
            seen = await turn.seen(segment, period_of(now_us, rule))
            floor = best_of(seen, rule)
            found[segment] = None if floor is None else Found(floor, auctions_of(seen))
        await turn.set_floors(found, now_us)
        touched.clear()


def learning_in(snapshot: Snapshot) -> Sequence[Campaign]:
    """Return the campaigns that learn something."""
    return [
        one
        for one in snapshot.campaigns.values()
        if one.expecting is not None or one.learn_floor is not None
    ]


def days_of(campaign: Campaign) -> int:
    """Return how far back a campaign looks that begins to learn."""
    rule, expecting = campaign.learn_floor, campaign.expecting
    return max(0 if rule is None else rule.days, 0 if expecting is None else expecting.days)


def best_of(seen: Seen, rule: LearnFloor) -> Micros | None:
    """Return the floor that earns most; None where too little was seen."""
    return learned(
        seen,
        rule.minimum,
        rule.maximum,
        unsold=rule.unsold,
        least=rule.auctions,
        second=rule.second_price,
    )


def auctions_of(seen: Seen) -> int:
    """Return how many auctions these are."""
    return sum(cell.best for cells in seen.values() for cell in cells.values())
