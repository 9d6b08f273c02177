"""What operators see of messages to sellers and buyers, and how one is sent again."""

import re

from aiohttp import web

from exchange.contract.messages import DeliveriesOut, DeliveryOut, TryOut
from exchange.contract.timeline import utc_text
from exchange.notify.outbox import Kept, Try, Wanted
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS
from exchange.web.guard import allow, header_key, role_of
from exchange.web.problems import DeniedError, Kind
from exchange.web.viewing import UUID, WHOLE, bad_query

STATES = ("waiting", "delivered", "failed")
RECIPIENT = re.compile(r"(seller|offer)/[a-z0-9][a-z0-9_-]{0,63}\Z")
LISTED = 100
LISTED_MAX = 500


async def get_deliveries(request: web.Request) -> web.Response:
    """List messages, newest first: `GET /v1/admin/webhooks/deliveries?state=failed`."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    wanted = wanted_by(request)
    found = await doors.outbox.messages(wanted)
    more = found[-1].id if len(found) == wanted.limit else None
    return json_response(encode(DeliveriesOut(tuple(map(published, found)), more)))


async def replay_delivery(request: web.Request) -> web.Response:
    """Deliver one again: `POST /v1/admin/webhooks/deliveries/{message_id}/replay`."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    message_id = request.match_info["message_id"].lower()
    if not UUID.match(message_id) or not await doors.outbox.replay(message_id):
        raise DeniedError(Kind.NOT_FOUND, "there is no such delivery")
    message = await doors.outbox.message(message_id)
    assert message is not None, "messages are deleted long after their end only"
    return json_response(encode(published(message)))


def wanted_by(request: web.Request) -> Wanted:
    """Return which messages are asked for; raise 422 for what cannot be."""
    query = request.query
    state, recipient = query.get("state"), query.get("recipient")
    if state is not None and state not in STATES:
        raise bad_query("state", f"must be one of {', '.join(STATES)}")
    if recipient is not None and not RECIPIENT.match(recipient):
        raise bad_query("recipient", "must be seller/ID or offer/ID")
    ids = {name: query[name].lower() for name in ("lead_id", "before") if name in query}
    for name, text in ids.items():
        if not UUID.match(text):
            raise bad_query(name, "must be an id")
    text = query.get("limit", str(LISTED))
    limit = int(text) if WHOLE.match(text) else 0
    if not 1 <= limit <= LISTED_MAX:
        raise bad_query("limit", f"must be a whole number from 1 to {LISTED_MAX}")
    return Wanted(state=state, recipient=recipient, limit=limit, **ids)


def published(message: Kept) -> DeliveryOut:
    """Return a message as operators read it."""
    waits = message.state == "waiting"
    return DeliveryOut(
        id=message.id,
        type=message.topic,
        recipient=message.recipient,
        lead_id=message.lead_id,
        at=utc_text(message.at_us),
        state=message.state,
        next_try_at=utc_text(message.due_us) if waits else None,
        ended_at=None if message.ended_at_us is None else utc_text(message.ended_at_us),
        tries=tuple(map(tried, message.log)),
    )


def tried(one: Try) -> TryOut:
    """Return one try as operators read it."""
    return TryOut(
        at=utc_text(one.at_us),
        ms=round(one.ms, 3),
        status=one.status or None,
        error=one.detail or None,
    )
