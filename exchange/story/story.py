"""All stories of one worker: sells leads, quotes pings, and says where a lead stands."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from exchange.contract.denial import Denial
from exchange.contract.seller import LeadAnswer, QuoteAnswer
from exchange.domain.ids import LeadId
from exchange.domain.newly_limited import newly_limited
from exchange.domain.quote import Quote
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from exchange.story.carrying import carried_by
from exchange.story.chain import Broken, Fenced
from exchange.story.ending import Ending, answer
from exchange.story.fencing import fence
from exchange.story.patience import any_done
from exchange.story.quoting import Quoting
from exchange.story.sale import LeadSale
from exchange.story.standings import Archive, Past, Standings
from exchange.story.stations import Stations
from exchange.story.volume import Volume
from exchange.story.waiting import Waiting

logger = structlog.get_logger(__name__)
US_PER_MS = 1000
US_PER_S = 1_000_000

LOOK_SOON_S = 0.005
"""How often it is looked whether a request that has its key has its story."""

ENDS_WITHIN_S = 0.05
"""A lead that no buyer was awarded by its answer deadline has its end this soon after it."""

USED = Denial(409, "this quote was used already: look up its lead, or ping again")
EXPIRED = Denial(410, "this quote has expired")


class Answering(Protocol):
    """Who answers for which open leads."""

    def opened(self, lead_id: LeadId, received_at_us: int) -> None:
        """Answer for this lead from now on."""

    def closed(self, lead_id: LeadId) -> None:
        """Answer for it no more: its end is written."""


class Story:
    """Runs one story per lead and keeps every one that is under way."""

    def __init__(
        self,
        stations: Stations,
        archive: Archive,
        leases: Answering,
        market: Callable[[], Snapshot],
        past: Past,
        waiting: Waiting,
    ) -> None:
        """Take the stations, what can be read back, the leases, the market as it is and was."""
        self._stations = stations
        self._archive = archive
        self._leases = leases
        self._market = market
        self._standings = standings = Standings(stations, archive, market, past, waiting)
        # What is asked of leads is asked of all of them, whoever sold them.
        self.standing, self.explained = standings.standing, standings.explained
        self.captures, self.ended = standings.captures, standings.ended
        self.without_person = standings.without_person
        self._volume = Volume(stations)
        self._under_way: dict[asyncio.Task[Ending], LeadSale] = {}
        self._limited_since: tuple[tuple[int, int], set[str]] = (0, 0), set()
        """Between which two versions of the market who was limited newly, as last asked."""
        self._broke_off: set[LeadId] = set()
        """Leads of which one story broke off while another one is under way."""
        self.left_open: set[LeadId] = set()
        """Leads whose story broke off, or whose end is not told yet: recovery sees to both."""
        self.asking: dict[LeadId, LeadId] = {}
        """Requests that have their Idempotency-Key, or may: what the lead of each is called."""

    # What sellers ask for

    async def sell(self, submission: Submission, snapshot: Snapshot) -> LeadAnswer | Denial:
        """Sell the lead; what is answered is durable, and comes by the answer deadline.

        429 where its seller or source has brought as much as it may.
        """
        denied = await self._volume.admit(submission.lead, snapshot)
        if denied is not None:
            return denied
        sale = LeadSale(self._stations, snapshot, submission)
        try:
            return await self._tell(sale)
        except Fenced:
            return await self._told_by_another(sale)
        except (Broken, LedgerUnavailable, MarketUnavailable) as outage:
            return await self._broken_off(sale, outage)

    async def quote(self, submission: Submission, snapshot: Snapshot) -> QuoteAnswer | Denial:
        """Ask for prices and promise the best one; 429 as for a lead."""
        denied = self._volume.look(submission.lead, snapshot)
        try:
            return denied or await Quoting(self._stations, snapshot, submission).run()
        except Fenced:
            # What it held ran out meanwhile, and somebody saw to it that no lead of it ever comes.
            raise LedgerUnavailable from None

    async def sell_quoted(
        self, quote: Quote, submission: Submission, snapshot: Snapshot
    ) -> LeadAnswer | Denial:
        """Post a quote, once: 410 where it has expired, 409 where it was used already.

        429 as for a lead; then it may be posted again while it has not expired.
        """
        if self._stations.now_us() >= quote.expires_at_us:
            return EXPIRED
        if await self._archive.is_used(quote.lead_id):
            return USED
        denied = await self._volume.admit(submission.lead, snapshot)
        if denied is not None:
            return denied
        carried = carried_by(quote, submission, snapshot)
        sale = LeadSale(self._stations, snapshot, submission, carried)
        try:
            return await self._tell(sale)
        except Fenced:
            await self._volume.fenced(submission.lead, snapshot, self._archive.lead)
            return USED
        except (Broken, LedgerUnavailable, MarketUnavailable) as outage:
            return await self._broken_off(sale, outage)

    async def abandon(self, lead_id: LeadId) -> bool:
        """Make sure that a lead of which nothing is written never will be; idempotent."""
        return await fence(self._archive, self._stations.ledger, lead_id, self._stations.now_us())

    async def written(self) -> None:
        """Return once every lead that has begun here by now is on the books, or never will be.

        What broke off before its first write was known is looked into. Errors: LedgerUnavailable.
        """
        asking = dict(self.asking)
        while asking := {owner: lead for owner, lead in asking.items() if owner in self.asking}:
            if {sale.lead.lead_id for sale in self._under_way.values()}.issuperset(asking.values()):
                break
            await asyncio.sleep(LOOK_SOON_S)
        await asyncio.gather(*[self._written(sale) for sale in tuple(self._under_way.values())])
        await asyncio.gather(*[self.abandon(lead_id) for lead_id in tuple(self.left_open)])

    async def _written(self, sale: LeadSale) -> None:
        if not await sale.is_on_books():
            await self.abandon(sale.lead.lead_id)

    # Telling a story

    async def _tell(self, sale: LeadSale) -> LeadAnswer:
        """Run the story; answer with its end, or `pending` where its time is up first."""
        lead_id = sale.lead.lead_id
        self._leases.opened(lead_id, sale.lead.received_at_us)
        task = asyncio.ensure_future(sale.run())
        self._under_way[task] = sale
        task.add_done_callback(self._finished)
        left_us = sale.lead.answer_by_us - self._stations.now_us()
        await any_done((task,), max(0.0, left_us / US_PER_S))
        if not task.done() and not sale.attempted:
            # Nobody gets the lead any more: better its end now than `pending` for a moment.
            await any_done((task,), ENDS_WITHIN_S)
        if task.done() and not task.cancelled():
            return await self._answer(sale, task.result())
        ending = await sale.tell_pending()
        if ending is None:
            return await self._told_by_another(sale)
        return await self._answer(sale, ending)

    async def _told_by_another(self, sale: LeadSale) -> LeadAnswer:
        """Answer with what is on the books, or what the worker decides that took the lead over."""
        left_us = sale.lead.answer_by_us - self._stations.now_us()
        await self.ended(sale.lead.lead_id, max(0.0, left_us / US_PER_S))
        now = await self.standing(sale.lead.lead_id)
        if now is None:
            raise LedgerUnavailable
        return now.answer

    async def _broken_off(self, sale: LeadSale, outage: Exception) -> LeadAnswer:
        """Tell the outage, unless a buyer may have the lead: then its end is found, and follows."""
        if sale.awarded:
            # It may have its end: then nobody else will tell of one that is written.
            with suppress(LedgerUnavailable):
                now = await self.standing(sale.lead.lead_id)
                if now is not None and not now.is_open:
                    return now.answer
            if sale.ending is not None:
                return await self._answer(sale, sale.ending)
            sale.owes_its_end = True
            return await self._answer(sale, sale.so_far)
        if isinstance(outage, Broken):
            raise LedgerUnavailable from None
        raise outage

    async def _answer(self, sale: LeadSale, ending: Ending) -> LeadAnswer:
        original = await self._standings.original(sale.lead.seller_id, ending.original)
        if original is not None:
            ending = msgspec.structs.replace(ending, own_original=original)
        ms = (sale.answered_at_us - sale.lead.received_at_us) / US_PER_MS
        reason = None if ending.reason is None else ending.reason.word
        self._stations.observer.lead_ended(sale.campaign.id, ending.status.value, reason, ms)
        return answer(
            sale.lead.lead_id,
            ending,
            currency=sale.campaign.currency,
            score=sale.score,
            duration_ms=ms,
        )

    def _finished(self, task: "asyncio.Task[Ending]") -> None:
        """Forget a story that reached its end; leave one that broke off to recovery."""
        sale = self._under_way.pop(task)
        lead_id = sale.lead.lead_id
        if task.cancelled():
            return  # shutting down: the lease goes, and whoever takes over finishes the lead
        error = task.exception()
        if error is None:
            self._volume.keep(sale.lead, self._market())
            self._count_anew(sale.snapshot)
            self._broke_off.discard(lead_id)
            if sale.owes_its_end:
                self.left_open.add(lead_id)
            else:
                self._leases.closed(lead_id)
            return
        if not isinstance(error, Fenced):
            if sale.may_be_written:  # else a quote would be used up by what never came to be
                self._broke_off.add(lead_id)
            logger.warning("story broke off", lead_id=lead_id, error=type(error).__name__)
        if any(other.lead.lead_id == lead_id for other in self._under_way.values()):
            return  # a quote that was posted twice at once: the other one may have the lead
        if lead_id in self._broke_off:
            self._broke_off.discard(lead_id)
            self.left_open.add(lead_id)
        else:
            self._leases.closed(lead_id)

    def _count_anew(self, sold_under: Snapshot) -> None:
        """Let what is limited only since this lead came be counted anew: its sales hold none of it.

        That was counted as soon as it was applied, when the lead was still being sold.
        """
        market = self._market()
        if sold_under.version == market.version:
            return
        if self._limited_since[0] != (sold_under.version, market.version):
            versions = sold_under.version, market.version
            self._limited_since = versions, newly_limited(sold_under, market)
        for holder in self._limited_since[1]:
            self._stations.market.doubt(holder)

    # Going home

    def let_go(self, *, of_all: bool = False) -> None:
        """Stop waiting for buyers in doubt: sellers hear `pending`, another worker goes on.

        Of all stories where that other worker has them already, and this one can write no more.
        """
        for task, sale in self._under_way.items():
            if of_all or sale.waits:
                task.cancel()

    async def close(self) -> None:
        """Break off what is still under way; its leads are found and finished by another worker."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def under_way(self) -> int:
        """How many leads have no end yet."""
        return len(self._under_way)
