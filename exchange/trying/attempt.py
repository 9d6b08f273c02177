"""One lead for one offer: a ping and a post, sent or only shown."""

from exchange.auction.ping import Showing
from exchange.auction.tender import Tender
from exchange.contract.trying import TriedCall
from exchange.delivery.answer import Accepted, InDoubt, PostResult
from exchange.delivery.asking import Question
from exchange.delivery.delivery import Parcel
from exchange.domain import anonymize, scoring
from exchange.domain.bid import Bid, Contender
from exchange.domain.dialect import StatusView
from exchange.domain.ids import SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.wording import Won, message_of
from exchange.trying.means import Means
from exchange.trying.showing import bid_read, explained, post_read, tried

PING_MS_MAX = 10_000.0
PRICE = Micros(1_000_000)
"""What a post is shown at that follows no bid, of an offer that names no price."""


class Attempt:
    """One lead for one offer: a ping and a post, sent or only shown."""

    def __init__(
        self, means: Means, offer: Offer, submission: Submission, snapshot: Snapshot
    ) -> None:
        """Take what it is made with, the offer and the lead."""
        self._means = means
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
        wire = self._means.watched(send=send)
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
            at_us=self._means.now_us(),
            timeout_ms=min(float(terms.timeout_ms), PING_MS_MAX),
        )
        result = await self._means.auction(wire).run(tender)
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
            at_us=self._means.now_us(),
        )
        wire = self._means.watched(send=send)
        delivered = await self._means.delivery(wire).ask(Question(self._offer, view))
        if wire.call is None:
            return None
        dialect = self._offer.post.status.dialect
        read = post_read(delivered.result, self._offer) if send else None
        if read is not None:
            read = explained(read, wire.call, dialect, self._submission.person)
        return tried(wire.call, dialect, read, send=send), delivered.result

    def parcel(self, bid: Bid) -> Parcel:
        """Return what is posted for this bid, under a sale's id of its own."""
        sale_id = SaleId(self._means.new_id())
        won = Won(
            sale_id=sale_id,
            bid=bid,
            price=bid.price,
            score=self._score,
            at_us=self._means.now_us(),
        )
        return Parcel(sale_id, self._offer, message_of(won, self._submission, self._vertical))

    async def deliver(
        self, parcel: Parcel, *, send: bool, repeated: bool = False
    ) -> tuple[TriedCall, PostResult]:
        """Return a post and, where it was sent, what it came to."""
        wire = self._means.watched(send=send)
        delivered = await self._means.delivery(wire).post(parcel, repeated=repeated)
        assert wire.call is not None, "an offer with a post is called"
        assert self._offer.post is not None, "only an offer with a post gets one"
        dialect = self._offer.post.dialect
        read = post_read(delivered.result, self._offer) if send else None
        if read is not None:
            read = explained(read, wire.call, dialect, self._submission.person)
        return tried(wire.call, dialect, read, send=send), delivered.result
