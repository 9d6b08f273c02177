"""Posts the full record to a winner and says what came of it; one call, one result."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Unreachable
from exchange.delivery.asking import Question, answer_read, question_of, status_terms
from exchange.delivery.formats import foreign, standard
from exchange.delivery.sending import Endpoints, Sending
from exchange.domain.captured import CallKind
from exchange.domain.dialect import Heard, Message, PostDialect
from exchange.domain.ids import SaleId
from exchange.domain.offer import Offer, PostTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.signature import signature_headers


class Parcel(msgspec.Struct, frozen=True):
    """What is posted for one sale; a repetition posts the same bytes under the same key."""

    sale_id: SaleId
    offer: Offer
    message: Message


class Delivered(msgspec.Struct, frozen=True):
    """What a post came to, and the bytes that were exchanged, less secrets.

    In a foreign dialect also less the person: what was made of an identity value is `***`.
    """

    result: PostResult
    ms: float
    request: bytes = b""
    status: int = 0
    answer: bytes = b""
    kind: CallKind = CallKind.POST


class Requests(Protocol):
    """Who carries one call to a buyer."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


class Delivery:
    """Posts to winners. It repeats nothing by itself and decides nothing about the sale."""

    def __init__(
        self,
        wire: Requests,
        endpoints: Endpoints,
        *,
        now_us: Callable[[], int],
        late_grace_ms: float,
    ) -> None:
        """Take the wire, endpoints, the time, and how long a late answer is listened for."""
        self._wire = wire
        self._endpoints = endpoints
        self._now_us = now_us
        self._late_grace_ms = late_grace_ms

    async def post(self, parcel: Parcel, *, repeated: bool) -> Delivered:
        """Send the parcel and return what came back, up to the late grace past its timeout.

        The caller waits only as long as its offer's timeout says; what comes later still tells
        whether the buyer has the lead.
        """
        offer = parcel.offer
        if offer.post is None:
            return Delivered(Accepted(), 0.0)  # nothing to call: the buyer fetches its leads
        post, dialect = offer.post, offer.post.dialect
        sending = self._native(parcel, post) if dialect is None else self._foreign(parcel, post)
        call = Call(
            endpoint=sending.endpoint,
            request=sending.request,
            timeout_ms=post.timeout_ms + self._late_grace_ms,
        )
        await self._wire.fan_out((call,), float("inf"))
        result = _result(call, dialect, repeated=repeated)
        answer = call.body if dialect is None else dialect.redacted(call.body)
        return Delivered(result, call.took_ms, sending.shown, call.status, answer)

    async def ask(self, asked: Question) -> Delivered:
        """Ask the buyer what became of a sale, and return what it says, in doubt where it does not.

        Nothing is sent where its URL names what is not known.
        """
        sending = question_of(asked, self._endpoints, self._now_us())
        if sending is None:
            return Delivered(InDoubt("not asked: the buyer named no reference"), 0.0)
        terms = status_terms(asked.offer)
        call = Call(endpoint=sending.endpoint, request=sending.request, timeout_ms=terms.timeout_ms)
        await self._wire.fan_out((call,), float("inf"))
        answer = call.body if terms.dialect is None else terms.dialect.redacted(call.body)
        result = answer_read(call, terms)
        return Delivered(result, call.took_ms, sending.shown, call.status, answer, CallKind.STATUS)

    def _native(self, parcel: Parcel, post: PostTerms) -> Sending:
        """Return a post in the exchange's own format, signed anew."""
        body, secret = parcel.message.body, parcel.offer.secret
        endpoint, lines = self._endpoints.of(post.url), key_line(parcel)
        if secret is not None:
            at_s = self._now_us() // 1_000_000
            lines += signature_headers(secret, parcel.sale_id, at_s, body)
        request = endpoint.request(body, headers=lines)
        return Sending(endpoint, request, shown=request)

    def _foreign(self, parcel: Parcel, post: PostTerms) -> Sending:
        """Return a post in the buyer's own dialect, with what proves who sends it made anew."""
        dialect, message = post.dialect, parcel.message
        assert dialect is not None, "a foreign post has a dialect"
        endpoint = self._endpoints.speaking(post.url, dialect.method, dialect.headers)
        proof = dialect.proof(post.url, message, self._now_us())
        named = foreign.names_key(dialect.headers, message.headers + proof)
        key = b"" if named else key_line(parcel)

        def asking(spoken: Message) -> bytes:
            return endpoint.asking(spoken.query, spoken.body, key + spoken.headers + proof)

        request, seen = asking(message), message.shown
        shown = dialect.redacted(request if seen is None else asking(seen))
        return Sending(endpoint, request, shown)


def key_line(parcel: Parcel) -> bytes:
    """Return the line by which a buyer knows a repetition again."""
    return b"Idempotency-Key: " + parcel.sale_id.encode() + b"\r\n"


def _result(call: Call, dialect: PostDialect | None, *, repeated: bool) -> PostResult:
    """Return what an ended call means: only what surely was not sent is unreachable."""
    if call.outcome is Outcome.ANSWERED:
        if dialect is not None:
            said = dialect.read(Heard(call.status, call.head, call.body))
            return foreign.outcome(said, repeated=repeated)
        return standard.read_answer(call.status, call.body, repeated=repeated)
    detail = str(call.detail) or str(call.outcome)
    if not call.sent_at:
        return InDoubt(detail) if repeated else Unreachable(detail)
    return InDoubt(detail)
