"""What the HTTP edge is given: each station by the few methods that are called here."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from aiohttp import web

from exchange.contract.denial import Denial
from exchange.contract.health import Check
from exchange.contract.operator import CaptureOut
from exchange.contract.seller import FieldError, LeadAnswer, QuoteAnswer
from exchange.contract.standing import Standing
from exchange.contract.trying import Sending, Tried
from exchange.domain.caps import Used
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.offer import Offer
from exchange.domain.quote import Quote
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.request import Parsed, Request, Unparsable
from exchange.intake.tokens import Expired, Forged
from exchange.ledger.decisions import Decision, OpenSale, SaleWord
from exchange.ledger.rows import Rejection
from exchange.ledger.stored import Erasure
from exchange.market.once import Done, New, OnceKey, OtherBody, Running
from exchange.notify.outbox import Kept, Wanted
from exchange.reports.duplicates import Duplicates
from exchange.reports.learning import Learning
from exchange.web.limits import Limits
from exchange.web.specs.links import Links
from exchange.web.under_way import UnderWay
from exchange.web.valve import Valve


class Intake(Protocol):
    """Turns a body into a request, and a request into a submission; decides nothing."""

    def parse(self, body: bytes, content_type: str) -> Parsed | Unparsable:
        """Return the request in a body, or the status and sentence to answer with."""

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Refused:
        """Return what was sent, normalized, or all that is wrong with it."""


class Tokens(Protocol):
    """Opens quotes."""

    def open(self, text: str, seller_id: str, now_us: int) -> Quote | Expired | Forged:
        """Return the quote of a token that this seller was given."""


class Story(Protocol):
    """The way of a lead, as a whole."""

    asking: dict[LeadId, LeadId]
    """Requests that have their Idempotency-Key, or may, by owner: what the lead of each is called.

    Until its story has begun, a request stands on nothing but that key.
    """

    async def sell(self, submission: Submission, snapshot: Snapshot) -> LeadAnswer | Denial:
        """Sell the lead; the answer is durable, and comes by the answer deadline.

        429 where its seller or source has brought as much as it may.
        """

    async def quote(self, submission: Submission, snapshot: Snapshot) -> QuoteAnswer | Denial:
        """Ask for prices and promise the best one; 429 as for a lead."""

    async def sell_quoted(
        self, quote: Quote, submission: Submission, snapshot: Snapshot
    ) -> LeadAnswer | Denial:
        """Post a quote that has not expired; 409 where it was used already.

        A quote is used once, whoever posts it: calling this again never sells it twice.
        """

    async def standing(self, lead_id: LeadId) -> Standing | None:
        """Tell where a lead stands; None where there is none, or only a quote."""

    async def explained(self, standing: Standing) -> Standing:
        """Return it with every offer that was left out by itself, and all there is to say of it."""

    async def captures(self, lead_id: LeadId) -> tuple[CaptureOut, ...]:
        """Return the exact requests and answers that are still kept, identity masked."""

    async def without_person(self, lead_id: LeadId, *words: str | None) -> tuple[str | None, ...]:
        """Return somebody's words on a lead without its person; none once that was erased."""

    async def ended(self, lead_id: LeadId, timeout_s: float, sale_id: SaleId | None = None) -> None:
        """Wait until the lead, or this sale of it, has ended, but no longer than this."""

    async def abandon(self, lead_id: LeadId) -> bool:
        """Make sure that a lead of which nothing is written never will be; idempotent.

        False where something is written: then it has an end, or recovery will give it one.
        """


class Trying(Protocol):
    """Tries one offer, and books nothing."""

    async def run(
        self, offer: Offer, send: Sending | None, request: Request, snapshot: Snapshot
    ) -> Tried | tuple[FieldError, ...]:
        """Show what would go out, send what is asked for; or say what is wrong with the lead."""


class Once(Protocol):
    """Idempotency keys: exactly one request of each runs."""

    async def begin(
        self, key: OnceKey, body: bytes, lead_id: LeadId
    ) -> New | Running | Done | OtherBody:
        """Begin the first request of this key, or tell what became of it."""

    async def finish(self, key: OnceKey, lead_id: LeadId, answer: bytes = b"") -> bool:
        """Keep an answer, or that the ledger knows it by the lead."""

    async def forget(self, key: OnceKey, lead_id: LeadId) -> bool:
        """Let the next request of this key begin anew."""

    async def ended(self, key: OnceKey, timeout_s: float) -> Running | Done | None:
        """Wait for the end of the first request; None where it was forgotten."""


class Ledger(Protocol):
    """Keeps what sellers sent that was no lead (fields and codes, never a value), and forgets."""

    async def erase(self, lead_id: LeadId, at_us: int, by: str) -> Erasure | None:
        """Make a lead's person unreadable for good; None while it is sold, or where none was."""

    async def reject(self, rejection: Rejection) -> None:
        """Return once the rejection is durable."""

    async def rejections(self, seller_id: str, limit: int) -> Sequence[Rejection]:
        """Return a seller's latest requests that were no leads, newest first."""


class Decisions(Protocol):
    """Words on sales that are in doubt."""

    async def decide(self, sale_id: SaleId, decision: Decision) -> bool:
        """Write the decision; False where the sale has its end, or another word came first."""

    async def sale(self, sale_id: SaleId) -> SaleWord | None:
        """Return a sale as it stands; None where there is none of this id."""

    async def open_sales(self, held_before_us: int, limit: int) -> Sequence[OpenSale]:
        """Return the sales without an end that were held before then, the oldest first."""


class Outbox(Protocol):
    """Messages to sellers and buyers."""

    async def messages(self, wanted: Wanted) -> Sequence[Kept]:
        """Return messages with their logs, the newest first."""

    async def message(self, message_id: str) -> Kept | None:
        """Return one message with its log."""

    async def replay(self, message_id: str) -> bool:
        """Let a message be delivered again; False where there is none."""


class Readiness(Protocol):
    """What must be up for this worker to sell."""

    def checks(self) -> Sequence[Check]:
        """Return each store by name, as it was last seen; asks nobody."""


class Observer(Protocol):
    """Who counts what the edge does; never told a value of a request."""

    def stage(self, stage: str, ms: float) -> None:
        """Note how long a stage took."""

    def request_ended(self, route: str, status: int, ms: float) -> None:
        """Note an answered request."""

    def turned_away(self, cause: str) -> None:
        """Note a lead refused unread."""

    def hand_over(self) -> None:
        """Let the next page show all that was counted until now."""

    def exposition(self) -> bytes:
        """Return the page that Prometheus reads; takes milliseconds, so it runs in a thread."""


def nothing_used(_holder: str) -> Used:
    """Know of no counter: for doors without market state behind them."""
    return {}


async def nobody_is(_worker_id: str) -> bool:
    """Tell of no worker that it is gone: where there is but one."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """All that the HTTP edge needs, handed in where the program is put together."""

    market: Callable[[], Snapshot]
    """The market as it is now."""
    intake: Intake
    tokens: Tokens
    story: Story
    trying: Trying
    once: Once
    ledger: Ledger
    decisions: Decisions
    learning: Learning
    duplicates: Duplicates
    outbox: Outbox
    readiness: Readiness
    observer: Observer
    under_way: UnderWay
    loop_lag_ms: Callable[[], float]
    market_wait_ms: Callable[[], float]
    """For how long market state has not answered its oldest call."""
    used: Callable[[str], Used] = nothing_used
    """What is settled and held of a buyer's or seller's limits, as last read ahead."""
    valve: Valve = field(default_factory=lambda: Valve(inf))
    """How many new leads are let in; one whose target is never missed lets in all."""
    limits: Limits
    digest_secret: bytes
    """Under which bodies and idempotency keys are digested."""
    spec_links: Links
    """Signs links to specs."""
    public_url: str
    """Where the exchange is reached from outside; empty: as each request came."""
    worker_id: str
    is_gone: Callable[[str], Awaitable[bool]] = nobody_is
    """Tell whether a worker ends nothing any more that it began."""
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    """Seconds, finer than the event loop's clock."""
    entropy: Callable[[int], bytes]


DOORS = web.AppKey("doors", Doors)
