"""A ping and its binding quote: asked like a sale, promised like one, held by its token alone."""

import msgspec

from exchange.contract.seller import Leg, QuoteAnswer, ReasonOut
from exchange.contract.timeline import utc_text
from exchange.domain.bid import Bid
from exchange.domain.campaign import Method, Stage
from exchange.domain.choice import Choice, Sharing, choose, in_turn, sharing_of
from exchange.domain.dealing import dealt
from exchange.domain.events import EventName
from exchange.domain.floor_table import RuledFloor
from exchange.domain.ids import SaleId
from exchange.domain.legs import QuotedLeg
from exchange.domain.moment import MomentKind, QuoteRow
from exchange.domain.money import Micros, to_decimal
from exchange.domain.paying import Deal
from exchange.domain.quote import Quote, StandingBid, digests, terms_of
from exchange.domain.reason import Reason
from exchange.domain.remaining import remaining
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.intake.tokens import TooLongError
from exchange.story import claiming
from exchange.story.chain import Chain
from exchange.story.checking import Checking
from exchange.story.competing import Competing, bought_by
from exchange.story.ending import Course, Ending, unsold
from exchange.story.noticing import noticing
from exchange.story.quoted_room import QuotedRoom
from exchange.story.requoting import keep, quoted_before
from exchange.story.sale import TAKEN
from exchange.story.stations import Stations

US_PER_S = 1_000_000
TOO_LONG = Ending(
    status=LeadStatus.UNSOLD,
    reason=Reason.INVALID_FIELD,
    detail="what has to be kept of it is too long for a quote; post the lead directly",
)
_record = msgspec.json.Encoder(decimal_format="number").encode


class Promise(msgspec.Struct, frozen=True):
    """What the best bids of a stage let the exchange promise."""

    stage: Stage
    bids: tuple[Bid, ...]
    """Those of its legs first."""
    legs: tuple[QuotedLeg, ...]
    alone: bool
    expires_at_us: int
    floor: RuledFloor | None
    """What the campaign's rules gave as its floor."""

    @property
    def payout(self) -> Micros:
        """Return what all legs together pay the seller."""
        return Micros(sum(leg.payout for leg in self.legs))


class Quoting:
    """One ping on its way to a quote; it claims nothing, and holds room only where it is to."""

    def __init__(self, stations: Stations, snapshot: Snapshot, submission: Submission) -> None:
        """Take the stations, the market as it is now, and the ping."""
        self._stations = stations
        self._snapshot = snapshot
        self._submission = submission
        self._lead = submission.lead
        self._campaign = snapshot.campaign(self._lead.campaign_id, test=self._lead.test)
        self._course = Course()
        self._chain = Chain(stations.ledger, self._lead.lead_id, stations.now_us)
        self._chain.noticing = noticing(snapshot, stations.notice, test=self._lead.test)
        self._checking = Checking(snapshot, submission, self._chain)
        self._room = QuotedRoom(stations, snapshot, self._lead, self._chain)

    async def run(self) -> QuoteAnswer:
        """Ask for prices and promise the best; the promise is durable on return.

        The very same ping gets the very same quote, while that holds.
        """
        ending = self._checking.judged() or await self._repeats()
        if ending is None:
            before = await quoted_before(self._stations, self._submission)
            if before is not None:
                return before
        ending = ending or self._checking.scored()
        outcome = ending or await self._ask()
        if isinstance(outcome, Ending):
            return await self._decline(outcome)
        return await self._promise(outcome)

    async def _repeats(self) -> Ending | None:
        """Look whether another lead of this person came first; claim nothing."""
        wanted = self._checking.claim(self._stations.claim_secret)
        original = None if wanted is None else await claiming.look_up(self._stations, wanted)
        return None if original is None else self._checking.repeats(original)

    async def _ask(self) -> Promise | Ending:
        """Return what the first stage with a standing bid lets us promise."""
        assert self._checking.score is not None, "a ping is scored before offers compete for it"
        competing = Competing(
            self._stations,
            self._snapshot,
            self._submission,
            self._chain,
            self._course,
            score=self._checking.score,
            bought_by=await bought_by(self._stations, self._snapshot, self._submission),
            payout_wanted=self._lead.min_price,
            only_asks=True,
        )
        for stage in self._campaign.stages:
            if self._lead.already_sold >= stage.max_buyers:
                competing.leave_out_all(stage, Reason.SUPPRESSED, TAKEN)
                continue
            bids = await competing.compete(stage, frozenset())
            if bids and (promise := await self._promised(stage, bids, competing)):
                return promise
        return unsold(self._course)

    async def _promised(
        self, stage: Stage, bids: tuple[Bid, ...], competing: Competing
    ) -> Promise | None:
        """Rest the promise on who would get the lead now: it is quoted no longer than they bid.

        Under second price it is what they pay beside the others: should those not stand any more
        when the lead is posted, the promise itself is what the winners pay. Without those who have
        no room for good, or where room is held for quotes none now, the choice is made again.
        """
        sharing = sharing_of(self._lead, stage)
        while True:
            choice = self._chosen(stage, bids, sharing, competing)
            if choice is None:
                return None
            chosen = {bid.offer.id for bid in choice.bids}
            others = tuple(bid for bid in bids if bid.offer.id not in chosen)
            made = dealt(choice, others, sharing, competing.terms, ())
            longest_s = self._campaign.quote_ttl_s
            ttl_s = min(longest_s, *(bid.ttl_s or longest_s for bid in choice.bids))
            now_us = self._stations.now_us()
            until_us = now_us + ttl_s * US_PER_S
            full = self._room.spent(made, now_us)
            if not full and self._campaign.hold_quotes:
                full = await self._room.hold(made, now_us, until_us)
            if full:
                self._course.full_at_award += len(full)
                bids = tuple(remaining(bids, choice, full))
                continue
            return Promise(
                stage=stage,
                bids=(*choice.bids, *others),
                legs=tuple(
                    self._leg(number, deal, self._room.sales.get(deal.bid.offer.id), now_us)
                    for number, deal in enumerate(made, 1)
                ),
                alone=choice.alone,
                expires_at_us=until_us,
                floor=competing.terms.floors.rule,
            )

    def _chosen(
        self, stage: Stage, bids: tuple[Bid, ...], sharing: Sharing, competing: Competing
    ) -> Choice | None:
        if stage.max_buyers == 1:
            return Choice(bids[:1]) if bids else None
        if stage.method is Method.AUCTION:
            return choose(bids, sharing, competing.worth)
        return in_turn(bids, sharing)

    def _leg(self, number: int, deal: Deal, sale_id: SaleId | None, held_at_us: int) -> QuotedLeg:
        """Return one buyer's part, by the name that it wants to be shown, or that is disclosed."""
        buyer = deal.bid.offer.buyer
        return QuotedLeg(
            leg_id=str(number),
            offer_id=deal.bid.offer.id,
            price=deal.price,
            payout=deal.payout,
            buyer=deal.bid.buyer_name or (buyer.name if self._campaign.disclose_buyer else None),
            sale_id=sale_id,
            held_at_us=0 if sale_id is None else held_at_us,
        )

    # What is written and said

    async def _decline(self, ending: Ending) -> QuoteAnswer:
        if ending.status is LeadStatus.UNSOLD:
            self._chain.note(EventName.UNSOLD, reason=ending.reason, detail=ending.detail)
        await self._write(ending.status, ending.reason, None)
        assert ending.reason is not None, "a ping without a quote has its reason"
        return QuoteAnswer(
            ping_id=None,
            status=ending.status.value,
            price=None,
            currency=self._campaign.currency,
            expires_at=None,
            legs=(),
            reason=ReasonOut.of(ending.reason, ending.detail),
            warnings=self._submission.warnings or msgspec.UNSET,
        )

    async def _promise(self, promise: Promise) -> QuoteAnswer:
        try:
            token = self._stations.tokens.seal(self._quote(promise))
        except TooLongError:
            await self._room.give_back()
            return await self._decline(TOO_LONG)
        self._chain.note(EventName.QUOTED, payout=promise.payout, stage=promise.stage.number)
        try:
            await self._write(LeadStatus.QUOTED, None, promise)
        except Exception:  # nobody got the token, whatever is on the books
            await self._room.give_back()
            raise
        answer = QuoteAnswer(
            ping_id=token,
            status=LeadStatus.QUOTED.value,
            price=to_decimal(promise.payout),
            currency=self._campaign.currency,
            expires_at=utc_text(promise.expires_at_us),
            legs=tuple(
                Leg(leg.leg_id, to_decimal(leg.payout), leg.buyer, bid.consent_text)
                for leg, bid in zip(promise.legs, promise.bids, strict=False)
            ),
            reason=None,
            warnings=self._submission.warnings or msgspec.UNSET,
        )
        await keep(self._stations, self._submission, answer, promise.expires_at_us)
        return answer

    async def _write(
        self, status: LeadStatus, reason: Reason | None, promise: Promise | None
    ) -> None:
        lead = self._lead
        row = QuoteRow(
            seller_id=lead.seller_id,
            campaign_id=lead.campaign_id,
            source_id=lead.source.id,
            vertical_id=lead.vertical_id,
            test=lead.test,
            version=self._snapshot.version,
            status=status,
            reason=reason,
            price=None if promise is None else promise.payout,
            expires_at_us=None if promise is None else promise.expires_at_us,
        )
        record = _record(
            {
                "fields": lead.fields,
                "derived": lead.derived,
                "source": lead.source,
                "min_price": lead.min_price,
            }
        )
        await self._chain.write(MomentKind.QUOTE, quote=row, record=record)

    def _quote(self, promise: Promise) -> Quote:
        lead = self._lead
        return Quote(
            lead_id=lead.lead_id,
            seller_id=lead.seller_id,
            campaign_id=lead.campaign_id,
            vertical_id=lead.vertical_id,
            source=lead.source,
            version=self._snapshot.version,
            quoted_at_us=lead.received_at_us,
            expires_at_us=promise.expires_at_us,
            currency=self._campaign.currency,
            payout=promise.payout,
            bids=tuple(StandingBid.of(bid) for bid in promise.bids),
            fields=lead.fields,
            digests=digests(lead.lead_id, self._submission.fingerprint),
            consent=lead.consent,
            seller_ref=lead.seller_ref,
            min_price=lead.min_price,
            already_sold=lead.already_sold,
            exclude_buyers=lead.exclude_buyers,
            test=lead.test,
            score=self._checking.score,
            floor=promise.floor,
            stage=promise.stage.number,
            terms=terms_of(promise.stage),
            legs=promise.legs,
            alone=promise.alone,
        )
