"""The story that the exchange's doors tell here: what the table says, for as long as it says so."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

import msgspec

from bidders.rehearsal.acts import (
    Act,
    Duplicate,
    Pending,
    Problem,
    Quoted,
    Rejected,
    Sold,
    Unsold,
)
from bidders.rehearsal.scenes import Scene, scene_of
from bidders.rehearsal.visits import VISIT, Visit
from exchange.contract.denial import Denial
from exchange.contract.operator import CaptureOut
from exchange.contract.seller import LeadAnswer, Original, QuoteAnswer, ReasonOut, SaleOut
from exchange.contract.standing import Standing
from exchange.contract.timeline import utc_text
from exchange.domain.events import Event, EventName
from exchange.domain.ids import ENTROPY_BYTES, LeadId, SaleId, uuid7
from exchange.domain.money import from_decimal, to_decimal
from exchange.domain.quote import Quote, digests
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.intake.tokens import Tokens
from exchange.web.problems import DeniedError

KEPT_MAX = 10_000
SCORE = 70
US_PER_S = 1_000_000

ENDS = {
    LeadStatus.SOLD: EventName.SOLD,
    LeadStatus.UNSOLD: EventName.UNSOLD,
    LeadStatus.PENDING: EventName.PENDING,
    LeadStatus.DUPLICATE: EventName.DUPLICATE,
    LeadStatus.REJECTED: EventName.REJECTED,
}


class Told(msgspec.Struct):
    """A lead, and what its seller would be told of it now."""

    standing: Standing
    ended: asyncio.Event


class ScriptedStory:
    """Sells nothing; says what the table says of a ZIP code. `pace` multiplies what takes time."""

    def __init__(
        self,
        zip_field: str,
        tokens: Tokens,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        pace: float,
    ) -> None:
        self.zip_field = zip_field
        self.tokens = tokens
        self.now_us = now_us
        self.entropy = entropy
        self.pace = pace
        self.leads: OrderedDict[str, Told] = OrderedDict()
        self.tries: Counter[object] = Counter()
        self.asking: dict[LeadId, LeadId] = {}
        self.used: set[LeadId] = set()
        self.timers: set[asyncio.TimerHandle] = set()

    def scene(self, submission: Submission) -> Scene:
        """Return what this lead's ZIP code asks for."""
        return scene_of(submission.lead.fields.get(self.zip_field))

    # What the doors ask

    async def sell(self, submission: Submission, snapshot: Snapshot) -> LeadAnswer:
        """Let become of the lead what its scene says."""
        del snapshot
        scene = self.scene(submission)
        act = self.now(scene.post, scene)
        if isinstance(act, Sold) and act.after_s:
            await asyncio.sleep(act.after_s * self.pace)
        answer = self.answer(act, submission)
        self.keep(answer, submission)
        if isinstance(act, Pending) and act.then is not None:
            self.later(act.after_s, submission, act.then)
        return self.heard(answer)

    async def quote(self, submission: Submission, snapshot: Snapshot) -> QuoteAnswer:
        """Quote what its scene says."""
        del snapshot
        scene = self.scene(submission)
        act: Act | Quoted = scene.ping
        if not isinstance(act, Quoted):
            act = self.now(act, scene)
        if isinstance(act, Sold):
            act = Quoted(act.total)
        answer = self.quote_answer(act, submission)
        visit = VISIT.get()
        note(visit, answer)
        return answer

    async def sell_quoted(
        self, quote: Quote, submission: Submission, snapshot: Snapshot
    ) -> LeadAnswer | Denial:
        """Sell a quoted lead, once."""
        if quote.lead_id in self.used:
            return Denial(409, "this quote was used already: look up its lead, or ping again")
        answer = await self.sell(submission, snapshot)
        self.used.add(quote.lead_id)
        return answer

    async def standing(self, lead_id: LeadId) -> Standing | None:
        """Tell where a lead stands."""
        told = self.leads.get(lead_id)
        if told is None:
            return None
        self.heard(told.standing.answer)
        return told.standing

    async def explained(self, standing: Standing) -> Standing:
        """Return it as it is: nobody is left out of a rehearsal."""
        return standing

    async def captures(self, lead_id: LeadId) -> tuple[CaptureOut, ...]:
        """Nothing is called here, so nothing was recorded."""
        del lead_id
        return ()

    async def without_person(self, lead_id: LeadId, *words: str | None) -> tuple[str | None, ...]:
        """Nothing is kept here, and nobody's words are."""
        del lead_id
        return words

    async def ended(self, lead_id: LeadId, timeout_s: float, sale_id: SaleId | None = None) -> None:
        """Wait until the lead has ended, but no longer than this; here each has one sale."""
        del sale_id
        told = self.leads.get(lead_id)
        if told is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await told.ended.wait()
            except TimeoutError:
                return

    async def abandon(self, lead_id: LeadId) -> bool:
        """Tell whether nothing came of it."""
        return lead_id not in self.leads

    def close(self) -> None:
        """End nothing more."""
        for timer in self.timers:
            timer.cancel()

    # How

    def now(self, act: Act, scene: Scene) -> Act:
        """Return the act, what follows it after its times; raise the problem that it is."""
        if not isinstance(act, Problem):
            return act
        visit = VISIT.get()
        who = (visit.door, visit.key or visit.body)
        self.tries[who] += 1
        if act.times is not None and self.tries[who] > act.times:
            return scene.later
        visit.scripted = True
        raise DeniedError(act.kind, act.detail, act.errors, retry_after_s=act.retry_after_s)

    def answer(self, act: Act, submission: Submission) -> LeadAnswer:
        """Return what the seller is told of a lead."""
        lead = submission.lead
        status, reason, detail = LeadStatus.SOLD, None, None
        sales: tuple[SaleOut, ...] = ()
        original = None
        match act:
            case Sold() if from_decimal(act.total) < lead.min_price:
                status, reason = LeadStatus.UNSOLD, Reason.NO_BID_ABOVE_FLOOR
            case Sold():
                sales = tuple(
                    SaleOut(self.new_id(), price, redirect_url=act.redirect_url)
                    for price in act.prices
                )
            case Unsold():
                status, reason = LeadStatus.UNSOLD, act.reason
            case Rejected():
                status, reason, detail = LeadStatus.REJECTED, act.reason, act.detail
            case Duplicate():
                status, reason = LeadStatus.DUPLICATE, Reason.DUPLICATE
                if act.ours:
                    original = Original(self.new_id(), "sold", Decimal("10.00"), None)
            case Pending():
                status, reason = LeadStatus.PENDING, Reason.IN_DOUBT
            case Problem():
                raise AssertionError("a problem was raised before")
            case _:
                assert_never(act)
        return LeadAnswer(
            lead_id=lead.lead_id,
            status=status.value,
            price=sum((sale.price for sale in sales), Decimal(0)) if sales else None,
            currency="USD",
            sales=sales,
            reason=None if reason is None else ReasonOut.of(reason, detail),
            score=SCORE,
            duration_ms=round((self.now_us() - lead.received_at_us) / 1000, 1),
            original=msgspec.UNSET if original is None else original,
        )

    def quote_answer(self, act: Act | Quoted, submission: Submission) -> QuoteAnswer:
        """Return what the seller is told of a ping."""
        warnings = submission.warnings or msgspec.UNSET
        if not isinstance(act, Quoted) or from_decimal(act.price) < submission.lead.min_price:
            declined = Unsold(Reason.NO_BID_ABOVE_FLOOR) if isinstance(act, Quoted) else act
            answer = self.answer(declined, submission)
            return QuoteAnswer(
                ping_id=None,
                status=answer.status,
                price=None,
                currency="USD",
                expires_at=None,
                legs=(),
                reason=answer.reason,
                warnings=warnings,
            )
        quote = self.quote_of(act, submission)
        return QuoteAnswer(
            ping_id=self.tokens.seal(quote),
            status=LeadStatus.QUOTED.value,
            price=to_decimal(quote.payout),
            currency="USD",
            expires_at=utc_text(quote.expires_at_us),
            legs=(),
            reason=None,
            warnings=warnings,
        )

    def quote_of(self, act: Quoted, submission: Submission) -> Quote:
        """Return the promise, with all that its post must agree with."""
        lead = submission.lead
        return Quote(
            lead_id=lead.lead_id,
            seller_id=lead.seller_id,
            campaign_id=lead.campaign_id,
            vertical_id=lead.vertical_id,
            source=lead.source,
            version=1,
            quoted_at_us=lead.received_at_us,
            expires_at_us=self.now_us() + act.ttl_s * US_PER_S,
            currency="USD",
            payout=from_decimal(act.price),
            bids=(),
            fields=lead.fields,
            digests=digests(lead.lead_id, submission.fingerprint),
            consent=lead.consent,
            seller_ref=lead.seller_ref,
            min_price=lead.min_price,
            already_sold=lead.already_sold,
            exclude_buyers=lead.exclude_buyers,
            test=lead.test,
        )

    def keep(self, answer: LeadAnswer, submission: Submission) -> None:
        """Remember a lead, or what became of it since."""
        lead = submission.lead
        status = LeadStatus(answer.status)
        told = self.leads.get(lead.lead_id)
        earlier = (Event(at_us=lead.received_at_us, event=EventName.RECEIVED),)
        standing = Standing(
            answer=answer,
            seller_id=lead.seller_id,
            campaign_id=lead.campaign_id,
            source_id=lead.source.id,
            channel=lead.source.channel,
            seller_ref=lead.seller_ref,
            test=lead.test,
            version=1,
            received_at_us=lead.received_at_us,
            owner=None,
            sales=(),
            events=(
                *(earlier if told is None else told.standing.events),
                self.event(status, answer),
            ),
        )
        if told is None:
            told = self.leads[lead.lead_id] = Told(standing, asyncio.Event())
            while len(self.leads) > KEPT_MAX:
                self.leads.popitem(last=False)
        told.standing = standing
        if status is not LeadStatus.PENDING:
            told.ended.set()

    def event(self, status: LeadStatus, answer: LeadAnswer) -> Event:
        """Return the last line of a lead's timeline."""
        return Event(
            at_us=self.now_us(),
            event=ENDS[status],
            reason=None if answer.reason is None else Reason(answer.reason.code),
            payout=None if answer.price is None else from_decimal(answer.price),
        )

    def later(self, after_s: float, submission: Submission, then: Sold | Unsold) -> None:
        """Let a pending lead end after a while."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            self.timers.discard(timer)
            self.keep(self.answer(then, submission), submission)

        timer = loop.call_later(after_s * self.pace, end)
        self.timers.add(timer)

    def heard(self, answer: LeadAnswer) -> LeadAnswer:
        """Note for the judge what the seller hears of a lead."""
        visit = VISIT.get()
        visit.lead_id = answer.lead_id
        note(visit, answer)
        return answer

    def new_id(self) -> str:
        """Return an id for a sale."""
        return uuid7(self.now_us(), self.entropy(ENTROPY_BYTES))


def note(visit: Visit, answer: LeadAnswer | QuoteAnswer) -> None:
    """Note for the judge what a seller hears."""
    visit.lead_status = answer.status
    visit.price = None if answer.price is None else str(answer.price)
    visit.reason = None if answer.reason is None else answer.reason.reason
