"""What was sent and what came back, as people read it: texts, without named secrets."""

from decimal import Decimal

import msgspec

from exchange.contract.trying import TriedAnswer, TriedCall, TriedReading, TriedRequest
from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused, Unreachable
from exchange.domain.bid import Contender
from exchange.domain.dialect import (
    Half,
    Heard,
    Miss,
    PingDialect,
    PostDialect,
    StatusDialect,
)
from exchange.domain.money import Micros, to_decimal
from exchange.domain.offer import Offer
from exchange.domain.person import Person, masked_message
from exchange.wire.call import Call, Outcome

SHOWN_MAX = 65_536
"""Bytes of a message that are shown at most."""

PLACES_MAX = 8
WORDS_MAX = 300
"""Characters of what rules want at one place."""
FOUND_MAX = 80
"""Characters of what stands there."""


def tried(call: Call, dialect: Half | None, read: TriedReading | None, *, send: bool) -> TriedCall:
    """Return a call as it is shown, with how its answer was understood."""
    answered = send and call.outcome is Outcome.ANSWERED
    return TriedCall(
        request=_request(call, dialect),
        sent=bool(send and call.sent_at),
        answer=_answer(call, dialect) if answered else None,
        ms=round(call.took_ms, 3) if send else None,
        read=read,
    )


def _request(call: Call, dialect: Half | None) -> TriedRequest:
    head, _, body = _clean(call.request, dialect).partition(b"\r\n\r\n")
    line, headers = _head(head)
    method, target, *_ = [*line.split(" "), "", ""]
    host = next((value for name, value in headers if name.lower() == "host"), "")
    return TriedRequest(
        method=method,
        url=f"{call.endpoint.scheme}://{host}{target}",
        headers=headers,
        body=_text(body),
    )


def _answer(call: Call, dialect: Half | None) -> TriedAnswer:
    _, headers = _head(_clean(call.head, dialect))
    return TriedAnswer(status=call.status, headers=headers, body=_text(_clean(call.body, dialect)))


def _clean(raw: bytes, dialect: Half | None) -> bytes:
    return raw if dialect is None else dialect.redacted(raw)


def _head(head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    line, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (one.partition(":") for one in rest)
    return line, tuple((name, value.strip()) for name, _, value in pairs)


def _text(raw: bytes) -> str:
    return raw[:SHOWN_MAX].decode("utf-8", "replace")


def bid_read(result: Contender, offer: Offer) -> TriedReading:
    """Return what an answer to a ping came to."""
    bid = result.bid
    if bid is None:
        assert result.reason is not None, "a result is a bid or a reason"
        return TriedReading(outcome=result.reason.word, detail=result.detail)
    return TriedReading(
        outcome="bid" if result.reason is None else result.reason.word,
        price=to_decimal(bid.price),
        currency=offer.buyer.currency,
        bid_id=bid.bid_id,
        token=bid.token,
        ttl_s=bid.ttl_s,
    )


def post_read(result: PostResult, offer: Offer) -> TriedReading:
    """Return what an answer to a post came to."""
    match result:
        case Accepted(reference=reference, redirect_url=redirect_url, price=price):
            return TriedReading(
                outcome="accepted",
                reference=reference,
                redirect_url=redirect_url,
                price=_amount(price),
                currency=None if price is None else offer.buyer.currency,
            )
        case Refused(detail):
            return TriedReading(outcome="refused", detail=detail)
        case Unreachable(detail):
            return TriedReading(outcome="unreachable", detail=detail)
        case InDoubt(detail=detail, said=said):
            told = detail if said is None else f"{detail}: {said}"
            return TriedReading(outcome="in_doubt", detail=told)


def explained(
    read: TriedReading,
    call: Call,
    dialect: PingDialect | PostDialect | StatusDialect | None,
    person: Person,
) -> TriedReading:
    """Return how an answer was understood; where it meets no rule, with what each one found.

    Only for a try, whose lead is invented or the operator's own; the person is masked even so.
    """
    if dialect is None or call.outcome is not Outcome.ANSWERED:
        return read
    missed = dialect.missed(Heard(call.status, call.head, call.body))
    if not missed:
        return read
    told = "; ".join(_missed(miss, dialect, person) for miss in missed[:PLACES_MAX])
    return msgspec.structs.replace(read, detail=f"{read.detail}: {told}")


def _missed(miss: Miss, dialect: Half, person: Person) -> str:
    wanted = cut(" or ".join(miss.wanted), WORDS_MAX)
    if miss.found is None:
        return f"{miss.place} is not there, wanted {wanted}"
    found = dialect.redacted(miss.found.encode()).decode(errors="replace")
    return f"{miss.place} is `{cut(masked_message(found, person), FOUND_MAX)}`, wanted {wanted}"


def cut(text: str, longest: int) -> str:
    """Return a text's beginning, marked where it is not all of it."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _amount(price: Micros | None) -> Decimal | None:
    return None if price is None else to_decimal(price)
