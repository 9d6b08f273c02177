"""What the sender at a door would hear of each outcome, told of an invented lead."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus

import msgspec

from exchange.contract.trying_door import TriedSaying
from exchange.domain.door import Call, Does, Fault, Format, Outcome, Told
from exchange.domain.ids import LeadId
from exchange.domain.reason import Reason
from exchange.domain.seller import Seller

LEAD_ID = LeadId("019a0000-0000-7000-8000-000000000001")
PING_ID = "THE-QUOTE"
PRICE = Decimal("10.20")
QUOTE_TTL_S = 300
RETRY_AFTER_S = 1


class Saying(msgspec.Struct, frozen=True):
    """An outcome as a native door would tell it: its status, and its sentence or reason."""

    status: HTTPStatus
    message: str = ""
    reason: Reason | None = None


SAYINGS: Mapping[Outcome, Saying] = {
    Outcome.QUOTED: Saying(HTTPStatus.OK, "quoted"),
    Outcome.SOLD: Saying(HTTPStatus.OK, "sold"),
    Outcome.UNSOLD: Saying(HTTPStatus.OK, reason=Reason.NO_BID_ABOVE_FLOOR),
    Outcome.PENDING: Saying(HTTPStatus.OK, "pending"),
    Outcome.DUPLICATE: Saying(HTTPStatus.OK, reason=Reason.DUPLICATE),
    Outcome.REJECTED: Saying(HTTPStatus.OK, reason=Reason.NOT_QUALIFIED),
    Outcome.INVALID: Saying(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are wrong"),
    Outcome.UNREADABLE: Saying(HTTPStatus.BAD_REQUEST, "the body is not JSON"),
    Outcome.DENIED: Saying(HTTPStatus.UNAUTHORIZED, "there is no valid key in {places}"),
    Outcome.NOT_FOUND: Saying(HTTPStatus.NOT_FOUND, "there is no such lead of yours"),
    Outcome.WRONG_METHOD: Saying(HTTPStatus.METHOD_NOT_ALLOWED, "allowed here: {methods}"),
    Outcome.EXPIRED: Saying(HTTPStatus.GONE, "It has expired"),
    Outcome.USED: Saying(HTTPStatus.CONFLICT, "The quote was used already"),
    Outcome.UNDER_WAY: Saying(HTTPStatus.CONFLICT, "The first request is still under way"),
    Outcome.KEY_REUSED: Saying(
        HTTPStatus.UNPROCESSABLE_ENTITY, "This Idempotency-Key came with another body"
    ),
    Outcome.OVERLOADED: Saying(HTTPStatus.SERVICE_UNAVAILABLE, "There is too much to do"),
    Outcome.UNAVAILABLE: Saying(HTTPStatus.SERVICE_UNAVAILABLE, "A store cannot be reached"),
    Outcome.FAILED: Saying(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here"),
}
ENDS = frozenset(
    {Outcome.SOLD, Outcome.UNSOLD, Outcome.PENDING, Outcome.DUPLICATE, Outcome.REJECTED}
)
NEVER: Mapping[Does, frozenset[Outcome]] = {
    Does.PING: frozenset(
        {Outcome.SOLD, Outcome.PENDING, Outcome.EXPIRED, Outcome.USED, Outcome.NOT_FOUND}
    ),
    Does.POST: frozenset({Outcome.QUOTED}),
    Does.STATUS: frozenset(
        {
            *(Outcome.QUOTED, Outcome.INVALID, Outcome.EXPIRED, Outcome.USED),
            *(Outcome.UNDER_WAY, Outcome.KEY_REUSED),
        }
    ),
}
"""What a call that does this never has to say."""


def outcomes_of(does: Does) -> tuple[Outcome, ...]:
    """Return all that a sender may hear of a ping, a post or a status."""
    return tuple(outcome for outcome in Outcome if outcome not in NEVER[does])


class Hearer(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears, at which call, and how."""

    call: Call
    does: Does
    format: Format
    seller: Seller
    currency: str | None
    faults: tuple[Fault, ...]


def sayings(hearer: Hearer, outcomes: Iterable[Outcome]) -> Iterator[TriedSaying]:
    """Return what each of these outcomes sounds like."""
    for outcome in outcomes:
        written = hearer.call.write(told_of(hearer, outcome), hearer.format)
        yield TriedSaying(
            outcome=outcome,
            status=status_of(hearer.seller, written.status),
            content_type=written.content_type,
            body=written.body.decode(),
        )


def status_of(seller: Seller, status: int) -> int:
    """Return the status that this seller gets: never one that says that it made a mistake."""
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return int(HTTPStatus.OK) if seller.always_200 and is_refusal else status


def told_of(hearer: Hearer, outcome: Outcome) -> Told:
    """Return an outcome of an invented lead."""
    saying, call = SAYINGS[outcome], hearer.call
    reason = None if saying.reason is None else saying.reason.word
    message = saying.message.format(places=call.key_places, methods=", ".join(call.methods))
    has_price = outcome in {Outcome.QUOTED, Outcome.SOLD}
    is_ping = hearer.does is Does.PING
    return Told(
        outcome=outcome,
        does=hearer.does,
        status=int(saying.status),
        lead_id=LEAD_ID if outcome in ENDS and not is_ping else None,
        ping_id=PING_ID if outcome is Outcome.QUOTED else None,
        price=PRICE if has_price else None,
        currency=hearer.currency if outcome in ENDS | {Outcome.QUOTED} else None,
        reason=reason,
        code=None if saying.reason is None else int(saying.reason),
        message=message or (reason or "").replace("_", " "),
        expires_in_s=QUOTE_TTL_S if outcome is Outcome.QUOTED else None,
        retry_after_s=RETRY_AFTER_S if outcome is Outcome.OVERLOADED else None,
        errors=hearer.faults if outcome is Outcome.INVALID else (),
    )
