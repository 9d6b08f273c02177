"""What learning changed: `GET /v1/admin/reports/expected-value` and `…/learned-floors`."""

from aiohttp import web

from exchange.reports.learning import (
    DAYS,
    DAYS_MAX,
    expected_value_report,
    learned_floors_report,
)
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import allow, header_key, role_of
from exchange.web.viewing import WHOLE, bad_query


async def get_expected_value(request: web.Request) -> web.Response:
    """Return how often another came first than by price, and what that brought."""
    doors, days = asked(request)
    report = await expected_value_report(doors.market(), doors.learning, doors.now_us(), days)
    return json_response(encode(report))


async def get_learned_floors(request: web.Request) -> web.Response:
    """Return what leads brought under learned and drawn floors, and the floors of now."""
    doors, days = asked(request)
    report = await learned_floors_report(doors.market(), doors.learning, doors.now_us(), days)
    return json_response(encode(report))


def asked(request: web.Request) -> tuple[Doors, int]:
    """Return the doors and of how many days is asked; raise 401, 403 or 422."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    return doors, days_wanted(request)


def days_wanted(request: web.Request) -> int:
    """Return how many days back is asked; raise 422."""
    text = request.query.get("days", str(DAYS))
    days = int(text) if WHOLE.match(text) else 0
    if not 1 <= days <= DAYS_MAX:
        raise bad_query("days", f"must be a whole number from 1 to {DAYS_MAX}")
    return days
