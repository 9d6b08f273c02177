"""Every route of the exchange, once: how it is called, by whom, and all that it may answer."""

from collections.abc import Awaitable, Callable
from enum import Enum

import msgspec
from aiohttp import web

from exchange.contract.deciding import ConfirmedSale, ConfirmRequest, InDoubtOut
from exchange.contract.feeds import FeedEnd, FeedRow
from exchange.contract.health import Health, ReadinessOut
from exchange.contract.learning_reports import ExpectedValueReport, LearnedFloorsReport
from exchange.contract.messages import DeliveriesOut, DeliveryOut
from exchange.contract.operator import ErasedOut, OperatorLeadView
from exchange.contract.pilots import PilotsOut
from exchange.contract.rejections import RejectionsOut
from exchange.contract.seller import LeadAnswer, LeadView, QuoteAnswer
from exchange.contract.spec_links import SpecLink
from exchange.contract.trying import Tried, TryRequest
from exchange.intake.feeds.columns import DELIMITERS
from exchange.web.answers import json_response
from exchange.web.deciding import confirm_sale, get_in_doubt
from exchange.web.erasing import erase_person
from exchange.web.feeds import post_feed
from exchange.web.foreign import at_door
from exchange.web.learning_reports import DAYS_MAX as REPORT_DAYS_MAX
from exchange.web.learning_reports import get_expected_value, get_learned_floors
from exchange.web.operations import get_health, get_metrics, get_readiness
from exchange.web.pages.assets import get_asset
from exchange.web.pages.reference import DOCUMENT, get_docs
from exchange.web.piloting import get_pilots
from exchange.web.problems import Kind
from exchange.web.selling import post_lead, post_ping, post_quote
from exchange.web.specs.campaigns import get_posting_schema, get_posting_spec
from exchange.web.specs.linking import post_campaign_link, post_offer_link
from exchange.web.specs.links import DAYS_MAX
from exchange.web.specs.offers import get_offer_schema, get_offer_spec
from exchange.web.trying import try_offer
from exchange.web.viewing import get_lead, get_lead_as_operator, get_rejections
from exchange.web.webhooks import LISTED_MAX, STATES, get_deliveries, replay_delivery


class Text(Enum):
    """Answers that are not of a type of our own."""

    PROMETHEUS = "text/plain"
    OPENAPI = "application/json"
    HTML = "text/html"
    SCHEMA = "application/schema+json"
    FILE = "*/*"


class Query(msgspec.Struct, frozen=True):
    """One parameter behind the question mark."""

    name: str
    about: str
    minimum: int | None = None
    """Of a number; None: it is a text."""
    maximum: int | None = None
    values: tuple[str, ...] = ()
    """All that a text may be, where that is known."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked of the exchange."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    operation: str
    """A name for it, in generated clients."""
    summary: str
    roles: tuple[str, ...] = ()
    """Whose keys; none: everyone may ask."""
    answer: type | Text
    unready: type | None = None
    """What a 503 holds, where it is no problem."""
    also_xml: bool = False
    """Answers in XML where its caller prefers that; problems always do."""
    takes_lead: bool = False
    """Has a request body: a seller's lead or ping."""
    takes_feed: bool = False
    """Has a request body of many leads, and answers with a line for each."""
    last: type | None = None
    """What the last line of such an answer holds."""
    takes: type | None = None
    """Has a JSON body of this type, which may be left out."""
    query: tuple[Query, ...] = ()
    problems: tuple[Kind, ...] = ()
    by_link: bool = False
    """A signed link opens it, too."""
    at_door: bool = False
    """Takes and says whatever a door of the market does; its path may have more parts."""
    cached: bool = False
    """Has an ETag: 304 for who holds the present answer."""


def with_key(*problems: Kind) -> tuple[Kind, ...]:
    """Return the problems of a route that needs a key."""
    return (Kind.UNKNOWN_KEY, Kind.FORBIDDEN, *problems, Kind.INTERNAL, Kind.UNAVAILABLE)


POSTED = with_key(
    *(Kind.UNREADABLE, Kind.SLOW, Kind.UNDER_WAY, Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.FIELDS),
    *(Kind.KEY_REUSED, Kind.TOO_MANY, Kind.OVERLOADED, Kind.CLOSING),
)
FEED_QUERY = (
    Query("campaign", "Of rows that name none"),
    Query("source", "Of rows that name none"),
    Query("test", "Of rows that do not say", values=("true", "false")),
    Query("delimiter", "Of CSV, where its header does not show it", values=(*DELIMITERS,)),
    Query("rows_per_s", "How many rows are begun in a second, the exchange's most by default", 0),
    Query("at_once", "How many rows are sold at once, the exchange's most by default", 1),
)
QUOTED = (*POSTED, Kind.NOT_FOUND, Kind.CONFLICT, Kind.EXPIRED)


async def get_document(request: web.Request) -> web.Response:
    """Return this description of all routes: `GET /openapi.json`."""
    return json_response(request.app[DOCUMENT])


REPORT_DAYS = Query("days", "How far back; 30 where it is not said", 1, REPORT_DAYS_MAX)
SPEC_DAYS = Query("days", "For how long it holds; 30 where it is not said", 1, DAYS_MAX)
SPEC_SELLER = Query("seller", "For operators: whose view, where a campaign has several sellers")

OPERATIONS = (
    Route(
        method="GET",
        path="/healthz",
        handler=get_health,
        operation="health",
        summary="Whether the process lives",
        answer=Health,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=get_readiness,
        operation="readiness",
        summary="Whether this worker can sell now, and which store is away",
        answer=ReadinessOut,
        unready=ReadinessOut,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        operation="metrics",
        summary="All metrics, as Prometheus reads them",
        answer=Text.PROMETHEUS,
    ),
)
"""What may stand on a port of its own."""

PAGES = (
    Route(
        method="GET",
        path="/docs",
        handler=get_docs,
        operation="docs",
        summary="This description as a page, where each call can be tried",
        answer=Text.HTML,
        cached=True,
    ),
    Route(
        method="GET",
        path="/static/{digest}/{name}",
        handler=get_asset,
        operation="asset",
        summary="Style and script of the pages",
        answer=Text.FILE,
        problems=(Kind.NOT_FOUND,),
        cached=True,
    ),
)
"""What people read in a browser."""

ROUTES = (
    Route(
        method="POST",
        path="/v1/leads",
        handler=post_lead,
        operation="post_lead",
        summary="Post a lead: the whole sale runs; with a `ping_id`, the post of that quote",
        roles=("seller",),
        answer=LeadAnswer,
        also_xml=True,
        takes_lead=True,
        problems=QUOTED,
    ),
    Route(
        method="GET",
        path="/v1/leads/{lead_id}",
        handler=get_lead,
        operation="get_lead",
        summary="The answer to a post, up to date, and the way the lead took",
        roles=("seller",),
        answer=LeadView,
        also_xml=True,
        query=(Query("wait_s", "Wait this long for the end of a pending lead", 0, 30),),
        problems=with_key(Kind.NOT_FOUND, Kind.FIELDS),
    ),
    Route(
        method="POST",
        path="/v1/pings",
        handler=post_ping,
        operation="post_ping",
        summary="Ask for a binding quote before the person's identity is given",
        roles=("seller",),
        answer=QuoteAnswer,
        also_xml=True,
        takes_lead=True,
        problems=POSTED,
    ),
    Route(
        method="POST",
        path="/v1/pings/{ping_id}/post",
        handler=post_quote,
        operation="post_quote",
        summary="Post a quoted lead: sold at no less than was quoted, or unsold",
        roles=("seller",),
        answer=LeadAnswer,
        also_xml=True,
        takes_lead=True,
        problems=QUOTED,
    ),
    Route(
        method="POST",
        path="/v1/feeds",
        handler=post_feed,
        operation="post_feed",
        summary="Sell many leads in one stream: a line of the answer for each row as it ends",
        roles=("seller",),
        answer=FeedRow,
        last=FeedEnd,
        takes_feed=True,
        query=FEED_QUERY,
        problems=with_key(
            *(Kind.UNREADABLE, Kind.SLOW, Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.FIELDS),
            *(Kind.OVERLOADED, Kind.CLOSING),
        ),
    ),
    *(
        Route(
            method=method,
            path="/doors/{door}/{path}",
            handler=at_door,
            operation=f"{method.lower()}_at_door",
            summary=summary,
            roles=() if method == "OPTIONS" else ("seller",),
            answer=Text.FILE,
            at_door=True,
            problems=(Kind.NOT_FOUND,),
        )
        for method, summary in (
            ("GET", "Ping, post or ask for a lead's status in your own words, in the address"),
            ("POST", "Ping or post in your own words; the answer is in them, too"),
            ("PUT", "The same as POST, where a door takes it"),
            ("OPTIONS", "By which methods a call of a door can be asked"),
        )
    ),
    Route(
        method="GET",
        path="/v1/rejections",
        handler=get_rejections,
        operation="get_rejections",
        summary="What was answered 422 and is no lead, newest first",
        roles=("seller",),
        answer=RejectionsOut,
        also_xml=True,
        query=(Query("limit", "How many at most; 100 where it is not said", 1, 1000),),
        problems=with_key(Kind.FIELDS),
    ),
    *(
        Route(
            method="GET",
            path=f"/v1/campaigns/{{campaign}}/{name}",
            handler=handler,
            operation=operation,
            summary=summary,
            roles=("seller", "operator", "admin"),
            answer=answer,
            query=(SPEC_SELLER,),
            by_link=True,
            cached=True,
            problems=with_key(Kind.NOT_FOUND, Kind.EXPIRED, Kind.FIELDS),
        )
        for name, handler, operation, answer, summary in (
            (
                *("spec", get_posting_spec, "posting_spec", Text.HTML),
                "What a seller may send into a campaign, as a page, with programs that do it",
            ),
            (
                *("spec.json", get_posting_schema, "posting_schema", Text.SCHEMA),
                "The same as JSON Schema; `spec` answers so, too, where `Accept` likes it better",
            ),
        )
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
    *(
        Route(
            method="GET",
            path=f"/v1/buyer/offers/{{offer}}/{name}",
            handler=handler,
            operation=operation,
            summary=summary,
            roles=("buyer", "operator", "admin"),
            answer=answer,
            by_link=True,
            cached=True,
            problems=with_key(Kind.NOT_FOUND, Kind.EXPIRED),
        )
        for name, handler, operation, answer, summary in (
            (
                *("spec", get_offer_spec, "offer_spec", Text.HTML),
                "What an offer's endpoint will receive and may answer, as a page with examples",
            ),
            (
                *("spec.json", get_offer_schema, "offer_schema", Text.SCHEMA),
                "The same as JSON Schema; `spec` answers so, too, where `Accept` likes it better",
            ),
        )
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
    Route(
        method="POST",
        path="/v1/sales/{sale_id}/confirm",
        handler=confirm_sale,
        operation="confirm_sale",
        summary="Say of a sale in doubt whether its buyer took it; the first word stands",
        roles=("buyer", "operator", "admin"),
        answer=ConfirmedSale,
        takes=ConfirmRequest,
        problems=with_key(
            *(Kind.NOT_FOUND, Kind.CONFLICT, Kind.UNREADABLE, Kind.SLOW, Kind.TOO_LARGE),
            *(Kind.MEDIA_TYPE, Kind.FIELDS),
        ),
    ),
    Route(
        method="GET",
        path="/v1/admin/pilots",
        handler=get_pilots,
        operation="get_pilots",
        summary="Everybody in a pilot, how far each is, and who was paused at its end",
        roles=("operator", "admin"),
        answer=PilotsOut,
        problems=with_key(),
    ),
    Route(
        method="GET",
        path="/v1/admin/sales/in-doubt",
        handler=get_in_doubt,
        operation="get_in_doubt",
        summary="The sales that have no end yet, and for how long, the oldest first",
        roles=("operator", "admin"),
        answer=InDoubtOut,
        query=(Query("older_than_s", "Leaves out younger ones; 10 where it is not said", 0),),
        problems=with_key(Kind.FIELDS),
    ),
    Route(
        method="GET",
        path="/v1/admin/webhooks/deliveries",
        handler=get_deliveries,
        operation="get_deliveries",
        summary="Messages to sellers and buyers with every try to deliver them, newest first",
        roles=("operator", "admin"),
        answer=DeliveriesOut,
        query=(
            Query("state", "Only those that stand so", values=STATES),
            Query("recipient", "Only of `seller/ID` or `offer/ID`"),
            Query("lead_id", "Only those that tell of this lead"),
            Query("before", "The next page: what `next` was in the last one"),
            Query("limit", "How many at most; 100 where it is not said", 1, LISTED_MAX),
        ),
        problems=with_key(Kind.FIELDS),
    ),
    Route(
        method="POST",
        path="/v1/admin/webhooks/deliveries/{message_id}/replay",
        handler=replay_delivery,
        operation="replay_delivery",
        summary="Deliver a message again, at once and with all its tries",
        roles=("operator", "admin"),
        answer=DeliveryOut,
        problems=with_key(Kind.NOT_FOUND),
    ),
    Route(
        method="GET",
        path="/v1/admin/leads/{lead_id}",
        handler=get_lead_as_operator,
        operation="get_lead_as_operator",
        summary="All that is known of a lead but the person, with every offer's reason",
        roles=("operator", "admin"),
        answer=OperatorLeadView,
        problems=with_key(Kind.NOT_FOUND),
    ),
    Route(
        method="DELETE",
        path="/v1/admin/leads/{lead_id}/person",
        handler=erase_person,
        operation="erase_person",
        summary="Make a lead's person unreadable for good; what happened and was paid stays",
        roles=("operator", "admin"),
        answer=ErasedOut,
        problems=with_key(Kind.NOT_FOUND, Kind.CONFLICT),
    ),
    Route(
        method="GET",
        path="/v1/admin/reports/expected-value",
        handler=get_expected_value,
        operation="get_expected_value_report",
        summary="What ranking by expected value changed, and the chances of every offer",
        roles=("operator", "admin"),
        answer=ExpectedValueReport,
        query=(REPORT_DAYS,),
        problems=with_key(Kind.FIELDS),
    ),
    Route(
        method="GET",
        path="/v1/admin/reports/learned-floors",
        handler=get_learned_floors,
        operation="get_learned_floors_report",
        summary="What leads brought under learned floors and under those that were tried",
        roles=("operator", "admin"),
        answer=LearnedFloorsReport,
        query=(REPORT_DAYS,),
        problems=with_key(Kind.FIELDS),
    ),
    Route(
        method="POST",
        path="/v1/admin/offers/{offer_id}/try",
        handler=try_offer,
        operation="try_offer",
        summary="Show the ping and post that an offer would get, or send them as a test",
        roles=("operator", "admin"),
        answer=Tried,
        takes=TryRequest,
        problems=with_key(
            *(Kind.NOT_FOUND, Kind.UNREADABLE, Kind.SLOW, Kind.TOO_LARGE),
            *(Kind.MEDIA_TYPE, Kind.FIELDS),
        ),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=get_document,
        operation="openapi",
        summary="This description",
        answer=Text.OPENAPI,
    ),
    *PAGES,
)
