"""A buyer is asked what became of a sale: one request to its status URL, one result."""

import msgspec

from exchange.delivery.answer import InDoubt, PostResult
from exchange.delivery.formats import foreign, standard
from exchange.delivery.sending import Endpoints, Sending
from exchange.domain.asking import filled
from exchange.domain.dialect import Heard, StatusView
from exchange.domain.offer import Offer, StatusTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.signature import signature_headers

US_PER_S = 1_000_000
GET = "GET"


class Question(msgspec.Struct, frozen=True):
    """Which sale is asked about, and at whose status URL."""

    offer: Offer
    view: StatusView


def question_of(asked: Question, endpoints: Endpoints, now_us: int) -> Sending | None:
    """Return the request; None where its URL names what is not known of this sale."""
    terms = status_terms(asked.offer)
    url = filled(terms.url, asked.view)
    if url is None:
        return None
    if terms.dialect is None:
        return _native(asked, url, endpoints, now_us)
    message = terms.dialect.render(asked.view)
    endpoint = endpoints.once(url, terms.dialect.method, terms.dialect.headers)
    proof = terms.dialect.proof(url, message, now_us)
    request = endpoint.asking(message.query, message.body, message.headers + proof)
    return Sending(endpoint, request, terms.dialect.redacted(request))


def _native(asked: Question, url: str, endpoints: Endpoints, now_us: int) -> Sending:
    """Return a GET in the exchange's own format: the sale's id is what is signed."""
    endpoint = endpoints.once(url, GET)
    lines, secret = b"", asked.offer.secret
    if secret is not None:
        lines = signature_headers(secret, asked.view.sale_id, now_us // US_PER_S, b"")
    request = endpoint.request(headers=lines)
    return Sending(endpoint, request, request)


def answer_read(call: Call, terms: StatusTerms) -> PostResult:
    """Return what an ended question came to; whatever is not said explicitly stays in doubt."""
    if call.outcome is not Outcome.ANSWERED:
        return InDoubt(f"asked in vain: {call.detail or call.outcome}")
    if terms.dialect is None:
        return standard.read_status(call.status, call.body)
    said = terms.dialect.read(Heard(call.status, call.head, call.body))
    return foreign.outcome(said, repeated=True)


def status_terms(offer: Offer) -> StatusTerms:
    """Return where this offer's buyer is asked."""
    assert offer.post is not None, "an offer that is posted to"
    assert offer.post.status is not None, "an offer with a status URL"
    return offer.post.status
