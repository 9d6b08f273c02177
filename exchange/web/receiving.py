"""From a request to a submission: the contract's order of checks, each ending with its answer.

The key in a header: 401, 403, 413, 415, 400, 422.
The key in the body: 413, 415, 400, 401, 403, 422.
"""

from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog
from aiohttp import web

from exchange.contract.seller import FieldError
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.domain.quote import Quote
from exchange.domain.submission import Submission
from exchange.intake.arrival import Arrival
from exchange.intake.request import Request, Unparsable
from exchange.ledger.rows import FieldFault, Rejection
from exchange.market.once import OnceKey
from exchange.web.body import Sent, read_fields
from exchange.web.doors import Doors
from exchange.web.guard import Caller, admit, seller_of, was_let_in
from exchange.web.heads import Head, head_of
from exchange.web.idempotency import body_digest, once_key
from exchange.web.problems import OF_STATUS, DeniedError, Kind

logger = structlog.get_logger()

KEY_IN_ADDRESS = (
    "send the key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`: what stands in an address"
    " is kept in many logs"
)


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A readable request of a known seller."""

    caller: Caller
    request: Request
    arrived_us: int
    arrived_s: float
    """By the monotonic clock."""
    new_id: LeadId
    """Of this one request alone; of a direct post its lead's id."""
    key: OnceKey | None
    body: bytes
    """Digest of the raw body and its content type; empty where there is no key."""
    apart: bool = False
    """The task that asks may be cancelled before the story ends: it needs one of its own."""


async def receive(request: web.Request, doors: Doors) -> Received:
    """Return what was sent and by whom, or raise the first check's denial."""
    head = head_of(request.path, request.headers)
    entering = enter(head, doors, request, let_in=was_let_in(request))
    return understood(entering, await read_fields(request, doors.limits), doors)


class Entering(msgspec.Struct):
    """A request that may come in, as far as its head tells."""

    head: Head
    notes: MutableMapping[Any, Any]
    """Where its seller is noted, for whoever answers it."""
    caller: Caller | None
    """None: its key stands in its body."""
    arrived_us: int
    arrived_s: float


def enter(head: Head, doors: Doors, notes: MutableMapping[Any, Any], *, let_in: bool) -> Entering:
    """Return a request that passes the checks on its head, or raise the first one's denial."""
    admit(doors, let_in=let_in)
    arrived_us, arrived_s = doors.now_us(), doors.monotonic()
    caller = None if head.key is None else seller_of(notes, head.key, doors.market())
    return Entering(head, notes, caller, arrived_us, arrived_s)


def understood(entering: Entering, sent: Sent, doors: Doors) -> Received:
    """Return what was sent and by whom, or raise the first denial of the checks on its body."""
    head, caller = entering.head, entering.caller
    parsed = doors.intake.parse(sent.body, sent.content_type)
    if isinstance(parsed, Unparsable):
        raise DeniedError(OF_STATUS[parsed.status], parsed.detail)
    if sent.in_address and head.key is None:
        raise DeniedError(Kind.UNKNOWN_KEY, KEY_IN_ADDRESS)
    market = doors.market()
    # It may have changed while a slow body came in: the sale gets the present one.
    if caller is None or caller.snapshot is not market:
        key = parsed.api_key if head.key is None else head.key
        caller = seller_of(entering.notes, key, market)
    once = once_key(head.path, caller.seller.id, head.once, doors.digest_secret)
    return Received(
        caller=caller,
        request=parsed.request,
        arrived_us=entering.arrived_us,
        arrived_s=entering.arrived_s,
        new_id=LeadId(uuid7(entering.arrived_us, doors.entropy(ENTROPY_BYTES))),
        key=once,
        body=b""
        if once is None
        else body_digest(sent.content_type, sent.body, doors.digest_secret),
    )


async def submission_of(
    received: Received, doors: Doors, *, is_ping: bool = False, quote: Quote | None = None
) -> Submission:
    """Return the submission, or raise 422 with all its errors, kept in the seller's log."""
    arrival = Arrival(
        seller_id=received.caller.seller.id,
        lead_id=received.new_id if quote is None else quote.lead_id,
        received_at_us=received.arrived_us,
        is_ping=is_ping,
        idempotency_key=None if received.key is None else received.key.digest,
        quote=quote,
    )
    accepted = doors.intake.accept(received.request, arrival, received.caller.snapshot)
    doors.observer.stage("intake", (doors.monotonic() - received.arrived_s) * 1000)
    if isinstance(accepted, Submission):
        return accepted
    raise await refused(received, doors, accepted.errors, accepted.campaign_id)


async def refused(
    received: Received,
    doors: Doors,
    errors: tuple[FieldError, ...],
    campaign_id: str | None = None,
) -> DeniedError:
    """Keep the rejection in the seller's log and return its 422."""
    seller_id = received.caller.seller.id
    try:
        await doors.ledger.reject(
            Rejection(
                seller_id=seller_id,
                campaign_id=campaign_id,
                at_us=received.arrived_us,
                errors=tuple(FieldFault(error.field, error.code) for error in errors),
            )
        )
    except Exception as error:  # the answer is true with or without its line
        logger.warning("rejection not kept", seller=seller_id, exc_info=error)
    return DeniedError(Kind.FIELDS, errors=errors)
