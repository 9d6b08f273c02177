"""Links to specs are made: for a browser, which holds no key."""

import re

from aiohttp import web

from exchange.contract.spec_links import SpecLink
from exchange.contract.timeline import utc_text
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS, Doors
from exchange.web.specs import links
from exchange.web.specs.campaigns import asked_of
from exchange.web.specs.offers import offer_of
from exchange.web.specs.reading import TOKEN, US_PER_S, bad_query, keyed, origin

WHOLE = re.compile(r"\d{1,4}\Z", re.ASCII)


async def post_campaign_link(request: web.Request) -> web.Response:
    """Return a link to a posting spec: `POST /v1/campaigns/{campaign}/spec-links?days=30`."""
    doors = request.app[DOORS]
    keyed(request)
    days = days_wanted(request)
    asked = asked_of(request, doors, doors.market())
    made = linked(doors, links.Kind.CAMPAIGN, asked.campaign.id, asked.seller.id, days)
    return json_response(encode(at(origin(request, doors), made)))


async def post_offer_link(request: web.Request) -> web.Response:
    """Return a link to an offer's spec: `POST /v1/buyer/offers/{offer}/spec-links?days=30`."""
    doors = request.app[DOORS]
    keyed(request)
    days = days_wanted(request)
    offer = offer_of(request, doors, doors.market())
    made = linked(doors, links.Kind.OFFER, offer.id, offer.buyer.id, days)
    return json_response(encode(at(origin(request, doors), made)))


def linked(doors: Doors, kind: links.Kind, shown: str, account: str, days: int) -> tuple[str, int]:
    """Return the path of a new link, and the second in which it expires."""
    expires_s = doors.now_us() // US_PER_S + days * links.DAY_S
    return path_of(kind, shown, doors.spec_links.sign(kind, shown, account, expires_s)), expires_s


PATHS = {
    links.Kind.CAMPAIGN: "/v1/campaigns/{shown}/spec",
    links.Kind.OFFER: "/v1/buyer/offers/{shown}/spec",
}


def path_of(kind: links.Kind, shown: str, token: str) -> str:
    """Return the path of a link."""
    return f"{PATHS[kind].format(shown=shown)}?{TOKEN}={token}"


def at(base_url: str, made: tuple[str, int]) -> SpecLink:
    """Return a link with its whole address."""
    path, expires_s = made
    return SpecLink(base_url + path, utc_text(expires_s * US_PER_S))


def days_wanted(request: web.Request) -> int:
    """Return for how many days a link is to hold."""
    text = request.query.get("days", str(links.DAYS))
    days = int(text) if WHOLE.match(text) else 0
    if not 1 <= days <= links.DAYS_MAX:
        raise bad_query("days", f"must be a whole number from 1 to {links.DAYS_MAX}")
    return days
