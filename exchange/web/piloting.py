"""Pilots for operators: `GET /v1/admin/pilots`."""

from decimal import Decimal

from aiohttp import web

from exchange.contract.pilots import PilotOut, PilotsOut
from exchange.domain import pilot
from exchange.domain.caps import Used
from exchange.domain.money import Micros, to_decimal
from exchange.domain.offer import CapKind
from exchange.story.piloting import Pilot, pilots
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS
from exchange.web.guard import allow, header_key, role_of


async def get_pilots(request: web.Request) -> web.Response:
    """Show how far each pilot is."""
    doors = request.app[DOORS]
    market = doors.market()
    allow(role_of(header_key(request), market), "operator", "admin")
    found = tuple(shown(one, doors.used(one.holder)) for one in pilots(market))
    return json_response(encode(PilotsOut(found)))


def shown(one: Pilot, used: Used) -> PilotOut:
    """Return one pilot with its figures."""
    limits = {cap.kind: cap.limit for cap in one.limits}
    figures = {cap.kind: used.get(pilot.name_of(cap), 0) for cap in one.limits}
    return PilotOut(
        kind=one.kind,
        id=one.name,
        leads=figures.get(CapKind.LEADS),
        leads_max=limits.get(CapKind.LEADS),
        spend=money(figures.get(CapKind.SPEND)),
        spend_max=money(limits.get(CapKind.SPEND)),
        payout=money(figures.get(CapKind.PAYOUT)),
        payout_max=money(limits.get(CapKind.PAYOUT)),
        paused=one.paused,
    )


def money(amount: int | None) -> Decimal | None:
    """Return an amount in currency units; None stays None."""
    return None if amount is None else to_decimal(Micros(amount))
