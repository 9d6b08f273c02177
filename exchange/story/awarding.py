"""From a standing bid to a sale: hold, award, post, and whatever the buyer makes of it."""

import asyncio
from collections.abc import Callable

import structlog

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused, Unreachable
from exchange.delivery.delivery import Parcel
from exchange.delivery.formats import standard
from exchange.domain.bid import Bid
from exchange.domain.bookkeeping import Parties, sale_transfers
from exchange.domain.campaign import Campaign, Stage
from exchange.domain.caps import Hold, hold_lines
from exchange.domain.events import EventName
from exchange.domain.ids import ENTROPY_BYTES, SaleId, uuid7
from exchange.domain.moment import AwardRow, LeadEnd, MomentKind, SaleEnd
from exchange.domain.money import Micros
from exchange.domain.offer import Offer, OnLowerPrice, OnNoAnswer
from exchange.domain.person import masked
from exchange.domain.pricing import split
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus, SaleState
from exchange.domain.submission import Submission
from exchange.market.errors import MarketUnavailable
from exchange.story.chain import Broken, Chain, Fenced
from exchange.story.ending import Course, Sold
from exchange.story.posting import Posting
from exchange.story.stations import Stations

logger = structlog.get_logger()
US_PER_S = 1_000_000


class Awarding:
    """Tries bids one after the other; at most one of them becomes a sale."""

    def __init__(
        self,
        stations: Stations,
        snapshot: Snapshot,
        submission: Submission,
        chain: Chain,
        course: Course,
        *,
        is_told: Callable[[], bool],
    ) -> None:
        """Take the lead and whether its seller was told `pending` already."""
        self._stations = stations
        self._snapshot = snapshot
        self._submission = submission
        self._chain = chain
        self._course = course
        self._is_told = is_told
        self._lead = submission.lead
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self.posted_to: set[str] = set()
        self.attempted = False

    async def try_bid(self, bid: Bid, stage: Stage) -> Sold | None:
        """Hold, award and post; return the sale, or None where another bid may be tried."""
        if bid.offer.buyer.id in self.posted_to:
            self._chain.note(
                EventName.OFFER_LEFT_OUT, offer=bid.offer.id, reason=Reason.DUPLICATE_FOR_BUYER
            )
            return None
        self.attempted = True
        now_us = self._stations.now_us()
        sale_id = SaleId(uuid7(now_us, self._stations.entropy(ENTROPY_BYTES)))
        if not await self._hold(sale_id, bid, now_us):
            return None
        award = self._award_row(sale_id, bid, stage, now_us)
        await self._write_award(award)
        self.posted_to.add(bid.offer.buyer.id)
        return await self._post(award, bid)

    # Hold and award

    async def _hold(self, sale_id: SaleId, bid: Bid, now_us: int) -> bool:
        offer = bid.offer
        credited = self._snapshot.credited.get(offer.buyer.id, Micros(0))
        lines = hold_lines(offer, bid.price, now_us, credited=credited, test=self._lead.test)
        if not lines:
            return True
        refused = await self._stations.market.hold(
            Hold(
                sale_id=sale_id,
                lead_id=self._lead.lead_id,
                buyer_id=offer.buyer.id,
                held_at_us=now_us,
                lines=lines,
            )
        )
        if refused is None:
            self._chain.note(EventName.HELD, offer=offer.id, price=bid.price, sale_id=sale_id)
            return True
        self._course.full_at_award += 1
        self._chain.note(
            EventName.HOLD_FAILED, offer=offer.id, reason=refused.reason, detail=refused.counter
        )
        return False

    def _award_row(self, sale_id: SaleId, bid: Bid, stage: Stage, now_us: int) -> AwardRow:
        terms = self._campaign.sellers[self._lead.seller_id]
        lead, offer = self._lead, bid.offer
        source = {
            "id": self._stations.names.source(lead.seller_id, lead.source.id, offer),
            "channel": lead.source.channel,
        }
        return AwardRow(
            sale_id=sale_id,
            offer_id=offer.id,
            buyer_id=offer.buyer.id,
            price=bid.price,
            payout=split(bid.price, terms.margin).payout,
            currency=self._campaign.currency,
            held_at_us=now_us,
            bid_id=bid.bid_id,
            ping_id=bid.ping_id,
            stage=stage.number,
            post=standard.post_body(sale_id, bid, bid.price, lead, self._submission.person, source),
        )

    async def _write_award(self, award: AwardRow) -> None:
        """Make the award durable; where another worker has the lead now, give the hold back."""
        self._chain.note(
            EventName.AWARDED,
            offer=award.offer_id,
            price=award.price,
            payout=award.payout,
            sale_id=award.sale_id,
            stage=award.stage,
        )
        try:
            await self._chain.write(MomentKind.AWARD, award=award)
        except (Fenced, Broken):
            await self._give_back(award)  # surely not written: no post, no sale
            raise

    # Post, and what comes of it

    async def _post(self, award: AwardRow, bid: Bid) -> Sold | None:
        """Post the award and see it through to its end: sold, refused, advanced or void."""
        assert award.post is not None, "an award that is made here carries its post"
        posting = Posting(self._stations, self._chain, Parcel(award.sale_id, bid.offer, award.post))
        return await self.conclude(award, bid.offer, posting, await posting.first())

    async def conclude(
        self, award: AwardRow, offer: Offer, posting: Posting, result: PostResult
    ) -> Sold | None:
        """Act on what a post came to; return the sale, or None where there is none."""
        word = type(result).__name__.lower()
        self._stations.observer.post_answered(offer.id, word, posting.ms)
        match result:
            case Accepted():
                return await self._accepted(award, offer, result, posting.ms)
            case Refused(detail) | Unreachable(detail):
                await self._refused(award, detail, posting.ms)
            case InDoubt(detail):
                self._chain.note(
                    EventName.IN_DOUBT,
                    offer=offer.id,
                    sale_id=award.sale_id,
                    reason=Reason.IN_DOUBT,
                    detail=detail,
                    ms=round(posting.ms, 3),
                )
                return await self._in_doubt(award, offer, posting)
        return None

    async def _in_doubt(self, award: AwardRow, offer: Offer, posting: Posting) -> Sold | None:
        """Do what the offer's `on_no_answer` says: go on without it, or wait until it decides."""
        assert offer.post is not None, "a sale without a post is never in doubt"
        if offer.post.on_no_answer is OnNoAnswer.ADVANCE:
            self._chain.note(EventName.ADVANCED, offer=offer.id, sale_id=award.sale_id)
            await self._void(award)
            self._stations.spawn(self._hear_late(award, posting))
            return None
        self._stations.observer.in_doubt(1)
        try:
            decided = await posting.resolved(offer.post.in_doubt_max_s)
        finally:
            posting.stop()
            self._stations.observer.in_doubt(-1)
        self._chain.note(
            EventName.RESOLVED,
            offer=offer.id,
            sale_id=award.sale_id,
            detail="void" if decided is None else type(decided).__name__.lower(),
        )
        match decided:
            case Accepted():
                return await self._accepted(award, offer, decided, posting.ms)
            case Refused(detail):
                await self._refused(award, detail, posting.ms)
            case None:
                self._course.voided = True
                await self._void(award)
        return None

    async def _accepted(self, award: AwardRow, offer: Offer, answer: Accepted, ms: float) -> Sold:
        """Book the sale, durably, and let its hold count."""
        charge, remark = charged(award, offer, answer)
        self._chain.note(
            EventName.ACCEPTED,
            offer=offer.id,
            sale_id=award.sale_id,
            price=charge,
            detail=remark,
            ms=round(ms, 3),
        )
        self._leave_out_rest(award.stage)
        self._chain.note(EventName.SOLD, sale_id=award.sale_id, payout=award.payout)
        between = Parties(
            buyer_id=award.buyer_id,
            seller_id=self._lead.seller_id,
            campaign_id=self._campaign.id,
            currency=award.currency,
        )
        booked = sale_transfers(award.sale_id, between, charge=charge, payout=award.payout)
        writing = self._chain.write(
            MomentKind.OUTCOME,
            sale_end=SaleEnd(
                sale_id=award.sale_id,
                state=SaleState.ACCEPTED,
                reference=answer.reference,
                redirect_url=answer.redirect_url,
            ),
            lead_end=LeadEnd(status=LeadStatus.SOLD, price=award.payout),
            transfers=() if self._lead.test else booked,
            announce=self._is_told(),
        )
        await asyncio.gather(writing, self._settle(award, charge), self._remember(offer))
        return Sold(
            sale_id=award.sale_id,
            payout=award.payout,
            buyer_name=offer.buyer.name if self._campaign.disclose_buyer else None,
            redirect_url=answer.redirect_url,
        )

    def _leave_out_rest(self, sold_in: int) -> None:
        """Note for the offers of stages that were not reached that the lead was sold before."""
        for stage in self._campaign.stages:
            if stage.number > sold_in and stage.offer_ids:
                self._chain.note(
                    EventName.OFFER_LEFT_OUT,
                    stage=stage.number,
                    left_out={Reason.OUTBID.value: stage.offer_ids},
                )

    async def _refused(self, award: AwardRow, words: str | None, ms: float) -> None:
        """Note the refusal and give the hold back; the next moment makes it durable."""
        self._course.refused += 1
        self._chain.note(
            EventName.REFUSED,
            offer=award.offer_id,
            sale_id=award.sale_id,
            reason=Reason.REFUSED,
            detail=masked(words, self._submission.person),
            ms=round(ms, 3),
        )
        self._chain.sale_ended(
            SaleEnd(sale_id=award.sale_id, state=SaleState.REFUSED, reason=Reason.REFUSED)
        )
        await self._give_back(award)

    async def _void(self, award: AwardRow) -> None:
        """End a sale that was never decided; whatever its buyer says later is not charged."""
        self._chain.note(
            EventName.VOIDED, offer=award.offer_id, sale_id=award.sale_id, reason=Reason.VOID
        )
        self._chain.sale_ended(
            SaleEnd(sale_id=award.sale_id, state=SaleState.VOID, reason=Reason.VOID)
        )
        await self._give_back(award)

    async def _hear_late(self, award: AwardRow, posting: Posting) -> None:
        """Record it where a buyer accepts a sale that was given up; it is never charged."""
        if await posting.late_acceptance() is None:
            return
        self._chain.note(
            EventName.LATE_ACCEPTANCE, offer=award.offer_id, sale_id=award.sale_id, ms=posting.ms
        )
        await self._chain.write(MomentKind.NOTE)

    # Market state follows the ledger; what fails here is put right by the sweeper

    async def _settle(self, award: AwardRow, charge: Micros) -> None:
        try:
            await self._stations.market.settle(award.buyer_id, award.sale_id, charge)
        except MarketUnavailable:
            logger.warning("hold left to the sweeper", sale_id=award.sale_id, end="settled")

    async def _give_back(self, award: AwardRow) -> None:
        try:
            await self._stations.market.release(award.buyer_id, award.sale_id)
        except MarketUnavailable:
            logger.warning("hold left to the sweeper", sale_id=award.sale_id, end="released")

    async def _remember(self, offer: Offer) -> None:
        """Let the buyer's own duplicate window begin."""
        window_s = offer.buyer.duplicate_window_s
        if not window_s or self._lead.test:
            return
        keys = self._stations.names.person_keys(self._submission.fingerprint)
        until_us = self._stations.now_us() + window_s * US_PER_S
        try:
            await self._stations.market.remember_purchase(keys, offer.buyer.id, until_us)
        except MarketUnavailable:
            logger.warning("purchase not remembered", buyer_id=offer.buyer.id)


def charged(award: AwardRow, offer: Offer, answer: Accepted) -> tuple[Micros, str | None]:
    """Return what the buyer pays and a remark where that is not plainly what it bid."""
    if answer.price is None or answer.price == award.price:
        return award.price, None
    if answer.price > award.price:
        return award.price, "higher price ignored"
    if offer.on_lower_price is OnLowerPrice.DISPUTE:
        return award.price, "lower price disputed"
    return answer.price, "lower price taken"
