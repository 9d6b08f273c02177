"""A post and what comes of it: accepted, refused, advanced or void; the end of one sale."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused, Unreachable
from exchange.delivery.delivery import Parcel
from exchange.delivery.parcels import unpacked
from exchange.domain.bookkeeping import Parties, sale_transfers
from exchange.domain.events import Event, EventName
from exchange.domain.moment import AwardRow, LeadEnd, MomentKind, SaleEnd
from exchange.domain.offer import Offer, OnNoAnswer
from exchange.domain.paying import charged
from exchange.domain.person import masked
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus, SaleState
from exchange.domain.trials import Trials
from exchange.ledger.errors import LedgerUnavailable
from exchange.story.asking import asking_of
from exchange.story.chain import Broken, Chain, Fenced
from exchange.story.ending import Course, Ending, Sold
from exchange.story.following import Following
from exchange.story.leaving_out import note_left_out
from exchange.story.posting import Posting
from exchange.story.stations import Stations
from exchange.story.whose import Sale

logger = structlog.get_logger(__name__)
WORDS: dict[type[PostResult], str] = {
    Accepted: "accepted",
    Refused: "refused",
    Unreachable: "unreachable",
    InDoubt: "in_doubt",
}


class Concluding:
    """Sees the posts of one lead through, one after the other or, where it is shared, at once."""

    def __init__(
        self,
        stations: Stations,
        chain: Chain,
        course: Course,
        sale: Sale,
    ) -> None:
        """Take the lead's chain, and what is met on its way."""
        self._stations = stations
        self._chain = chain
        self._course = course
        self._sale = sale
        self.following = Following(stations, chain.lead_id, sale)
        """Lets market state follow what is written."""
        self._posts = 0
        self._doubts = 0
        self.sold: list[Sold] = []
        """The sales so far; each is durable."""
        self.maybe_had: list[Offer] = []
        """Who did not answer a post that was for several, and was left: it may have the lead."""

    @property
    def trials(self) -> Trials:
        """What its sales take of pilots beside their buyers' limits."""
        return self._sale.trials

    @property
    def waits(self) -> bool:
        """Every post that is under way is in doubt now: only buyers or time can end that."""
        return 0 < self._doubts == self._posts

    async def post(self, award: AwardRow, offer: Offer, *, is_shared: bool = False) -> Sold | None:
        """Post an award and see it through; return the sale, or None where there is none.

        The sale of a lead that is not shared is its end, written at once.
        """
        assert award.post is not None, "an award that is made now carries its post"
        posting = self._posting(award, offer, award.post, is_shared=is_shared)
        self._posts += 1
        try:
            with self._stations.timed("post"):
                result = await posting.first()
            self._stations.observer.post_answered(offer.id, WORDS[type(result)], posting.ms)
            return await self._conclude(award, offer, posting, result)
        except asyncio.CancelledError:
            posting.stop()
            raise
        finally:
            self._posts -= 1

    async def repeat(
        self, award: AwardRow, offer: Offer, post: bytes, reference: str | None = None
    ) -> Sold | None:
        """Take up a sale that another worker left in doubt: the same post, the same key.

        A buyer that does not know a repetition again, and cannot be asked (by the `reference` that
        it named), gets nothing: nobody knows any more whether it got the lead, so the sale stays
        in doubt until its time is up. The lead's end is left to whoever knows of its other sales.
        """
        posting = self._posting(award, offer, post, reference, is_shared=True)
        return await self._in_doubt(award, offer, posting, InDoubt("its worker is gone"))

    def _posting(
        self,
        award: AwardRow,
        offer: Offer,
        post: bytes,
        reference: str | None = None,
        *,
        is_shared: bool,
    ) -> Posting:
        parcel = Parcel(award.sale_id, offer, unpacked(post))
        asking = asking_of(self._stations, offer, award, test=self._sale.test)
        if asking is not None:
            asking.reference = reference
        note_doubt = partial(self._note_doubt, award)
        return Posting(self._stations, self._chain, parcel, note_doubt, asking, is_shared=is_shared)

    def _masked(self, words: str | None) -> str | None:
        """Return a buyer's words without the person; none where they cannot be told from it."""
        person = self._sale.person
        return None if person is None else masked(words, person)

    def _told(self, doubt: InDoubt) -> str:
        """Return why a sale is in doubt, with what the buyer said where that can be told."""
        said = self._masked(doubt.said)
        return doubt.detail if said is None else f"{doubt.detail}: {said}"

    def _note_doubt(self, award: AwardRow, doubt: InDoubt, ms: float) -> None:
        self._chain.note(
            EventName.IN_DOUBT,
            offer=award.offer_id,
            sale_id=award.sale_id,
            reason=Reason.IN_DOUBT,
            detail=self._told(doubt),
            ms=round(ms, 3),
            reference=self._masked(doubt.reference),
        )

    async def _conclude(
        self, award: AwardRow, offer: Offer, posting: Posting, result: PostResult
    ) -> Sold | None:
        match result:
            case Accepted():
                return await self._accepted(award, offer, result, posting)
            case Refused():
                self._refused(award, offer, result, posting.ms)
            case Unreachable(detail):
                self._refused(award, offer, Refused(detail), posting.ms)
            case InDoubt():
                return await self._in_doubt(award, offer, posting, result)
        return None

    async def _in_doubt(
        self, award: AwardRow, offer: Offer, posting: Posting, doubt: InDoubt
    ) -> Sold | None:
        """Do what the offer's `on_no_answer` says: go on without it, or wait until it decides."""
        self._note_doubt(award, doubt, posting.ms)
        assert offer.post is not None, "a sale without a post is never in doubt"
        advances = offer.post.on_no_answer is OnNoAnswer.ADVANCE
        decided = await posting.last_word() if advances else None
        if advances and decided is None:
            self._chain.note(EventName.ADVANCED, offer=offer.id, sale_id=award.sale_id)
            self._course.advanced = True
            if posting.is_shared:
                self.maybe_had.append(offer)
            self.void(award)
            self._stations.spawn(self._hear_late(award, posting))
            return None
        if advances:
            posting.stop()
        else:
            decided = await self._resolved(posting, offer.post.in_doubt_max_s)
        self._chain.note(
            EventName.RESOLVED,
            offer=offer.id,
            sale_id=award.sale_id,
            detail="void" if decided is None else WORDS[type(decided)],
        )
        match decided:
            case Accepted():
                return await self._accepted(award, offer, decided, posting)
            case Refused():
                self._refused(award, offer, decided, posting.ms)
            case None:
                self._course.voided = True
                self.void(award)
        return None

    async def _resolved(self, posting: Posting, within_s: float) -> Accepted | Refused | None:
        """Wait until the buyer decides, that long; None: it never did."""
        self._stations.observer.in_doubt(1)
        self._doubts += 1
        try:
            return await posting.resolved(within_s)
        finally:
            self._doubts -= 1
            posting.stop()
            self._stations.observer.in_doubt(-1)

    async def _accepted(
        self, award: AwardRow, offer: Offer, answer: Accepted, posting: Posting
    ) -> Sold:
        """Book the sale, and let its hold count once that is durable: `settled` waits for it."""
        charge, remark = charged(award.price, answer.price, offer)
        accepted = self._chain.event(
            EventName.ACCEPTED,
            offer=offer.id,
            sale_id=award.sale_id,
            price=charge,
            detail=remark,
            ms=round(posting.ms, 3),
        )
        sold = self._chain.event(EventName.SOLD, sale_id=award.sale_id, payout=award.payout)
        noting: tuple[Event, ...] = accepted, sold
        rows: dict[str, Any] = {}
        if not posting.is_shared:
            self._chain.add(accepted)
            self.leave_out_rest(award.stage)
            noting = (sold,)
            rows["lead_end"] = LeadEnd(status=LeadStatus.SOLD, price=award.payout)
        between = Parties(
            buyer_id=award.buyer_id,
            seller_id=self._sale.seller_id,
            campaign_id=self._sale.campaign.id,
            currency=award.currency,
        )
        booked = sale_transfers(award.sale_id, between, charge=charge, payout=award.payout)
        with self._stations.timed("outcome"):
            await self._chain.write(
                MomentKind.OUTCOME,
                noting=noting,
                sale_end=SaleEnd(
                    sale_id=award.sale_id,
                    state=SaleState.ACCEPTED,
                    reference=self._masked(answer.reference),
                    redirect_url=answer.redirect_url,
                ),
                transfers=() if self._sale.test else booked,
                announce=self._course.told_pending,
                **rows,
            )
        done = Sold(
            sale_id=award.sale_id,
            payout=award.payout,
            buyer_name=offer.buyer.name if self._sale.campaign.disclose_buyer else None,
            redirect_url=answer.redirect_url,
        )
        self.sold.append(done)
        self.following.settle(award.buyer_id, award.sale_id, charge)
        for holder, amount in self._sale.trials.settled(charge=charge, payout=award.payout):
            self.following.settle(holder, award.sale_id, amount)
        await self.following.remember(offer)
        return done

    async def end(self, stage: int) -> Ending:
        """Write the end of a lead that was shared in this stage, and return it."""
        ending = Ending(status=LeadStatus.SOLD, sales=tuple(self.sold))
        self.leave_out_rest(stage)
        with self._stations.timed("outcome"):
            await self._chain.write(
                MomentKind.OUTCOME,
                lead_end=LeadEnd(status=LeadStatus.SOLD, price=ending.payout),
                announce=self._course.told_pending,
            )
        return ending

    def leave_out_rest(self, sold_in: int) -> None:
        """Note for the offers of stages that were not reached that the lead was sold before.

        Those that were looked at in an earlier stage have their reason, or are the winner.
        """
        for stage, left_out in self._sale.plan.not_reached(sold_in):
            note_left_out(self._chain, self._sale.plan, stage, [left_out])

    def _refused(self, award: AwardRow, offer: Offer, answer: Refused, ms: float) -> None:
        """Note the refusal; the hold is given back once the next moment makes it durable.

        Whoever says that it has this person already is not asked for it again in its own window.
        """
        self._course.refused += 1
        reason = Reason.DUPLICATE_FOR_BUYER if answer.duplicate else Reason.REFUSED
        self._chain.note(
            EventName.REFUSED,
            offer=award.offer_id,
            sale_id=award.sale_id,
            reason=reason,
            detail=self._masked(answer.detail),
            ms=round(ms, 3),
        )
        also = (partial(self.following.remember, offer),) if answer.duplicate else ()
        self._sale_ended(award, SaleState.REFUSED, reason, also)

    def void(self, award: AwardRow) -> None:
        """End a sale that was never decided; whatever its buyer says later is not charged."""
        self._chain.note(
            EventName.VOIDED, offer=award.offer_id, sale_id=award.sale_id, reason=Reason.VOID
        )
        self._sale_ended(award, SaleState.VOID, Reason.VOID)

    def _sale_ended(
        self,
        award: AwardRow,
        state: SaleState,
        reason: Reason,
        also: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """End a sale with the next moment, and only then give its hold back, and do what else is.

        Until that is durable another worker may ask the buyer again, who may accept.
        """

        async def follow() -> None:
            await self.following.give_back(award.buyer_id, award.sale_id)
            for one in also:
                await one()

        end = SaleEnd(sale_id=award.sale_id, state=state, reason=reason)
        self._chain.sale_ended(end, then=follow)

    async def _hear_late(self, award: AwardRow, posting: Posting) -> None:
        """Record what a buyer says of a sale that was given up; an acceptance is never charged."""
        if await posting.late_acceptance() is not None:
            self._chain.note(
                EventName.LATE_ACCEPTANCE,
                offer=award.offer_id,
                sale_id=award.sale_id,
                ms=round(posting.ms, 3),
            )
        try:
            await self._chain.write(MomentKind.NOTE)
        except (Fenced, Broken, LedgerUnavailable):
            logger.warning("late answer not recorded", sale_id=award.sale_id)
