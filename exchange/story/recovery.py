"""The other story: after a crash, every lead without an end is found, and ended once.

A lead without an award is closed; one with awards is in doubt, and their posts are repeated under
the same keys until their buyers decide; what was accepted before stays sold. Moments fence off
whoever still believes to be selling it.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import structlog

from exchange.domain.campaign import Campaign
from exchange.domain.events import Event, EventName
from exchange.domain.exclusivity import Claim, unpacked
from exchange.domain.ids import LeadId
from exchange.domain.lead import Fingerprint
from exchange.domain.lineup import Plan
from exchange.domain.message import MessageRow
from exchange.domain.moment import AwardRow, LeadEnd, MomentKind, QuoteRow, SaleEnd
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus, SaleState
from exchange.domain.trials import Trials, trials_of
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import OpenLead, StoredLead, StoredSale
from exchange.ledger.worker import Owed, Worker
from exchange.market.errors import MarketUnavailable
from exchange.story.asking import asking_of, reference_told
from exchange.story.chain import Chain, Fenced
from exchange.story.concluding import Concluding
from exchange.story.ending import Course
from exchange.story.fencing import fence
from exchange.story.leaving_out import note_left_out
from exchange.story.patience import all_done
from exchange.story.record import read
from exchange.story.stations import Stations
from exchange.story.sweeping import Holds, Sweeping
from exchange.story.telling import Tells, teller
from exchange.story.whose import Sale

logger = structlog.get_logger(__name__)
INTERRUPTED = "its worker was interrupted while no buyer had the lead"


class Leases(Protocol):
    """Who answers for which open leads."""

    worker_id: str
    """This worker's."""

    in_question: set[LeadId]
    """Leads of a take-over of which nobody knows whether it came about."""

    async def dead_workers(self) -> list[Worker]:
        """Return those whose lease ran out and whom nobody took over yet."""

    async def take_over(self, dead_id: str, owed: Owed) -> list[OpenLead] | None:
        """Answer for a dead worker's open leads; None where another one does.

        What it ended without having heard so is told in the messages that `owed` makes.
        """

    def closed(self, lead_id: LeadId) -> None:
        """Answer for this lead no more: its end is written."""


class Archive(Protocol):
    """What was written, read back."""

    async def lead(self, lead_id: LeadId) -> StoredLead | None:
        """Return a lead with its end and its sales."""

    async def quote(self, lead_id: LeadId) -> QuoteRow | None:
        """Return the ping that was answered under this id."""

    async def open_lead(self, lead_id: LeadId) -> OpenLead | None:
        """Return a lead without an end."""

    async def record(self, lead_id: LeadId) -> bytes | None:
        """Return the full record; None once it was erased."""

    async def timeline(self, lead_id: LeadId) -> list[Event]:
        """Return all events of a lead, in order."""

    async def owe(self, lead_id: LeadId, message: MessageRow) -> None:
        """Make sure that a lead's end is told in a message."""


class Recovery:
    """Looks for what a crash left open, and brings it to its end."""

    def __init__(
        self,
        stations: Stations,
        archive: Archive,
        leases: Leases,
        holds: Holds,
        market: Callable[[], Snapshot],
        left_open: set[LeadId],
    ) -> None:
        """Take the stations, the books, and the leads that this worker's own stories left open."""
        self._stations = stations
        self._archive = archive
        self._leases = leases
        self._market = market
        self._left_open = left_open
        self._sweeping = Sweeping(stations, archive, holds)
        self._ending: dict[asyncio.Task[None], LeadId] = {}

    async def run(self, every_s: float) -> None:
        """Look now and then for good; an outage of a store is waited out."""
        while True:
            await self.look()
            await asyncio.sleep(every_s)

    async def look(self) -> None:
        """Take over what dead workers and broken stories left, and give back lapsed holds."""
        for part in (self._take_over, self._own, self._sweeping.sweep):
            try:
                await part()
            except (LedgerUnavailable, MarketUnavailable) as outage:
                logger.warning("recovery waits", error=str(outage))
            except Exception as error:  # whatever this met, there may be others to save
                logger.exception("recovery failed", exc_info=error)

    async def _take_over(self) -> None:
        for worker in await self._leases.dead_workers():
            leads = await self._leases.take_over(worker.worker_id, self._owed)
            if leads is not None:
                logger.warning("took over", worker_id=worker.worker_id, leads=len(leads))
                self._begin(leads)

    async def _own(self) -> None:
        self._left_open |= self._leases.in_question
        self._leases.in_question.clear()
        for lead_id in list(self._left_open):
            lead = await self._archive.open_lead(lead_id)
            if lead is None and not await self._never_to_be(lead_id):
                lead = await self._archive.open_lead(lead_id)
            if lead is None:
                await self._owe(lead_id)
            self._left_open.discard(lead_id)
            if lead is None or lead.worker_id != self._leases.worker_id:
                self._leases.closed(lead_id)  # ended after all, never to be written, or another's
            else:
                self._begin([lead])

    async def _owe(self, lead_id: LeadId) -> None:
        """Let the seller be told of an end that was written after all: it heard of none here."""
        stored = await self._archive.lead(lead_id)
        if stored is None or stored.end is None:
            return
        message = self._owed(stored.row.seller_id, stored.end)
        if message is not None:
            await self._archive.owe(lead_id, message)

    def _owed(self, seller_id: str, end: LeadEnd) -> MessageRow | None:
        """Return the message of an end of which the seller may have heard `pending`."""
        tells = self._teller(seller_id)
        return None if tells is None else tells(end, True)

    def _teller(self, seller_id: str) -> Tells | None:
        return teller(self._stations, self._market().sellers.get(seller_id))

    async def _never_to_be(self, lead_id: LeadId) -> bool:
        """Make sure that what was not written never will be; False: it is written.

        A story breaks off where the ledger does not answer in time; its write may still be under
        way in the database, seen by nobody yet, and come to be after we looked.
        """
        return await fence(self._archive, self._stations.ledger, lead_id, self._stations.now_us())

    async def close(self) -> None:
        """Break off; what has no end yet is found again by another worker."""
        for task in self._ending:
            task.cancel()
        if self._ending:
            await asyncio.wait(self._ending)

    # One lead

    def _begin(self, leads: Iterable[OpenLead]) -> None:
        for lead in leads:
            task = asyncio.ensure_future(self.finish(lead))
            self._ending[task] = lead.lead_id
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        lead_id = self._ending.pop(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._leases.closed(lead_id)
            return
        # Fenced, too: what came first may be the story's own last write, seen by nobody until now.
        if not isinstance(error, Fenced):
            logger.warning("lead not recovered yet", lead_id=lead_id, error=type(error).__name__)
        self._left_open.add(lead_id)

    async def finish(self, lead: OpenLead) -> None:
        """Bring one lead to its end."""
        chain = Chain(
            self._stations.ledger, lead.lead_id, self._stations.now_us, written=lead.last_number
        )
        chain.tells = self._teller(lead.row.seller_id)
        chain.is_pending = True
        sold = await self._accepted(lead)
        found = "in doubt" if lead.awards else "sold" if sold else "not awarded"
        chain.note(EventName.RECOVERED, detail=found)
        course = Course(told_pending=True)
        if lead.awards:
            record = await self._archive.record(lead.lead_id)
            # Several buyers may share it: each is asked, whatever the others say.
            await all_done(
                self._resolve(lead, award, chain, course, record) for award in lead.awards
            )
            sold = await self._accepted(lead)
        if sold:
            await self._sold(lead, chain, sold)
        else:
            await self._close(lead, chain, course)

    async def _accepted(self, lead: OpenLead) -> tuple[StoredSale, ...]:
        """Return the sales that a buyer accepted by now."""
        stored = await self._archive.lead(lead.lead_id)
        return () if stored is None else stored.accepted

    async def _resolve(
        self, lead: OpenLead, award: AwardRow, chain: Chain, course: Course, record: bytes | None
    ) -> None:
        """Ask the buyer again whether it has the lead, and write down what it says."""
        snapshot = self._market()
        campaign = snapshot.campaigns.get(lead.row.campaign_id)
        offer = snapshot.offers.get(award.offer_id)
        if campaign is None or offer is None or offer.post is None or award.post is None:
            # Nobody is left to ask: retired since, or erased. A word that came is not kept.
            said = await self._stations.last_word(award.sale_id)
            if said is not None:
                word = type(said).__name__
                logger.error("a word is not kept", sale_id=award.sale_id, word=word)
            course.voided = True
            end = SaleEnd(sale_id=award.sale_id, state=SaleState.VOID, reason=Reason.VOID)
            chain.note(EventName.VOIDED, offer=award.offer_id, sale_id=award.sale_id)
            chain.sale_ended(end, then=partial(self._release, award, self._trials(lead)))
            return
        plan = snapshot.plan(campaign.id, test=lead.row.test)
        trials = self._trials(lead)
        sale = _sale(lead, campaign, plan, record, trials)
        concluding = Concluding(self._stations, chain, course, sale)
        reference = await self._reference(lead.lead_id, award, offer)
        await concluding.repeat(award, offer, award.post, reference)
        await concluding.following.settled()

    async def _reference(self, lead_id: LeadId, award: AwardRow, offer: Offer) -> str | None:
        """Return what its buyer called a sale, where it is asked by that."""
        asking = asking_of(self._stations, offer, award, test=False)
        if asking is None or not asking.by_reference:
            return None
        return reference_told(await self._archive.timeline(lead_id), award.sale_id)

    async def _sold(self, lead: OpenLead, chain: Chain, sold: tuple[StoredSale, ...]) -> None:
        """End a lead that some have, at what its seller is paid in all."""
        market = self._market()
        if lead.row.campaign_id in market.plans:
            plan = market.plan(lead.row.campaign_id, test=lead.row.test)
            for stage, left_out in plan.not_reached(max(sale.award.stage for sale in sold)):
                note_left_out(chain, plan, stage, [left_out])
        price = Micros(sum(sale.award.payout for sale in sold))
        end = LeadEnd(status=LeadStatus.SOLD, price=price)
        await chain.write(MomentKind.OUTCOME, lead_end=end, announce=True)
        await self._keep_claim(lead)

    async def _close(self, lead: OpenLead, chain: Chain, course: Course) -> None:
        """End a lead that nobody has, and say why."""
        reason, detail = Reason.DEADLINE, INTERRUPTED
        if lead.awards:
            reason = Reason.VOID if course.voided else Reason.ALL_REFUSED
            detail = "found so after its worker was interrupted"
        chain.note(EventName.UNSOLD, reason=reason, detail=detail)
        end = LeadEnd(status=LeadStatus.UNSOLD, reason=reason, detail=detail)
        await chain.write(MomentKind.OUTCOME, lead_end=end, announce=True)
        claim = _claim(lead)
        if claim is not None and claim.until_end:
            await self._stations.market.unclaim(claim)

    def _trials(self, lead: OpenLead) -> Trials:
        market, row = self._market(), lead.row
        seller, campaign = market.sellers.get(row.seller_id), market.campaigns.get(row.campaign_id)
        return trials_of(seller, campaign, test=row.test)

    async def _release(self, award: AwardRow, trials: Trials) -> None:
        try:
            for holder in (award.buyer_id, *(holder for holder, _ in trials.limits)):
                await self._stations.market.release(holder, award.sale_id)
        except MarketUnavailable:
            logger.warning("hold left to the sweeper", sale_id=award.sale_id, end="released")

    async def _keep_claim(self, lead: OpenLead) -> None:
        claim = _claim(lead)
        if claim is not None:
            await self._stations.market.keep_claim(claim)


def _sale(
    lead: OpenLead, campaign: Campaign, plan: Plan, record: bytes | None, trials: Trials
) -> Sale:
    kept = None if record is None else read(record)
    return Sale(
        trials=trials,
        seller_id=lead.row.seller_id,
        campaign=campaign,
        plan=plan,
        test=lead.row.test,
        person=None if kept is None else kept.person,
        fingerprint=Fingerprint() if kept is None else kept.fingerprint,
    )


def _claim(lead: OpenLead) -> Claim | None:
    return None if lead.row.claim is None else unpacked(lead.row.claim)
