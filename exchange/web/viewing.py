"""What became of a lead: the seller's view, which may wait for the end, and the operators'."""

import contextlib
import re

from aiohttp import web

from exchange.contract.rejections import FaultOut, RejectionOut, RejectionsOut
from exchange.contract.seller import FieldError
from exchange.contract.standing import Standing, operator_view, seller_view
from exchange.contract.timeline import utc_text
from exchange.domain.ids import LeadId
from exchange.ledger.rows import Rejection
from exchange.web.answers import encode, json_response, response_to
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import allow, header_key, role_of, seller_of
from exchange.web.problems import NO_SUCH_LEAD, DeniedError, Kind
from exchange.web.under_way import ClosingError

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
SECONDS = re.compile(r"\d{1,4}(\.\d{1,3})?\Z", re.ASCII)
WHOLE = re.compile(r"\d{1,6}\Z", re.ASCII)

REJECTIONS = 100
REJECTIONS_MAX = 1000


async def get_lead(request: web.Request) -> web.Response:
    """Return a seller's own lead as it stands: `GET /v1/leads/{lead_id}?wait_s=25`."""
    doors = request.app[DOORS]
    caller = seller_of(request, header_key(request), doors.market())
    wait_s = seconds_wanted(request, doors)
    standing = await standing_of(request, doors)
    if standing.seller_id != caller.seller.id:
        raise DeniedError(Kind.NOT_FOUND, NO_SUCH_LEAD)
    if wait_s and standing.is_open:
        lead_id = LeadId(standing.answer.lead_id)
        with contextlib.suppress(ClosingError):
            await doors.under_way.unless_closing(doors.story.ended(lead_id, wait_s))
        standing = await standing_of(request, doors)
    return response_to(request, encode(seller_view(standing)))


async def get_lead_as_operator(request: web.Request) -> web.Response:
    """Return all that is known of a lead but the person: `GET /v1/admin/leads/{lead_id}`.

    What was merged into another lead is part of that one: its id leads there.
    """
    doors = request.app[DOORS]
    snapshot = doors.market()
    allow(role_of(header_key(request), snapshot), "operator", "admin")
    asked = await standing_of(request, doors)
    whole = None if asked.part_of is None else await doors.story.standing(asked.part_of)
    standing = await doors.story.explained(whole or asked)
    captures = await doors.story.captures(LeadId(standing.answer.lead_id))
    return json_response(encode(operator_view(standing, snapshot.offers, captures)))


async def get_rejections(request: web.Request) -> web.Response:
    """Return what a seller sent that was no lead: `GET /v1/rejections?limit=100`."""
    doors = request.app[DOORS]
    caller = seller_of(request, header_key(request), doors.market())
    text = request.query.get("limit", str(REJECTIONS))
    limit = int(text) if WHOLE.match(text) else 0
    if not 1 <= limit <= REJECTIONS_MAX:
        raise bad_query("limit", f"must be a whole number from 1 to {REJECTIONS_MAX}")
    rows = await doors.ledger.rejections(caller.seller.id, limit)
    rejections = RejectionsOut(tuple(published(row) for row in rows))
    return response_to(request, encode(rejections))


def published(rejection: Rejection) -> RejectionOut:
    """Return a rejection as its seller reads it."""
    return RejectionOut(
        at=utc_text(rejection.at_us),
        campaign=rejection.campaign_id,
        errors=tuple(FaultOut(fault.field, fault.code) for fault in rejection.errors),
    )


async def standing_of(request: web.Request, doors: Doors) -> Standing:
    """Return where the lead in the address stands; raise 404 where there is none."""
    lead_id = request.match_info["lead_id"].lower()
    standing = await doors.story.standing(LeadId(lead_id)) if UUID.match(lead_id) else None
    if standing is None:
        raise DeniedError(Kind.NOT_FOUND, NO_SUCH_LEAD)
    return standing


def seconds_wanted(request: web.Request, doors: Doors) -> float:
    """Return how long the caller wants to wait for the end, 0 where it does not say."""
    text = request.query.get("wait_s", "0")
    wait_s = float(text) if SECONDS.match(text) else -1.0
    if not 0 <= wait_s <= doors.limits.wait_max_s:
        raise bad_query("wait_s", f"must be seconds from 0 to {doors.limits.wait_max_s:g}")
    return wait_s


def bad_query(name: str, message: str) -> DeniedError:
    """Return the 422 of one bad query parameter."""
    return DeniedError(Kind.FIELDS, errors=(FieldError(name, "bad_value", message),))
