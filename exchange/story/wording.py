"""The full record, put into the words of the buyer who won it: written once, sent as often."""

import msgspec

from exchange.delivery.formats import standard
from exchange.domain import anonymize
from exchange.domain.bid import Bid
from exchange.domain.dialect import Message, PostView
from exchange.domain.ids import SaleId
from exchange.domain.lead import Value
from exchange.domain.money import Micros
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical


class Won(msgspec.Struct, frozen=True, kw_only=True):
    """A bid that is to become a sale."""

    sale_id: SaleId
    bid: Bid
    price: Micros
    """What it pays."""
    payout: Micros = Micros(0)
    """What its seller gets of that."""
    remark: str | None = None
    """Why it pays less than it bid, or the exchange keeps less than its rule says."""
    score: int
    at_us: int
    buyers_max: int = 1
    """So many of this exchange's buyers at most have the lead, this one among them."""
    told_max: int | None = None
    """What the buyer is told of that, sales elsewhere counted; None where nobody shares."""


def message_of(won: Won, submission: Submission, vertical: Vertical) -> Message:
    """Return the post to the winner, in its own dialect or in the exchange's format."""
    post = won.bid.offer.post
    if post is not None and post.dialect is not None:
        return post.dialect.render(view_of(won, submission, vertical))
    lead, bid = submission.lead, won.bid
    source = {
        "id": anonymize.source_alias(lead.seller_id, lead.source.id, bid.offer),
        "channel": lead.source.channel,
    }
    terms = standard.SaleTerms(won.price, won.told_max)
    body = standard.post_body(won.sale_id, bid, terms, lead, submission.person, source)
    return Message(body=body)


def view_of(won: Won, submission: Submission, vertical: Vertical) -> PostView:
    """Return all that a post may speak of; whoever has won may know everything."""
    lead, bid = submission.lead, won.bid
    return PostView(
        lead=whole_lead(won, submission, vertical),
        consent=_known(submission.person.consent),
        sale_id=won.sale_id,
        ping_id=bid.ping_id,
        bid_id=bid.bid_id,
        token=bid.token,
        price=won.price,
        currency=bid.offer.buyer.currency,
        source_id=anonymize.source_alias(lead.seller_id, lead.source.id, bid.offer),
        channel=lead.source.channel,
        vertical_id=lead.vertical_id,
        test=lead.test,
        at_us=won.at_us,
        max_buyers=won.told_max or 1,
    )


def whole_lead(won: Won, submission: Submission, vertical: Vertical) -> dict[str, Value]:
    """Return every field, what follows from them, and the names under which pings showed them."""
    lead, offer = submission.lead, won.bid.offer
    hashes = {
        f"{name}_hash": digest
        for name in anonymize.hashed_fields(vertical)
        if (digest := anonymize.person_hash(submission.fingerprint, name, offer)) is not None
    }
    return {
        **anonymize.shown(lead, vertical, frozenset()),
        **hashes,
        **lead.derived,
        "score": won.score,
        **lead.fields,
        **submission.person.identity,
    }


def _known(consent: msgspec.Struct) -> dict[str, object]:
    return {
        name: value
        for name, value in msgspec.structs.asdict(consent).items()
        if value is not None and value != ()
    }
