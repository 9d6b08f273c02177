"""`GET /v1/campaigns/{campaign}/spec`: the posting spec, as a page and as JSON Schema."""

from aiohttp import web

from exchange.domain.ids import LeadId
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.request import Request
from exchange.web.doors import DOORS, Doors, Intake
from exchange.web.pages.rendering import render
from exchange.web.pages.representation import REVALIDATE, Representation, respond
from exchange.web.pages.shelf import SHELF
from exchange.web.problems import DeniedError, Kind
from exchange.web.specs import links
from exchange.web.specs.leads import Body
from exchange.web.specs.posting import Asked, posting_schema, posting_spec
from exchange.web.specs.reading import TOKEN, account_of, bad_query, origin, wants_schema
from exchange.web.specs.ready_leads import Accept

SCHEMA_JSON = "application/schema+json"
NO_CAMPAIGN = "there is no such campaign, or it is not yours"
NO_LEAD = LeadId("00000000-0000-7000-8000-000000000000")


async def get_posting_spec(request: web.Request) -> web.Response:
    """Return what a seller may send, as a page, or as JSON Schema where JSON is liked better."""
    return await answer(request, as_schema=wants_schema(request))


async def get_posting_schema(request: web.Request) -> web.Response:
    """Return the same as JSON Schema: `GET /v1/campaigns/{campaign}/spec.json`."""
    return await answer(request, as_schema=True)


async def answer(request: web.Request, *, as_schema: bool) -> web.Response:
    """Return the spec, made once for each version of the market and each address."""
    doors = request.app[DOORS]
    snapshot = doors.market()
    asked = asked_of(request, doors, snapshot)

    def made() -> Representation:
        accept = acceptance(doors.intake, asked.seller.id, snapshot, doors.now_us())
        if as_schema:
            body = posting_schema(snapshot, asked, accept)
            return Representation.of(body, SCHEMA_JSON)
        return render(posting_spec(snapshot, asked, accept))

    key = (
        *("posting", as_schema, snapshot.version, asked.campaign.id, asked.seller.id),
        *(asked.base_url, asked.token),
    )
    content = await request.app[SHELF].get(key, made)
    response = respond(request, content, caching=REVALIDATE)
    response.headers["Vary"] = "Accept"
    return response


def asked_of(request: web.Request, doors: Doors, snapshot: Snapshot) -> Asked:
    """Return which seller's view of which campaign is asked for; raise 404 where there is none."""
    campaign_id = request.match_info["campaign"]
    account = account_of(request, doors, links.Kind.CAMPAIGN, campaign_id, snapshot)
    campaign = snapshot.campaigns.get(campaign_id)
    if campaign is None:
        raise DeniedError(Kind.NOT_FOUND, NO_CAMPAIGN)
    seller_id = account or named_seller(request, tuple(campaign.sellers))
    seller = snapshot.sellers.get(seller_id)
    if seller is None or seller_id not in campaign.sellers:
        raise DeniedError(Kind.NOT_FOUND, NO_CAMPAIGN)
    return Asked(
        campaign=campaign,
        seller=seller,
        base_url=origin(request, doors),
        token=request.query.get(TOKEN),
    )


def named_seller(request: web.Request, sellers: tuple[str, ...]) -> str:
    """Return whose view an operator asks for: the only seller's, or the one that is named."""
    named = request.query.get("seller")
    if named is None and len(sellers) == 1:
        return sellers[0]
    if named not in sellers:
        raise bad_query("seller", f"must be one of {', '.join(sellers)}")
    return named


def acceptance(intake: Intake, seller_id: str, snapshot: Snapshot, at_us: int) -> Accept:
    """Return how intake reads a seller's direct post at this moment."""
    arrival = Arrival(seller_id=seller_id, lead_id=NO_LEAD, received_at_us=at_us)

    def accept(body: Body) -> Submission | Refused:
        return intake.accept(Request(body), arrival, snapshot)

    return accept
