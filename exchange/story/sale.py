"""The story of one lead: checked, claimed, put up stage by stage, awarded, posted, booked."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from exchange.domain.bid import Bid
from exchange.domain.campaign import Stage
from exchange.domain.events import EventName
from exchange.domain.moment import LeadEnd, MomentKind
from exchange.domain.paying import deals
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.domain.trials import trials_of
from exchange.story.awarding import Awarding
from exchange.story.carried import CHANGED, Carried
from exchange.story.chain import Broken, Chain, Fenced
from exchange.story.checking import Checking
from exchange.story.claiming import Claims
from exchange.story.competing import Competing, bought_by
from exchange.story.concluding import Concluding
from exchange.story.ending import PENDING, Course, Ending, unsold
from exchange.story.noticing import noticing
from exchange.story.papers import Papers
from exchange.story.stations import Stations
from exchange.story.succession import Succession
from exchange.story.telling import teller
from exchange.story.together import Together
from exchange.story.whose import Sale

logger = structlog.get_logger()
NOT_QUOTED = "the seller chose among those who were quoted"
TAKEN = "others have it, or may have it"


class LeadSale:
    """One lead on its way; `run` tells its story, once."""

    def __init__(
        self,
        stations: Stations,
        snapshot: Snapshot,
        submission: Submission,
        carried: Carried | None = None,
    ) -> None:
        """Take the stations, the market as it is now, and the lead; nothing happens yet."""
        self.lead = submission.lead
        self.campaign = snapshot.campaign(self.lead.campaign_id, test=self.lead.test)
        self.ending: Ending | None = None
        self.owes_its_end = False
        """Its seller heard `pending` while its end was written: that knows nothing of it."""
        self._on_books = asyncio.Event()
        """Set once the lead's own row is on its way to the ledger, or will never be."""
        self._stations = stations
        self.snapshot = snapshot
        self._submission = submission
        self._carried = carried
        self._course = Course(
            promised=carried is not None and carried.payout_wanted <= carried.promised
        )
        self._claims = Claims(stations, self.campaign.duplicates)
        self._papers = Papers(submission, snapshot.version)
        self._begun = False
        self._chain = Chain(
            stations.ledger, self.lead.lead_id, stations.now_us, written=1 if carried else 0
        )
        self._chain.tells = teller(stations, snapshot.sellers.get(self.lead.seller_id))
        self._chain.noticing = noticing(snapshot, stations.notice, test=self.lead.test)
        self._checking = Checking(snapshot, submission, self._chain)
        seller = snapshot.sellers.get(self.lead.seller_id)
        trials = trials_of(seller, self.campaign, test=self.lead.test)
        sale = Sale(
            seller_id=self.lead.seller_id,
            campaign=self.campaign,
            plan=snapshot.plan(self.campaign.id, test=self.lead.test),
            test=self.lead.test,
            person=submission.person,
            fingerprint=submission.fingerprint,
            trials=trials,
        )
        self._concluding = Concluding(stations, self._chain, self._course, sale)
        self._awarding = Awarding(
            stations,
            snapshot,
            submission,
            self._chain,
            self._course,
            self._concluding,
        )
        self._awarding.kept = None if carried is None else carried.kept
        self._together = Together(
            stations,
            self._chain,
            self.lead,
            self._awarding,
            self._concluding,
        )

    @property
    def score(self) -> int | None:
        """What the lead was scored, from 0 to 100; None before it was."""
        return self._checking.score

    @property
    def attempted(self) -> bool:
        """Somebody was about to get the lead, and may have it."""
        return self._awarding.attempted

    @property
    def awarded(self) -> bool:
        """An award is on the books, or may be: the lead's end is found by another, if not here.

        None is written before its lead: a story that is cut off while it waits for that has none.
        """
        return self._awarding.awarded and self._chain.has_begun

    @property
    def may_be_written(self) -> bool:
        """Something of it is on the books, or may come to be: whoever breaks off leaves that."""
        return not self._chain.is_untouched

    @property
    def waits(self) -> bool:
        """Every post under way is in doubt now: only its buyer or time can end that."""
        return self._concluding.waits

    @property
    def answered_at_us(self) -> int:
        """When it was decided what the seller hears: its end, or that its time was up."""
        return self.lead.answer_by_us if self.ending is None else self._chain.ended_at_us

    # The story

    async def run(self) -> Ending:
        """Bring the lead to its end and write every step down; the end is durable on return."""
        checking = self._checking
        try:
            ending = checking.judged() or await self._first_to_come() or checking.scored()
            if ending is None:
                ending = await self._sell()
            if ending.status is not LeadStatus.SOLD:
                await self._write_end(ending)
        except Fenced:  # another one has this lead, and its claim with it
            await self._claims.give_back_others(is_fenced=True)
            raise
        except Exception:
            await self._unclaim_unsold()
            raise
        finally:
            self._on_books.set()
        self.ending = ending
        await self._follow(ending)
        return ending

    async def tell_pending(self) -> Ending | None:
        """Let the seller hear `pending`, durably and not before the lead's own row, or its end.

        Of a lead that several share it hears who bought it by now; nobody else is asked any more.
        None where the end was just written: it is on the books, and is to be told from there.
        """
        self._course.told_pending = True
        await self._on_books.wait()
        if self.ending is None and not self._begun:
            raise Broken  # it ended before anything was written of it
        if self.ending is None:
            await self._chain.write_unless_ended(
                MomentKind.PENDING, EventName.PENDING, reason=Reason.IN_DOUBT
            )
        if self.ending is None and self._chain.ended_at_us:
            return None
        return self.ending or self.so_far

    @property
    def so_far(self) -> Ending:
        """What is certain: sold to those who accepted, whatever follows; else `pending`."""
        sold = tuple(self._concluding.sold)
        return Ending(status=LeadStatus.SOLD, sales=sold) if sold else PENDING

    async def is_on_books(self) -> bool:
        """Tell whether the lead's own row is durable, as soon as this story knows."""
        await self._on_books.wait()
        return await self._chain.is_begun() if self._begun else self.ending is not None

    # Its steps

    async def _first_to_come(self) -> Ending | None:
        """Claim the person for this lead, or end as a duplicate of the one that came first."""
        wanted = self._checking.claim(self._stations.claim_secret)
        if wanted is None:
            return None
        original = await self._claims.take(wanted)
        if original is not None:
            return self._checking.repeats(original)
        self._chain.note(EventName.CLAIMED)
        return None

    async def _sell(self) -> Ending:
        """Write the lead down beside the first fan-out, and go through the routing plan."""
        self._begun = True
        self._chain.begin(MomentKind.LEAD, **self._rows())  # no award is written before its lead
        self._on_books.set()
        try:
            return await self._put_up()
        finally:
            await self._chain.begun()

    async def _put_up(self) -> Ending:
        competing = await self._competing()
        first = 1 if self._carried is None else self._carried.stage
        if first is None:
            return self._not_kept(competing)
        # A quote's post asks nobody again: the stages before its own had no bid that stood.
        return await self._go_through(self.campaign.stages[first - 1 :], competing)

    async def _go_through(self, stages: Iterable[Stage], competing: Competing) -> Ending:
        for stage in stages:
            if not self._awarding.may_award():
                competing.leave_out_all(stage, self._awarding.too_late())
                continue
            if self._is_quoted_elsewhere(stage):
                competing.leave_out_all(stage, Reason.SUPPRESSED, NOT_QUOTED)
                continue
            if self._is_taken(stage):
                competing.leave_out_all(stage, Reason.SUPPRESSED, TAKEN)
                continue
            ranked = await self._ranked(competing, stage)
            if stage.max_buyers > 1:
                ending = await self._together.sell(ranked, stage, competing)
                if ending is not None:
                    return ending
                continue
            order = self._in_order(competing, stage, ranked)
            async for bid in order:
                if not self._awarding.may_award():
                    competing.leave_out(bid.offer.id, self._awarding.too_late(), stage.number)
                    continue
                sent = self._awarding.posted_to
                (deal,) = deals((bid,), order.left, competing.terms, sent)
                sold = await self._awarding.try_bid(deal, stage, competing.score)
                if sold is not None:
                    return Ending(status=LeadStatus.SOLD, sales=(sold,))
        return unsold(self._course)

    def _not_kept(self, competing: Competing) -> Ending:
        """End a lead whose quote was made on terms that no stage has any more."""
        for stage in self.campaign.stages:
            competing.leave_out_all(stage, Reason.QUOTE_PROMISE, CHANGED)
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.QUOTE_PROMISE, detail=CHANGED)

    def _is_quoted_elsewhere(self, stage: Stage) -> bool:
        """Tell whether the seller chose who gets the lead, and nobody of this stage."""
        carried = self._carried
        return carried is not None and carried.kept.is_chosen and stage.number != carried.stage

    def _is_taken(self, stage: Stage) -> bool:
        """Tell whether as many as the stage allows have the lead already, or may have it.

        Nobody is sold alone what somebody may have who was to share it.
        """
        let_out = 1 if self._concluding.maybe_had else 0
        return max(self.lead.already_sold, let_out) >= stage.max_buyers

    async def _ranked(self, competing: Competing, stage: Stage) -> tuple[Bid, ...]:
        """Return the bids of a stage: asked now, or those that a quote brought."""
        carried = self._carried
        if carried is not None and stage.number == carried.stage:
            for offer_id, why, detail in carried.left_out:
                self._chain.note(
                    EventName.OFFER_LEFT_OUT, offer=offer_id, reason=why, detail=detail
                )
            if self._chain.noticing is not None:
                self._chain.noticing.stand_again(carried.asked)
            standing = competing.stand_again(
                carried.bids, stage, carried.floor, carried.kept.held_of
            )
            competing.wants(carried.wanted_later)
            return standing
        return await competing.compete(stage, frozenset(self._awarding.posted_to))

    def _in_order(self, competing: Competing, stage: Stage, ranked: tuple[Bid, ...]) -> Succession:
        """Return the same bids one after the other, as they are to be tried."""
        promised = self._is_carried(stage)
        return competing.in_order(stage, ranked, self._awarding.posted_to, is_promised=promised)

    def _is_carried(self, stage: Stage) -> bool:
        """Tell whether a quote brought the bids of this stage."""
        return self._carried is not None and stage.number == self._carried.stage

    async def _competing(self) -> Competing:
        assert self.score is not None, "a lead is scored before offers compete for it"
        carried, lead = self._carried, self.lead
        return Competing(
            self._stations,
            self.snapshot,
            self._submission,
            self._chain,
            self._course,
            score=self.score,
            bought_by=await bought_by(self._stations, self.snapshot, self._submission),
            payout_wanted=lead.min_price if carried is None else carried.payout_wanted,
        )

    # What is written

    async def _write_end(self, ending: Ending) -> None:
        """Write the end of a lead that was not sold; a sale writes its own."""
        if ending.status is LeadStatus.UNSOLD:
            self._chain.note(EventName.UNSOLD, reason=ending.reason, detail=ending.detail)
        end = LeadEnd(
            status=ending.status,
            reason=ending.reason,
            detail=ending.detail,
            original=ending.original,
        )
        kind, rows = MomentKind.OUTCOME, {} if self._begun else self._rows()
        if ending.original is not None and self._merges:
            # Who came first has the one record that is kept, and is the one lead that is counted.
            row = self._papers.row(self._claims.held, self.score)
            kind, rows = MomentKind.MERGED, {"lead": row}
        await self._chain.write(kind, lead_end=end, announce=self._course.told_pending, **rows)

    @property
    def _merges(self) -> bool:
        """Tell whether a duplicate is part of the lead that came first, and no lead of its own."""
        rule = self.campaign.duplicates
        return rule is not None and rule.merges

    def _rows(self) -> dict[str, Any]:
        """Return what the first moment of a lead writes."""
        return self._papers.rows(self._claims.held, self.score)

    async def _follow(self, ending: Ending) -> None:
        """Let market state follow the ledger: the sale's hold and the claim, in one round trip."""
        asked = self._claims.ask_end(is_sold=ending.status is LeadStatus.SOLD)
        await self._concluding.following.settled()
        await self._awarding.give_back_unused()
        await self._claims.ended(asked)

    async def _unclaim_unsold(self) -> None:
        """Give a claim back where the story broke off and no buyer can have the lead."""
        if self._awarding.awarded:
            return
        if self._carried is None:
            await self._claims.give_back()
        else:  # another post of its quote may have the lead, with the same claim
            await self._claims.give_back_others(is_fenced=False)
