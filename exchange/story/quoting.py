"""A ping and its binding quote: asked like a sale, promised like one, held by its token alone."""

import msgspec

from exchange.contract.seller import QuoteAnswer, ReasonOut
from exchange.contract.timeline import utc_text
from exchange.domain.bid import Bid
from exchange.domain.campaign import Stage
from exchange.domain.events import EventName
from exchange.domain.floor_table import RuledFloor
from exchange.domain.moment import MomentKind, QuoteRow
from exchange.domain.money import Micros, to_decimal
from exchange.domain.paying import Terms, deals
from exchange.domain.quote import Quote, StandingBid, digests
from exchange.domain.reason import Reason
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
from exchange.story.stations import Stations

US_PER_S = 1_000_000
TOO_LONG = Ending(
    status=LeadStatus.UNSOLD,
    reason=Reason.INVALID_FIELD,
    detail="the fields are too long for a quote; post the lead directly",
)
_record = msgspec.json.Encoder(decimal_format="number").encode


class Promise(msgspec.Struct, frozen=True):
    """What the best bid of a stage lets the exchange promise."""

    stage: Stage
    bids: tuple[Bid, ...]
    payout: Micros
    expires_at_us: int
    floor: RuledFloor | None
    """What the campaign's rules gave as its floor."""


class Quoting:
    """One ping on its way to a quote; it claims and holds nothing."""

    def __init__(self, stations: Stations, snapshot: Snapshot, submission: Submission) -> None:
        """Take the stations, the market as it is now, and the ping."""
        self._stations = stations
        self._snapshot = snapshot
        self._submission = submission
        self._lead = submission.lead
        self._campaign = snapshot.campaigns[self._lead.campaign_id]
        self._course = Course()
        self._chain = Chain(stations.ledger, self._lead.lead_id, stations.now_us)
        self._chain.noticing = noticing(snapshot, stations.notice, test=self._lead.test)
        self._checking = Checking(snapshot, submission, self._chain)

    async def run(self) -> QuoteAnswer:
        """Ask for prices and promise the best; the promise is durable on return."""
        ending = self._checking.judged() or await self._repeats() or self._checking.scored()
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
            bids = await competing.compete(stage, frozenset())
            if bids:
                return self._promised(stage, bids, competing.terms)
        return unsold(self._course)

    def _promised(self, stage: Stage, bids: tuple[Bid, ...], terms: Terms) -> Promise:
        """Rest the promise on the best bid: it is quoted no longer than that bid stands.

        Under second price it is what that bid pays beside the others: should they not stand any
        more when the lead is posted, the promise itself is the winner's floor.
        """
        best = bids[0]
        ttl_s = min(self._campaign.quote_ttl_s, best.ttl_s or self._campaign.quote_ttl_s)
        now_us = self._stations.now_us()
        (deal,) = deals(bids[:1], bids[1:], terms)
        return Promise(stage, bids, deal.payout, now_us + ttl_s * US_PER_S, terms.floors.rule)

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
            return await self._decline(TOO_LONG)
        self._chain.note(EventName.QUOTED, payout=promise.payout, stage=promise.stage.number)
        await self._write(LeadStatus.QUOTED, None, promise)
        return QuoteAnswer(
            ping_id=token,
            status=LeadStatus.QUOTED.value,
            price=to_decimal(promise.payout),
            currency=self._campaign.currency,
            expires_at=utc_text(promise.expires_at_us),
            legs=(),
            reason=None,
            warnings=self._submission.warnings or msgspec.UNSET,
        )

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
        record = _record({"fields": lead.fields, "derived": lead.derived, "source": lead.source})
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
        )
