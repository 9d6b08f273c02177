"""Posts the full record to a winner and says what came of it; one call, one result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Unreachable
from exchange.delivery.formats import foreign, standard
from exchange.domain.dialect import Heard, Message, PostDialect
from exchange.domain.ids import SaleId
from exchange.domain.offer import Offer, PostTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import Endpoint
from exchange.wire.signature import signature_headers


class Parcel(msgspec.Struct, frozen=True):
    """What is posted for one sale; a repetition posts the same bytes under the same key."""

    sale_id: SaleId
    offer: Offer
    message: Message


class Delivered(msgspec.Struct, frozen=True):
    """What a post came to, and the exact bytes that were exchanged, but for secrets."""

    result: PostResult
    ms: float
    request: bytes = b""
    status: int = 0
    answer: bytes = b""


class Endpoints(Protocol):
    """Who prepares endpoints."""

    def of(self, url: str) -> Endpoint:
        """Return where the exchange's own format is spoken."""

    def speaking(self, url: str, method: str, headers: Mapping[str, str]) -> Endpoint:
        """Return where another one is."""


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
        call = self._call(parcel, post, dialect)
        await self._wire.fan_out((call,), float("inf"))
        request, answer = call.request, call.body
        if dialect is not None:
            request, answer = dialect.redacted(request), dialect.redacted(answer)
        result = _result(call, dialect, repeated=repeated)
        return Delivered(result, call.took_ms, request, call.status, answer)

    def _call(self, parcel: Parcel, post: PostTerms, dialect: PostDialect | None) -> Call:
        """Return the call of a parcel, with what proves who sends it made anew."""
        message, at_us = parcel.message, self._now_us()
        key = b"Idempotency-Key: " + parcel.sale_id.encode() + b"\r\n"
        if dialect is None:
            endpoint = self._endpoints.of(post.url)
            secret = parcel.offer.secret
            if secret is not None:
                at_s = at_us // 1_000_000
                key += signature_headers(secret, parcel.sale_id, at_s, message.body)
            request = endpoint.request(message.body, headers=key)
        else:
            endpoint = self._endpoints.speaking(post.url, dialect.method, dialect.headers)
            headers = message.headers + dialect.proof(post.url, message, at_us)
            if not foreign.names_key(dialect.headers, headers):
                headers = key + headers
            request = endpoint.asking(message.query, message.body, headers)
        return Call(
            endpoint=endpoint,
            request=request,
            timeout_ms=post.timeout_ms + self._late_grace_ms,
        )


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
