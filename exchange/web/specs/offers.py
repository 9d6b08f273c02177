"""`GET /v1/buyer/offers/{offer}/spec`: what comes to an offer's endpoint, as page and schema."""

from aiohttp import web

from exchange.contract.trying import Tried
from exchange.domain.offer import Offer
from exchange.domain.snapshot import Snapshot
from exchange.intake.request import Request
from exchange.web.doors import DOORS, Doors
from exchange.web.pages.rendering import render
from exchange.web.pages.representation import REVALIDATE, Representation, respond
from exchange.web.pages.shelf import SHELF
from exchange.web.problems import DeniedError, Kind
from exchange.web.specs import links
from exchange.web.specs.campaigns import SCHEMA_JSON
from exchange.web.specs.offering import Asked, offer_json, offer_spec
from exchange.web.specs.reading import TOKEN, account_of, wants_schema


async def get_offer_spec(request: web.Request) -> web.Response:
    """Return what an endpoint will receive, as a page, or JSON Schema where JSON is preferred."""
    return await answer(request, as_schema=wants_schema(request))


async def get_offer_schema(request: web.Request) -> web.Response:
    """Return the same as JSON Schema: `GET /v1/buyer/offers/{offer}/spec.json`."""
    return await answer(request, as_schema=True)


async def answer(request: web.Request, *, as_schema: bool) -> web.Response:
    """Return the spec, made once for each version of the market."""
    doors, shelf = request.app[DOORS], request.app[SHELF]
    snapshot = doors.market()
    offer = offer_of(request, doors, snapshot)
    token = request.query.get(TOKEN)
    key = ("offer", as_schema, snapshot.version, offer.id, token)
    # Its ids and times are new each time: tried once, a page stays the same until the market moves.
    tried = None if shelf.holds(key) else await tried_offer(doors, offer, snapshot)
    asked = Asked(offer=offer, token=token, tried=tried)

    def made() -> Representation:
        if as_schema:
            return Representation.of(offer_json(snapshot, asked), SCHEMA_JSON)
        return render(offer_spec(snapshot, asked))

    response = respond(request, await shelf.get(key, made), caching=REVALIDATE)
    response.headers["Vary"] = "Accept"
    return response


async def tried_offer(doors: Doors, offer: Offer, snapshot: Snapshot) -> Tried | None:
    """Return the calls that an invented lead would make, unsent."""
    tried = await doors.trying.run(offer, None, Request({}), snapshot)
    return tried if isinstance(tried, Tried) else None


def offer_of(request: web.Request, doors: Doors, snapshot: Snapshot) -> Offer:
    """Return the offer whose spec is asked for; raise 404 where it is not this buyer's."""
    offer_id = request.match_info["offer"]
    account = account_of(request, doors, links.Kind.OFFER, offer_id, snapshot)
    offer = snapshot.offers.get(offer_id)
    if offer is None or account not in {None, offer.buyer.id}:
        raise DeniedError(Kind.NOT_FOUND, "there is no such offer, or it is not yours")
    return offer
