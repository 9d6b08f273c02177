"""Erasing a person: what names it cannot be read again, what happened and was paid stays."""

from aiohttp import web

from exchange.contract.operator import ErasedOut
from exchange.contract.timeline import utc_text
from exchange.domain.ids import LeadId
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS
from exchange.web.guard import allow, header_key, role_of
from exchange.web.problems import NO_SUCH_LEAD, DeniedError, Kind
from exchange.web.viewing import UUID


async def erase_person(request: web.Request) -> web.Response:
    """Erase a lead's person, once for all: `DELETE /v1/admin/leads/{lead_id}/person`.

    409 while the lead is being sold. Repeated, it answers with the first time.
    """
    doors = request.app[DOORS]
    role = role_of(header_key(request), doors.market())
    allow(role, "operator", "admin")
    lead_id = LeadId(request.match_info["lead_id"].lower())
    if not UUID.match(lead_id):
        raise DeniedError(Kind.NOT_FOUND, NO_SUCH_LEAD)
    erased = await doors.ledger.erase(lead_id, doors.now_us(), f"{role.role}/{role.account}")
    if erased is None:
        if await doors.story.standing(lead_id) is None:
            raise DeniedError(Kind.NOT_FOUND, NO_SUCH_LEAD)
        raise DeniedError(Kind.BEING_SOLD, "ask again once it has ended")
    return json_response(
        encode(ErasedOut(lead_id=lead_id, erased_at=utc_text(erased.at_us), erased_by=erased.by))
    )
