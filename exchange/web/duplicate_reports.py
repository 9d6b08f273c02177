"""How many leads of each source had come before: `GET /v1/admin/reports/duplicates`."""

from datetime import datetime

from aiohttp import web

from exchange.contract.timeline import EPOCH
from exchange.domain.experience import US_PER_DAY
from exchange.ledger.errors import TooMuchToCount
from exchange.reports.duplicates import duplicates_report
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS
from exchange.web.guard import allow, header_key, role_of
from exchange.web.learning_reports import days_wanted
from exchange.web.viewing import bad_query

US_PER_S = 1_000_000
A_TIME = "must be a time of the past with its zone, such as 2026-11-01T00:00:00Z"


async def get_duplicates(request: web.Request) -> web.Response:
    """Return by source what was posted and pinged again, and what buyers had already."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    since_us = since_wanted(request, doors.now_us())
    try:
        report = await duplicates_report(doors.duplicates, since_us)
    except TooMuchToCount as too_much:
        name = "since" if "since" in request.query else "days"
        raise bad_query(name, str(too_much)) from None
    return json_response(encode(report))


def since_wanted(request: web.Request, now_us: int) -> int:
    """Return since when is asked: a time, or so many days back; raise 422."""
    text = request.query.get("since")
    if text is None:
        return now_us - days_wanted(request) * US_PER_DAY
    if "days" in request.query:
        raise bad_query("since", "takes the place of days: one of them at most")
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise bad_query("since", A_TIME) from None
    if since.tzinfo is None:
        raise bad_query("since", A_TIME)
    since_us = round((since - EPOCH).total_seconds() * US_PER_S)
    if not 0 <= since_us <= now_us:
        raise bad_query("since", A_TIME)
    return since_us
