"""From a standing bid to a sale: hold, award, post; nobody is posted a lead before its award."""

from collections.abc import Sequence

from exchange.delivery.parcels import packed
from exchange.domain.bid import Bid
from exchange.domain.campaign import Campaign, Stage
from exchange.domain.caps import Hold, HoldRefused, hold_lines
from exchange.domain.events import EventName
from exchange.domain.ids import ENTROPY_BYTES, SaleId, uuid7
from exchange.domain.legs import Kept
from exchange.domain.moment import AwardRow, MomentKind
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.spent import spent
from exchange.domain.submission import Submission
from exchange.domain.trials import Taken
from exchange.market.errors import MarketUnavailable
from exchange.story.chain import Broken, Chain, Fenced
from exchange.story.concluding import Concluding
from exchange.story.ending import Course, Sold
from exchange.story.stations import Stations
from exchange.story.wording import Won, message_of


class Awarding:
    """Holds and awards; of bids that are tried one after the other at most one becomes a sale."""

    def __init__(
        self,
        stations: Stations,
        snapshot: Snapshot,
        submission: Submission,
        chain: Chain,
        course: Course,
        concluding: Concluding,
    ) -> None:
        """Take the lead, and who sees a post through to its end."""
        self._stations = stations
        self._snapshot = snapshot
        self._submission = submission
        self._chain = chain
        self._course = course
        self._concluding = concluding
        self._lead = submission.lead
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self.kept: Kept | None = None
        """What was quoted of the lead, if anything was."""
        self._awards = 0
        self._used: set[SaleId] = set()
        """Sales that go on with what their quote holds."""
        self._outgrown: set[SaleId] = set()
        """Of what their quote held what was given back: nothing is held under these any more."""
        self._written: set[SaleId] = set()
        """Sales whose award is on the books, or may be."""
        self.held: set[SaleId] = set()
        """Sales for which room was held: not all need any."""
        self.posted_to: set[str] = set()
        self.attempted = False
        """Somebody was about to get the lead."""

    @property
    def awarded(self) -> bool:
        """An award is on the books, or may be: a buyer has the lead, or will be asked whether."""
        return self._awards > 0

    async def try_bid(self, deal: Deal, stage: Stage, score: int) -> Sold | None:
        """Hold, award and post; return the sale, or None where another bid may be tried."""
        bid = deal.bid
        if bid.offer.buyer.id in self.posted_to:
            self.leave_out(bid)
            return None
        epoch = self._stations.market.epoch
        won = self.win(deal, score)
        if await self.hold(won) is not None:
            return None
        return await self.award(won, stage, epoch)

    def may_award(self) -> bool:
        """Tell whether another buyer may be tried: in time, and never behind the seller's back."""
        if self._course.voided:
            return False
        if self._course.told_pending or self._stations.now_us() >= self._lead.answer_by_us:
            self._course.out_of_time = True
        return not self._course.out_of_time

    def too_late(self) -> Reason:
        """Say why nobody else may be tried: another buyer may have the lead, or time is up."""
        return Reason.IN_DOUBT if self._course.voided else Reason.DEADLINE

    def leave_out(self, bid: Bid) -> None:
        """Note that its buyer was sent the lead by another of its offers."""
        self._chain.note(
            EventName.OFFER_LEFT_OUT, offer=bid.offer.id, reason=Reason.DUPLICATE_FOR_BUYER
        )

    def win(self, deal: Deal, score: int, buyers_max: int = 1, told_max: int | None = None) -> Won:
        """Make a sale of a bid, under an id of its own; nothing is held yet."""
        self.attempted = True
        now_us = self._stations.now_us()
        sale_id = SaleId(uuid7(now_us, self._stations.entropy(ENTROPY_BYTES)))
        leg = None if self.kept is None else self.kept.held_for(deal)
        if leg is not None and leg.sale_id is not None and leg.sale_id not in self._outgrown:
            # Room was held for it, at that moment, and is until this lead has its end.
            sale_id, now_us = leg.sale_id, leg.held_at_us
            self._used.add(sale_id)
        return Won(
            sale_id=sale_id,
            bid=deal.bid,
            price=deal.price,
            payout=deal.payout,
            remark=deal.remark,
            score=score,
            at_us=now_us,
            buyers_max=buyers_max,
            told_max=told_max,
        )

    async def award(self, won: Won, stage: Stage, epoch: str) -> Sold | None:
        """Award and post what was held under this epoch; return the sale, if it becomes one."""
        bid = won.bid
        award = self._award_row(won, stage)
        await self._write_award(award, won.remark)
        self.posted_to.add(bid.offer.buyer.id)
        if self._stations.market.epoch != epoch and not await self._holds_still(won):
            self._concluding.void(award)
            return None
        return await self._concluding.post(award, bid.offer, is_shared=stage.max_buyers > 1)

    async def give_back(self, buyer_id: str, sale_id: SaleId) -> None:
        """Release what this story held; what its quote holds stays: another one may post that."""
        if sale_id not in self._used:
            await self._concluding.following.give_back(buyer_id, sale_id)

    async def give_back_unused(self) -> None:
        """Release what was held for legs of a quote that nobody was awarded."""
        for leg in () if self.kept is None else self.kept.held:
            if leg.sale_id is not None and leg.sale_id not in self._written:
                buyer_id = self._snapshot.offers[leg.offer_id].buyer.id
                await self._concluding.following.give_back(buyer_id, leg.sale_id)

    # Hold and award

    async def hold(self, won: Won) -> HoldRefused | None:
        """Reserve what the sale takes of its buyer's limits, or return what has no room for it.

        Nobody asks for what is known to be used up for good, but for what was held before.
        """
        offer = won.bid.offer
        credited = self._snapshot.credited.get(offer.buyer.id, Micros(0))
        lines = hold_lines(offer, won.price, won.at_us, credited=credited, test=self._lead.test)
        own = Hold(
            sale_id=won.sale_id,
            lead_id=self._lead.lead_id,
            buyer_id=offer.buyer.id,
            held_at_us=won.at_us,
            lines=lines,
        )
        holds = [*([own] if lines else []), *self._concluding.trials.holds(self._taken(won))]
        if not holds:
            return None
        refused = None
        if won.sale_id not in self._used:
            refused = spent(lines, self._stations.market.settled(offer.buyer.id))
        if refused is None:
            await self._give_back_outgrown(won)
            with self._stations.timed("hold"):
                refused = await self._hold_each(won, holds)
        if refused is None:
            self.held.add(won.sale_id)
            self._chain.note(EventName.HELD, offer=offer.id, price=won.price, sale_id=won.sale_id)
            return None
        self._course.full_at_award += 1
        self._chain.note(
            EventName.HOLD_FAILED, offer=offer.id, reason=refused.reason, detail=refused.counter
        )
        return refused

    async def _hold_each(self, won: Won, holds: Sequence[Hold]) -> HoldRefused | None:
        """Hold for everybody whom the sale takes something of, or for nobody.

        One after the other: but for pilots of its seller and campaign there is only its buyer.
        """
        for hold in holds:
            refused = await self._stations.market.hold(hold)
            if refused is not None:
                if hold is not holds[0]:
                    await self.give_back(won.bid.offer.buyer.id, won.sale_id)
                return refused
        return None

    def _taken(self, won: Won) -> Taken:
        return Taken(
            sale_id=won.sale_id,
            lead_id=self._lead.lead_id,
            price=won.price,
            payout=won.payout,
            held_at_us=won.at_us,
        )

    async def _give_back_outgrown(self, won: Won) -> None:
        """Release the room of a leg whose buyer pays more than was quoted: it is held anew.

        Where it fills the last place, its buyer would have none beside it. Whatever its buyer pays
        when it is chosen again, that room is no longer there.
        """
        leg = None if self.kept is None else self.kept.leg_of(won.bid)
        if leg is None or leg.sale_id is None or leg.sale_id == won.sale_id:
            return
        if leg.sale_id in self._outgrown or leg.sale_id in self._written:
            return
        self._outgrown.add(leg.sale_id)
        await self._concluding.following.give_back(won.bid.offer.buyer.id, leg.sale_id)

    async def _holds_still(self, won: Won) -> bool:
        """Hold again what was lost with market state before the award was on the books."""
        try:
            return await self.hold(won) is None
        except MarketUnavailable:
            return False

    def _award_row(self, won: Won, stage: Stage) -> AwardRow:
        bid, offer = won.bid, won.bid.offer
        vertical = self._snapshot.verticals[self._lead.vertical_id]
        return AwardRow(
            sale_id=won.sale_id,
            offer_id=offer.id,
            buyer_id=offer.buyer.id,
            price=won.price,
            payout=won.payout,
            currency=self._campaign.currency,
            held_at_us=won.at_us,
            bid_id=bid.bid_id,
            ping_id=bid.ping_id,
            stage=stage.number,
            buyers_max=won.buyers_max,
            post=packed(message_of(won, self._submission, vertical)),
        )

    async def _write_award(self, award: AwardRow, remark: str | None) -> None:
        """Make the award durable; where another worker has the lead now, give the hold back."""
        awarded = self._chain.event(
            EventName.AWARDED,
            offer=award.offer_id,
            price=award.price,
            payout=award.payout,
            sale_id=award.sale_id,
            stage=award.stage,
            detail=remark,
        )
        self._awards += 1
        self._written.add(award.sale_id)
        try:
            with self._stations.timed("award"):
                await self._chain.write(MomentKind.AWARD, noting=(awarded,), award=award)
        except (Fenced, Broken):
            self._awards -= 1
            # Surely not written: no post, no sale.
            await self.give_back(award.buyer_id, award.sale_id)
            raise
