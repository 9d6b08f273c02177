"""One offer is tried: the real ping and post, made of the same parts, and nothing is booked."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.ping import Showing
from exchange.auction.tender import Tender
from exchange.contract.seller import FieldError
from exchange.contract.trying import Sending, Tried, TriedCall
from exchange.delivery.answer import Accepted, InDoubt, PostResult
from exchange.delivery.asking import Question
from exchange.delivery.delivery import Delivery, Parcel
from exchange.delivery.sending import Endpoints
from exchange.domain import anonymize, scoring
from exchange.domain.bid import Bid, Contender
from exchange.domain.campaign import Campaign, LocationCheck, Margin, ReturnsTo, SellerTerms
from exchange.domain.dialect import StatusView
from exchange.domain.ids import ENTROPY_BYTES, LeadId, SaleId, uuid7
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.sample import sample_lead
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.intake.arrival import Arrival
from exchange.intake.arrival import Refused as Misread
from exchange.intake.request import Request
from exchange.story.wording import Won, message_of
from exchange.trying.showing import bid_read, explained, post_read, tried
from exchange.wire.call import Call, Outcome

NAME = "exchange-try"
"""The seller and the campaign of a try; no market has them."""
PING_MS_MAX = 10_000.0
PRICE = Micros(1_000_000)
"""What a post is shown at that follows no bid, of an offer that names no price."""


class Intake(Protocol):
    """Turns a request into a submission."""

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Misread:
        """Return what was sent, normalized, or all that is wrong with it."""


class Calls(Protocol):
    """Who carries calls to the buyers."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


class Watched:
    """A wire whose calls are seen; without one behind it nothing is sent."""

    def __init__(self, wire: Calls | None) -> None:
        """Take who carries the calls; None: nobody."""
        self._wire = wire
        self.call: Call | None = None

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Keep the one call, and send it where there is a wire."""
        [self.call] = calls
        if self._wire is None:
            self.call.outcome = Outcome.ABANDONED
        else:
            await self._wire.fan_out(calls, deadline_at)


class Uncounted:
    """Admits every call and remembers none: a try is no sign of an endpoint's health."""

    def admit(self, offer: Offer) -> None:
        """Let it be called."""

    def network_ms(self, offer: Offer) -> float:
        """Estimate nothing."""
        del offer
        return 0.0

    def ended(self, offer: Offer, call: Call, *, sound: bool) -> None:
        """Count nothing."""


class Trying:
    """Tries offers."""

    def __init__(
        self,
        intake: Intake,
        wire: Calls,
        endpoints: Endpoints,
        *,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        """Take how leads are read and calls are carried, time and chance."""
        self._intake = intake
        self._wire = wire
        self._endpoints = endpoints
        self._now_us = now_us
        self._monotonic = monotonic
        self._entropy = entropy

    async def run(
        self, offer: Offer, send: Sending | None, request: Request, snapshot: Snapshot
    ) -> Tried | tuple[FieldError, ...]:
        """Show what would go out to this offer, and send what is asked for, as a test lead.

        The lead is a seller's request, or an invented one where the request has none. Returns what
        is wrong with it where it cannot be read, or with what is to be sent.
        """
        wrong = _unsendable(offer, send)
        if wrong is not None:
            return (wrong,)
        submission = self.submission(offer, request, snapshot)
        if isinstance(submission, Misread):
            return submission.errors
        attempt = Attempt(self, offer, submission, snapshot)
        ping, result = await attempt.ping(send=send in {Sending.PING, Sending.BOTH})
        bid = None if result is None else result.bid
        note = None
        send_post = send in {Sending.POST, Sending.BOTH}
        if send is Sending.BOTH and ping is not None and bid is None:
            send_post, note = False, "the post was not sent: the ping brought no bid"
        post, status = await attempt.post(bid or attempt.unasked(), send=send_post)
        return Tried(
            offer=offer.id,
            vertical=offer.vertical_id,
            lead={**submission.person.identity, **submission.lead.fields},
            ping=ping,
            post=post,
            status=status,
            note=note,
        )

    # What an attempt is made with

    def new_id(self) -> str:
        """Return an id that nothing has."""
        return uuid7(self._now_us(), self._entropy(ENTROPY_BYTES))

    def now_us(self) -> int:
        """Return the wall's time."""
        return self._now_us()

    def auction(self, wire: Calls) -> Auction:
        """Return an auction on this wire."""
        return Auction(
            wire,
            Uncounted(),
            self._endpoints,
            monotonic=self._monotonic,
            entropy=self._entropy,
            limits=AuctionLimits(),
        )

    def delivery(self, wire: Calls) -> Delivery:
        """Return a delivery on this wire."""
        return Delivery(wire, self._endpoints, now_us=self._now_us, late_grace_ms=0.0)

    def watched(self, *, send: bool) -> Watched:
        """Return a wire whose call is seen, and sent where it is to be."""
        return Watched(self._wire if send else None)

    def submission(
        self, offer: Offer, request: Request, snapshot: Snapshot
    ) -> Submission | Misread:
        """Return the lead as intake reads it, for a campaign that only a try has."""
        vertical = snapshot.verticals[offer.vertical_id]
        own = {name: value for name, value in request.fields.items() if name in TAKEN}
        fields: dict[str, object] = {
            "lead": sample_lead(vertical),
            "consent": SAMPLE_CONSENT,
            "source": "try",
            **own,
            "campaign": NAME,
            "test": True,
        }
        terms = SellerTerms(NAME, Margin(), ReturnsTo.PASS)
        campaign = Campaign(
            id=NAME,
            vertical_id=vertical.id,
            currency=offer.buyer.currency,
            sellers={NAME: terms},
            stages=(),
            auction_deadline_ms=1000,
            answer_deadline_ms=30_000,
            quote_ttl_s=300,
            location=LocationCheck.WARN,
        )
        seller = Seller(id=NAME, name=NAME, sources={})
        arrival = Arrival(
            seller_id=NAME,
            lead_id=LeadId(self.new_id()),
            received_at_us=self._now_us(),
            is_ping=False,
            idempotency_key=None,
            quote=None,
        )
        market = msgspec.structs.replace(
            snapshot,
            sellers={**snapshot.sellers, NAME: seller},
            campaigns={**snapshot.campaigns, NAME: campaign},
        )
        return self._intake.accept(Request(fields), arrival, market)


TAKEN = frozenset({"lead", "consent", "tracking", "source"})
"""What of a seller's request counts in a try."""
SAMPLE_CONSENT: dict[str, object] = {
    "tcpa": True,
    "text": "I agree to be called.",
    "url": "https://www.example.com/quote",
    "ip": "203.0.113.7",
}


class Attempt:
    """One lead for one offer: a ping and a post, sent or only shown."""

    def __init__(
        self, trying: Trying, offer: Offer, submission: Submission, snapshot: Snapshot
    ) -> None:
        """Take the offer and the lead."""
        self._trying = trying
        self._offer = offer
        self._submission = submission
        self._vertical = snapshot.verticals[offer.vertical_id]
        self._score = scoring.score(submission).value
        self._static_price = offer.static_price({**submission.facts(), "score": self._score})

    def unasked(self) -> Bid:
        """Return a bid for a post that follows no ping."""
        price = self._static_price or max(self._offer.floor, PRICE)
        return Bid(offer=self._offer, price=price)

    async def ping(
        self, *, send: bool, test: bool = True
    ) -> tuple[TriedCall | None, Contender | None]:
        """Return the ping and, where it was sent, what it came to."""
        terms = self._offer.ping
        if terms is None:
            return None, None
        wire = self._trying.watched(send=send)
        lead = self._submission.lead
        person = self._submission.person
        repeats = repeating(person.identity, lead.fields, self._vertical)
        shown = anonymize.shown(lead, self._vertical, repeats)
        tender = Tender(
            auction_id=lead.lead_id,
            showing=Showing(
                vertical_id=self._vertical.id,
                test=test,
                fields={**shown, "score": self._score},
                consent=marks_without(person.identity, lead.consent, self._vertical),
                currency=self._offer.buyer.currency,
                channel=lead.source.channel,
            ),
            fingerprint=self._submission.fingerprint,
            hashed=anonymize.hashed_fields(self._vertical),
            seller_id=lead.seller_id,
            source_id=lead.source.id,
            contenders=(Contender(self._offer, self._offer.floor, self._static_price),),
            at_us=self._trying.now_us(),
            timeout_ms=min(float(terms.timeout_ms), PING_MS_MAX),
        )
        result = await self._trying.auction(wire).run(tender)
        assert wire.call is not None, "an offer with a ping is asked"
        read = bid_read(result.results[0], self._offer) if send else None
        if read is not None:
            read = explained(read, wire.call, terms.dialect, self._submission.person)
        shown_call = tried(wire.call, terms.dialect, read, send=send)
        return shown_call, result.results[0] if send else None

    async def post(self, bid: Bid, *, send: bool) -> tuple[TriedCall | None, TriedCall | None]:
        """Return the post that this bid would get, and how its buyer is asked about it then."""
        if self._offer.post is None:
            return None, None
        parcel = self.parcel(bid)
        call, result = await self.deliver(parcel, send=send)
        if self._offer.post.status is None:
            return call, None
        reference = result.reference if isinstance(result, Accepted | InDoubt) else None
        asked = await self.ask(parcel, bid, reference, send=send)
        return call, None if asked is None else asked[0]

    async def ask(
        self, parcel: Parcel, bid: Bid, reference: str | None, *, send: bool
    ) -> tuple[TriedCall, PostResult] | None:
        """Return the question about a sale and, where it was sent, what it came to.

        None where its buyer named no reference to ask by.
        """
        assert self._offer.post is not None, "only an offer with a post is asked"
        assert self._offer.post.status is not None, "and only one with a status URL"
        view = StatusView(
            sale_id=parcel.sale_id,
            ping_id=bid.ping_id,
            bid_id=bid.bid_id,
            reference=reference,
            price=bid.price,
            currency=self._offer.buyer.currency,
            vertical_id=self._offer.vertical_id,
            test=True,
            at_us=self._trying.now_us(),
        )
        wire = self._trying.watched(send=send)
        delivered = await self._trying.delivery(wire).ask(Question(self._offer, view))
        if wire.call is None:
            return None
        dialect = self._offer.post.status.dialect
        read = post_read(delivered.result, self._offer) if send else None
        if read is not None:
            read = explained(read, wire.call, dialect, self._submission.person)
        return tried(wire.call, dialect, read, send=send), delivered.result

    def parcel(self, bid: Bid) -> Parcel:
        """Return what is posted for this bid, under a sale's id of its own."""
        sale_id = SaleId(self._trying.new_id())
        won = Won(
            sale_id=sale_id,
            bid=bid,
            price=bid.price,
            score=self._score,
            at_us=self._trying.now_us(),
        )
        return Parcel(sale_id, self._offer, message_of(won, self._submission, self._vertical))

    async def deliver(
        self, parcel: Parcel, *, send: bool, repeated: bool = False
    ) -> tuple[TriedCall, PostResult]:
        """Return a post and, where it was sent, what it came to."""
        wire = self._trying.watched(send=send)
        delivered = await self._trying.delivery(wire).post(parcel, repeated=repeated)
        assert wire.call is not None, "an offer with a post is called"
        assert self._offer.post is not None, "only an offer with a post gets one"
        dialect = self._offer.post.dialect
        read = post_read(delivered.result, self._offer) if send else None
        if read is not None:
            read = explained(read, wire.call, dialect, self._submission.person)
        return tried(wire.call, dialect, read, send=send), delivered.result


def _unsendable(offer: Offer, send: Sending | None) -> FieldError | None:
    # Of an offer that has one half alone, that half is all that `both` can mean.
    both = send is Sending.BOTH and offer.ping is None and offer.post is None
    wanted = {
        "ping": (send is Sending.PING or both) and offer.ping is None,
        "post": (send is Sending.POST or both) and offer.post is None,
    }
    lacking = [half for half, lacks in wanted.items() if lacks]
    if not lacking:
        return None
    return FieldError("send", "bad_value", f"the offer has no {' and no '.join(lacking)}")
