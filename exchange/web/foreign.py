"""Doors in their senders' own words: `/doors/{door}/{path}`, and behind it the native way.

The order of checks is the native one; what is read and said differs, what is sold does not.
"""

import re

import msgspec
from aiohttp import hdrs, web

from exchange.contract.seller import FieldError, LeadAnswer, QuoteAnswer
from exchange.domain.door import Call, Does, Door, Opening, Sent
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.domain.nearest import nearest
from exchange.domain.quote import Quote
from exchange.domain.snapshot import Snapshot
from exchange.intake.doors.bodies import sent_of
from exchange.intake.doors.meaning import campaign_of
from exchange.intake.request import Request, Unparsable
from exchange.intake.tokens import Expired, Forged
from exchange.web.answers import SERVER
from exchange.web.body import query_of, read_body
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import Caller, admit, header_key, seller_of
from exchange.web.heads import IDEMPOTENCY_KEY
from exchange.web.idempotency import body_digest, once_key
from exchange.web.problems import OF_STATUS, DeniedError, Kind
from exchange.web.receiving import Received, refused
from exchange.web.selling import quote, sell
from exchange.web.voice import VOICE, Voice, allowed

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
NO_SUCH_LEAD = "there is no such lead of yours"

ANSWERS = msgspec.json.Decoder(LeadAnswer)
QUOTES = msgspec.json.Decoder(QuoteAnswer)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a known seller, taken apart."""

    caller: Caller
    opening: Opening
    sent: Sent
    body: bytes
    """All that was sent, the query too."""
    content_type: str
    arrived_us: int
    arrived_s: float


async def at_door(request: web.Request) -> web.Response:
    """Do what a call of a door does, and say what became of it in its sender's words."""
    doors = request.app[DOORS]
    door = doors.market().doors.get(request.match_info["door"])
    call = None if door is None else door.call(request.match_info["path"])
    if door is None:
        raise DeniedError(Kind.NOT_FOUND, "there is no such door")
    if call is None:
        return no_call(request, door, doors)
    methods = allowed(call)
    if request.method == hdrs.METH_OPTIONS:
        return web.Response(status=204, headers={"Allow": ", ".join(methods), "Server": SERVER})
    voice = request[VOICE] = Voice(call)
    if request.method not in methods:
        raise DeniedError(Kind.METHOD, f"allowed here: {', '.join(methods)}")
    heard = await hear(request, door, call, voice)
    if voice.does is Does.STATUS:
        return await tell_status(heard, doors, voice)
    received = await understood(request, heard, door, voice)
    if voice.does is Does.PING:
        told = QUOTES.decode(await quote(request.app, received))
        return voice.quoted(told, doors.now_us())
    return voice.sold(ANSWERS.decode(await sell(request.app, received)))


def no_call(request: web.Request, door: Door, doors: Doors) -> web.Response:
    """Say in a door's own words that it has no such call; a paused one has nothing to say.

    What its calls are called is told to those whom it is open to. Nothing of the address is kept:
    there are no more addresses to count than the market holds.
    """
    meant = nearest(request.match_info["path"], door.paths)
    call = next(filter(None, map(door.call, (meant or "", *door.paths))), None)
    if call is None:
        raise DeniedError(Kind.NOT_FOUND, "there is no such door")
    detail = "there is no such call"
    if is_open(request, door, call, doors.market()):
        detail += f'; did you mean "{meant}"?' if meant else f"; there is {calls_of(door)}"
    return Voice(call).denied(DeniedError(Kind.NOT_FOUND, detail))


CALLS_TOLD = 5


def calls_of(door: Door) -> str:
    """Return what can be asked at a door."""
    return ", ".join(f'"{path}"' for path in door.paths[:CALLS_TOLD])


def is_open(request: web.Request, door: Door, call: Call, market: Snapshot) -> bool:
    """Tell whether a door is everybody's, or that of the key that came outside of the body."""
    if not door.sellers:
        return True
    sent = sent_of(b"", "", query_of(request), headers_of(request), None)
    inside = None if isinstance(sent, Unparsable) else call.open(sent).key
    try:
        return door.admits(seller_of(request, header_key(request) or inside, market).seller.id)
    except DeniedError:
        return False


def headers_of(request: web.Request) -> dict[str, str]:
    """Return the headers by their names in lower case."""
    return {name.lower(): text for name, text in request.headers.items()}


async def hear(request: web.Request, door: Door, call: Call, voice: Voice) -> Heard:
    """Return what was sent and by whom, or raise the first check's denial."""
    doors = request.app[DOORS]
    if voice.does is not Does.STATUS:
        admit(doors)
    arrived_us, arrived_s = doors.now_us(), doors.monotonic()
    key = header_key(request)
    caller = None if key is None else seller_of(request, key, doors.market())
    body, query = await read_body(request, doors.limits), query_of(request)
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    sent = sent_of(body, content_type, query, headers_of(request), door.inside)
    if isinstance(sent, Unparsable):
        raise DeniedError(OF_STATUS[sent.status], sent.detail)
    opening = call.open(sent)
    voice.heard(opening)
    market = doors.market()
    if caller is None or caller.snapshot is not market:
        caller = seller_of(request, opening.key if key is None else key, market)
    voice.seller = caller.seller
    if not door.admits(caller.seller.id):
        raise DeniedError(Kind.FORBIDDEN, "this door is not open to this seller")
    return Heard(
        caller=caller,
        opening=opening,
        sent=sent,
        body=b"%b\0%b" % (query, body),
        content_type=content_type,
        arrived_us=arrived_us,
        arrived_s=arrived_s,
    )


async def understood(request: web.Request, heard: Heard, door: Door, voice: Voice) -> Received:
    """Return the request in our words, as if it had come through a native door."""
    doors = request.app[DOORS]
    campaign_id, vertical_id = campaign_of(
        voice.call,
        heard.sent,
        heard.caller.seller.id,
        heard.caller.snapshot.campaigns,
        lambda: quote_of(heard, doors),
    )
    voice.vertical_id, voice.sent = vertical_id, heard.sent
    told = voice.call.translate(heard.sent, campaign_id, vertical_id)
    voice.read = told.read
    in_header = request.headers.get(IDEMPOTENCY_KEY)
    told_key = in_header or heard.opening.idempotency_key
    # One address may take pings and posts: the same key is two keys there.
    key = in_header if told_key is None else f"{voice.does} {told_key}"
    once = once_key(request.path, heard.caller.seller.id, key, doors.digest_secret)
    received = Received(
        caller=heard.caller,
        request=Request(told.fields, told.extra),
        arrived_us=heard.arrived_us,
        arrived_s=heard.arrived_s,
        new_id=LeadId(uuid7(heard.arrived_us, doors.entropy(ENTROPY_BYTES))),
        key=once,
        body=b""
        if once is None
        else body_digest(heard.content_type, heard.body, doors.digest_secret),
    )
    source = told.fields.get("source")
    if not door.takes(source if isinstance(source, str) else None):
        fault = FieldError("source", "bad_value", "is no source of this door")
        raise await refused(received, doors, (fault,), campaign_id)
    return received


def quote_of(heard: Heard, doors: Doors) -> Quote | None:
    """Return the quote that a post names, expired or not."""
    token = heard.opening.ping_id
    if token is None or heard.opening.does is not Does.POST:
        return None
    opened = doors.tokens.open(token, heard.caller.seller.id, heard.arrived_us)
    if isinstance(opened, Forged):
        return None
    return opened.quote if isinstance(opened, Expired) else opened


async def tell_status(heard: Heard, doors: Doors, voice: Voice) -> web.Response:
    """Tell what became of a lead of this seller."""
    lead_id = (heard.opening.lead_id or "").lower()
    standing = await doors.story.standing(LeadId(lead_id)) if UUID.match(lead_id) else None
    if standing is None or standing.seller_id != heard.caller.seller.id:
        raise DeniedError(Kind.NOT_FOUND, NO_SUCH_LEAD)
    return voice.sold(standing.answer)
