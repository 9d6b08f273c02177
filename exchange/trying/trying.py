"""One offer is tried: the real ping and post, made of the same parts, and nothing is booked."""

from typing import Protocol

import msgspec

from exchange.contract.seller import FieldError
from exchange.contract.trying import Sending, Tried
from exchange.domain.campaign import Campaign, LocationCheck, Margin, ReturnsTo, SellerTerms
from exchange.domain.ids import LeadId
from exchange.domain.offer import Offer
from exchange.domain.sample import sample_lead
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.intake.arrival import Arrival
from exchange.intake.arrival import Refused as Misread
from exchange.intake.request import Request
from exchange.trying.attempt import Attempt
from exchange.trying.means import Means

NAME = "exchange-try"
"""The seller and the campaign of a try; no market has them."""


class Intake(Protocol):
    """Turns a request into a submission."""

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Misread:
        """Return what was sent, normalized, or all that is wrong with it."""


class Trying:
    """Tries offers."""

    def __init__(self, intake: Intake, means: Means) -> None:
        """Take how leads are read, and what tries are made with."""
        self._intake = intake
        self._means = means

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
        attempt = Attempt(self._means, offer, submission, snapshot)
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
            lead_id=LeadId(self._means.new_id()),
            received_at_us=self._means.now_us(),
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
