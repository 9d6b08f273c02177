"""From a standing bid to a sale: hold, award, post; at most one bid of a lead becomes a sale."""

from exchange.delivery.parcels import packed
from exchange.domain.campaign import Campaign, Stage
from exchange.domain.caps import Hold, hold_lines
from exchange.domain.events import EventName
from exchange.domain.ids import ENTROPY_BYTES, SaleId, uuid7
from exchange.domain.moment import AwardRow, MomentKind
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.market.errors import MarketUnavailable
from exchange.story.chain import Broken, Chain, Fenced
from exchange.story.concluding import Concluding
from exchange.story.ending import Course, Sold
from exchange.story.stations import Stations
from exchange.story.wording import Won, message_of


class Awarding:
    """Tries bids one after the other; at most one of them becomes a sale."""

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
        self.posted_to: set[str] = set()
        self.attempted = False
        """Somebody was about to get the lead."""
        self.awarded = False
        """An award is on the books, or may be: a buyer has the lead, or will be asked whether."""

    async def try_bid(self, deal: Deal, stage: Stage, score: int) -> Sold | None:
        """Hold, award and post; return the sale, or None where another bid may be tried."""
        bid = deal.bid
        if bid.offer.buyer.id in self.posted_to:
            self._chain.note(
                EventName.OFFER_LEFT_OUT, offer=bid.offer.id, reason=Reason.DUPLICATE_FOR_BUYER
            )
            return None
        self.attempted = True
        epoch = self._stations.market.epoch
        now_us = self._stations.now_us()
        sale_id = SaleId(uuid7(now_us, self._stations.entropy(ENTROPY_BYTES)))
        if not await self._hold(sale_id, deal, now_us):
            return None
        won = Won(sale_id=sale_id, bid=bid, price=deal.price, score=score, at_us=now_us)
        award = self._award_row(won, deal, stage)
        await self._write_award(award, deal.remark)
        self.posted_to.add(bid.offer.buyer.id)
        if self._stations.market.epoch != epoch and not await self._holds_still(award, deal):
            self._concluding.void(award)
            return None
        return await self._concluding.post(award, bid.offer)

    # Hold and award

    async def _hold(self, sale_id: SaleId, deal: Deal, now_us: int) -> bool:
        offer = deal.bid.offer
        credited = self._snapshot.credited.get(offer.buyer.id, Micros(0))
        lines = hold_lines(offer, deal.price, now_us, credited=credited, test=self._lead.test)
        if not lines:
            return True
        with self._stations.timed("hold"):
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
            self._chain.note(EventName.HELD, offer=offer.id, price=deal.price, sale_id=sale_id)
            return True
        self._course.full_at_award += 1
        self._chain.note(
            EventName.HOLD_FAILED, offer=offer.id, reason=refused.reason, detail=refused.counter
        )
        return False

    async def _holds_still(self, award: AwardRow, deal: Deal) -> bool:
        """Hold again what was lost with market state before the award was on the books."""
        try:
            return await self._hold(award.sale_id, deal, award.held_at_us)
        except MarketUnavailable:
            return False

    def _award_row(self, won: Won, deal: Deal, stage: Stage) -> AwardRow:
        bid, offer = won.bid, won.bid.offer
        vertical = self._snapshot.verticals[self._lead.vertical_id]
        return AwardRow(
            sale_id=won.sale_id,
            offer_id=offer.id,
            buyer_id=offer.buyer.id,
            price=deal.price,
            payout=deal.payout,
            currency=self._campaign.currency,
            held_at_us=won.at_us,
            bid_id=bid.bid_id,
            ping_id=bid.ping_id,
            stage=stage.number,
            post=packed(message_of(won, self._submission, vertical)),
        )

    async def _write_award(self, award: AwardRow, remark: str | None) -> None:
        """Make the award durable; where another worker has the lead now, give the hold back."""
        self._chain.note(
            EventName.AWARDED,
            offer=award.offer_id,
            price=award.price,
            payout=award.payout,
            sale_id=award.sale_id,
            stage=award.stage,
            detail=remark,
        )
        before, self.awarded = self.awarded, True
        try:
            with self._stations.timed("award"):
                await self._chain.write(MomentKind.AWARD, award=award)
        except (Fenced, Broken):
            self.awarded = before
            await self._concluding.give_back(award)  # surely not written: no post, no sale
            raise
