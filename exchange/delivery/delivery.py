"""Posts the full record to a winner and says what came of it; one call, one result."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Unreachable
from exchange.delivery.formats import standard
from exchange.domain.ids import SaleId
from exchange.domain.offer import Offer
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import Endpoint
from exchange.wire.signature import signature_headers


class Parcel(msgspec.Struct, frozen=True):
    """What is posted for one sale; a repetition posts the same bytes under the same key."""

    sale_id: SaleId
    offer: Offer
    body: bytes


class Delivered(msgspec.Struct, frozen=True):
    """What a post came to, and the exact bytes that were exchanged."""

    result: PostResult
    ms: float
    request: bytes = b""
    status: int = 0
    answer: bytes = b""


class Requests(Protocol):
    """Who carries one call to a buyer."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


class Delivery:
    """Posts to winners. It repeats nothing by itself and decides nothing about the sale."""

    def __init__(
        self,
        wire: Requests,
        endpoint_of: Callable[[str], Endpoint],
        *,
        now_us: Callable[[], int],
        late_grace_ms: float,
    ) -> None:
        """Take the wire, endpoints, the time, and how long a late answer is listened for."""
        self._wire = wire
        self._endpoint_of = endpoint_of
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
        headers = b"Idempotency-Key: " + parcel.sale_id.encode() + b"\r\n"
        if offer.secret is not None:
            at_s = self._now_us() // 1_000_000
            headers += signature_headers(offer.secret, parcel.sale_id, at_s, parcel.body)
        endpoint = self._endpoint_of(offer.post.url)
        call = Call(
            endpoint=endpoint,
            request=endpoint.request(parcel.body, headers=headers),
            timeout_ms=offer.post.timeout_ms + self._late_grace_ms,
        )
        await self._wire.fan_out((call,), float("inf"))
        return Delivered(
            _result(call, repeated=repeated), call.took_ms, call.request, call.status, call.body
        )


def _result(call: Call, *, repeated: bool) -> PostResult:
    """Return what an ended call means: only what surely was not sent is unreachable."""
    if call.outcome is Outcome.ANSWERED:
        return standard.read_answer(call.status, call.body, repeated=repeated)
    detail = str(call.detail) or str(call.outcome)
    if not call.sent_at:
        return InDoubt(detail) if repeated else Unreachable(detail)
    return InDoubt(detail)
