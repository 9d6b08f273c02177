"""What buyers and operators say of a sale whose post brought no answer, and which those are."""

import contextlib
import re
from typing import cast

import msgspec
from aiohttp import hdrs, web

from exchange.contract.deciding import ConfirmedSale, ConfirmRequest, InDoubtOut, InDoubtSale
from exchange.contract.seller import FieldError
from exchange.contract.timeline import utc_text
from exchange.domain.ids import SaleId
from exchange.domain.money import to_decimal
from exchange.domain.snapshot import Role
from exchange.domain.states import SaleState
from exchange.ledger.decisions import Decision, OpenSale, SaleWord
from exchange.web.accept import JSON
from exchange.web.answers import encode, json_response
from exchange.web.body import read_body
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import allow, header_key, role_of
from exchange.web.problems import DeniedError, Kind
from exchange.web.under_way import ClosingError
from exchange.web.viewing import UUID, WHOLE, bad_query

TEXT_MAX = 500
WAIT_S = 5.0
"""How long a decision may take to be carried out before it is answered all the same."""
AGE_S = 10
"""A sale that is younger is being posted, most likely."""
LISTED_MAX = 500
TAKEN = frozenset({SaleState.ACCEPTED, SaleState.RETURNED})
US_PER_S = 1_000_000
ACCEPTED = "must be true or false"
FIELD = re.compile(r"`\$\.(accepted|reference|redirect_url|reason)`\Z")
"""Where the decoder says that a value has another type; it never says which value."""
decode = msgspec.json.Decoder(ConfirmRequest).decode


async def confirm_sale(request: web.Request) -> web.Response:
    """Take the word on a sale: `POST /v1/sales/{sale_id}/confirm`. 409 where another one stands."""
    doors = request.app[DOORS]
    role = role_of(header_key(request), doors.market())
    allow(role, "buyer", "operator", "admin")
    sale_id = request.match_info["sale_id"].lower()
    sale = await sale_of(sale_id, role, doors)
    asked = confirmed(await read_body(request, doors.limits), request, role)
    # What stays on the books in clear names nobody; the redirect is the seller's, and is sealed.
    reference, note = await doors.story.without_person(sale.lead_id, asked.reference, asked.reason)
    decision = Decision(
        at_us=doors.now_us(),
        by=f"{role.role}/{role.account}",
        accepted=asked.accepted,
        reference=reference,
        redirect_url=asked.redirect_url,
        note=note,
    )
    now = await carried_out(sale, decision, doors)
    if not stands(now, decision):
        raise DeniedError(Kind.DECIDED, f"it is {word(now)} already")
    return json_response(encode(published(now)))


async def carried_out(sale: SaleWord, decision: Decision, doors: Doors) -> SaleWord:
    """Decide a sale, unless that was done before; return how it then stands."""
    if await doors.decisions.decide(sale.sale_id, decision):
        with contextlib.suppress(ClosingError):
            end = doors.story.ended(sale.lead_id, WAIT_S, sale.sale_id)
            await doors.under_way.unless_closing(end)
    return await doors.decisions.sale(sale.sale_id) or sale


def stands(now: SaleWord, decision: Decision) -> bool:
    """Tell whether a sale is, or will be, what was decided."""
    is_taken = now.accepted if now.state is None else now.state in TAKEN
    return is_taken is decision.accepted


async def get_in_doubt(request: web.Request) -> web.Response:
    """List the sales without an end: `GET /v1/admin/sales/in-doubt?older_than_s=10`."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    text = request.query.get("older_than_s", str(AGE_S))
    if not WHOLE.match(text):
        raise bad_query("older_than_s", "must be a whole number of seconds")
    now_us = doors.now_us()
    sales = await doors.decisions.open_sales(now_us - int(text) * US_PER_S, LISTED_MAX)
    return json_response(encode(InDoubtOut(tuple(listed(sale, now_us) for sale in sales))))


async def sale_of(sale_id: str, role: Role, doors: Doors) -> SaleWord:
    """Return the sale in the address; raise 404 where there is none, or it is another buyer's."""
    sale = await doors.decisions.sale(SaleId(sale_id)) if UUID.match(sale_id) else None
    if sale is None or (role.role == "buyer" and sale.buyer_id != role.account):
        raise DeniedError(Kind.NOT_FOUND, "there is no such sale of yours")
    return sale


def confirmed(body: bytes, request: web.Request, role: Role) -> ConfirmRequest:
    """Return what was said, or raise what is wrong with it."""
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise DeniedError(Kind.MEDIA_TYPE, f"a decision is {JSON}")
    try:
        asked = decode(body)
    except msgspec.ValidationError as error:
        field = FIELD.search(str(error))
        if field is None:
            raise wrong("accepted", "required", ACCEPTED) from None
        name = field[1]
        raise wrong(
            name, "wrong_type", ACCEPTED if name == "accepted" else "must be a text"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DeniedError(Kind.UNREADABLE, "this is no JSON") from None
    for name in ("reference", "redirect_url", "reason"):
        text = cast("str | None", getattr(asked, name))
        if text is not None and (len(text) > TEXT_MAX or not text.isprintable()):
            raise wrong(name, "bad_value", f"must be a line of at most {TEXT_MAX} characters")
    if role.role != "buyer" and not asked.reason:
        raise wrong("reason", "required", "an operator says why")
    return asked


def wrong(field: str, code: str, message: str) -> DeniedError:
    """Return the 422 of one field."""
    return DeniedError(Kind.FIELDS, errors=(FieldError(field, code, message),))


def word(sale: SaleWord) -> str:
    """Return how a sale stands, in a word."""
    if sale.state is not None:
        return sale.state.value
    return {None: "in doubt", True: "accepted", False: "refused"}[sale.accepted]


def published(sale: SaleWord) -> ConfirmedSale:
    """Return a sale as its buyer reads it."""
    return ConfirmedSale(
        sale_id=sale.sale_id,
        offer=sale.offer_id,
        state="in_doubt" if sale.state is None else sale.state.value,
        price=to_decimal(sale.price),
        currency=sale.currency,
        decided=sale.accepted,
        decided_by=sale.decided_by,
    )


def listed(sale: OpenSale, now_us: int) -> InDoubtSale:
    """Return an open sale as operators read it."""
    one = sale.word
    return InDoubtSale(
        sale_id=one.sale_id,
        lead_id=one.lead_id,
        seller=sale.seller_id,
        campaign=sale.campaign_id,
        buyer=one.buyer_id,
        offer=one.offer_id,
        price=to_decimal(one.price),
        currency=one.currency,
        since=utc_text(sale.held_at_us),
        seconds=round((now_us - sale.held_at_us) / US_PER_S, 1),
        decided=one.accepted,
        decided_by=one.decided_by,
    )
