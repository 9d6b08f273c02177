"""One offer is tried from outside: shown or sent, and nothing is booked."""

from aiohttp import hdrs, web

from exchange.contract.seller import FieldError
from exchange.contract.trying import Sending, Tried
from exchange.intake.request import Request, Unparsable
from exchange.web.accept import JSON
from exchange.web.answers import encode, json_response
from exchange.web.body import read_body
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import allow, header_key, role_of
from exchange.web.problems import OF_STATUS, DeniedError, Kind

NO_REQUEST = Request({})


async def try_offer(request: web.Request) -> web.Response:
    """Show a test ping and post, and send them: `POST /v1/admin/offers/{offer_id}/try`."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    body = await read_body(request, doors.limits)
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    asked = _request(body, content_type, doors) if body else NO_REQUEST
    send = _sending(asked)
    snapshot = doors.market()
    offer = snapshot.offers.get(request.match_info["offer_id"])
    if offer is None:
        raise DeniedError(Kind.NOT_FOUND, "there is no such offer in the market")
    tried = await doors.trying.run(offer, send, asked, snapshot)
    if not isinstance(tried, Tried):
        raise DeniedError(Kind.FIELDS, errors=tried)
    return json_response(encode(tried))


def _request(body: bytes, content_type: str, doors: Doors) -> Request:
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise DeniedError(Kind.MEDIA_TYPE, f"a try is described in {JSON}")
    parsed = doors.intake.parse(body, content_type)
    if isinstance(parsed, Unparsable):
        raise DeniedError(OF_STATUS[parsed.status], parsed.detail)
    return parsed.request


def _sending(asked: Request) -> Sending | None:
    send = asked.fields.get("send")
    if send is None:
        return None
    words = [str(word) for word in Sending]
    if not isinstance(send, str) or send not in words:
        wrong = FieldError("send", "bad_value", f"must be one of {', '.join(words)}")
        raise DeniedError(Kind.FIELDS, errors=(wrong,))
    return Sending(send)
