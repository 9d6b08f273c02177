"""The routes that describe what may be sent: into a campaign, and to an offer's endpoint."""

import msgspec

from exchange.contract.spec_links import SpecLink
from exchange.web.problems import Kind
from exchange.web.routing.route import Handler, Query, Route, Text, with_key
from exchange.web.specs.campaigns import get_posting_schema, get_posting_spec
from exchange.web.specs.linking import post_campaign_link, post_offer_link
from exchange.web.specs.links import DAYS_MAX
from exchange.web.specs.offers import get_offer_schema, get_offer_spec

SPEC_DAYS = Query("days", "For how long it holds; 30 where it is not said", 1, DAYS_MAX)
SPEC_SELLER = Query("seller", "For operators: whose view, where a campaign has several sellers")


def and_as_schema(page: Route, handler: Handler, operation: str) -> tuple[Route, Route]:
    """Return the route of a spec as a page, and beside it that of the same as JSON Schema."""
    schema = msgspec.structs.replace(
        page,
        path=f"{page.path}.json",
        handler=handler,
        operation=operation,
        summary="The same as JSON Schema; `spec` answers so, too, where `Accept` likes it better",
        answer=Text.SCHEMA,
    )
    return page, schema


SPEC_ROUTES = (
    *and_as_schema(
        Route(
            method="GET",
            path="/v1/campaigns/{campaign}/spec",
            handler=get_posting_spec,
            operation="posting_spec",
            summary="What a seller may send into a campaign, as a page, with programs that do it",
            roles=("seller", "operator", "admin"),
            answer=Text.HTML,
            query=(SPEC_SELLER,),
            by_link=True,
            cached=True,
            problems=with_key(Kind.NOT_FOUND, Kind.EXPIRED, Kind.FIELDS),
        ),
        get_posting_schema,
        "posting_schema",
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{campaign}/spec-links",
        handler=post_campaign_link,
        operation="link_posting_spec",
        summary="A link that shows the posting spec in a browser, until it expires",
        roles=("seller", "operator", "admin"),
        answer=SpecLink,
        query=(SPEC_DAYS, SPEC_SELLER),
        problems=with_key(Kind.NOT_FOUND, Kind.FIELDS),
    ),
    *and_as_schema(
        Route(
            method="GET",
            path="/v1/buyer/offers/{offer}/spec",
            handler=get_offer_spec,
            operation="offer_spec",
            summary="What an offer's endpoint will receive and may answer, as a page with examples",
            roles=("buyer", "operator", "admin"),
            answer=Text.HTML,
            by_link=True,
            cached=True,
            problems=with_key(Kind.NOT_FOUND, Kind.EXPIRED),
        ),
        get_offer_schema,
        "offer_schema",
    ),
    Route(
        method="POST",
        path="/v1/buyer/offers/{offer}/spec-links",
        handler=post_offer_link,
        operation="link_offer_spec",
        summary="A link that shows an offer's spec in a browser, until it expires",
        roles=("buyer", "operator", "admin"),
        answer=SpecLink,
        query=(SPEC_DAYS,),
        problems=with_key(Kind.NOT_FOUND, Kind.FIELDS),
    ),
)
