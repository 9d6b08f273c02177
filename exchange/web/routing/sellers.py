"""The routes of sellers: leads, pings, feeds, doors of their own, and what was refused."""

from exchange.contract.feeds import FeedEnd, FeedRow
from exchange.contract.rejections import RejectionsOut
from exchange.contract.seller import LeadAnswer, LeadView, QuoteAnswer
from exchange.intake.feeds.columns import DELIMITERS
from exchange.web.feeds import post_feed
from exchange.web.foreign import at_door
from exchange.web.problems import Kind
from exchange.web.routing.route import BODY, Query, Route, Text, with_key
from exchange.web.selling import post_lead, post_ping, post_quote
from exchange.web.viewing import get_lead, get_rejections

POSTED = with_key(
    *(*BODY, Kind.UNDER_WAY, Kind.KEY_REUSED),
    *(Kind.TOO_MANY, Kind.OVERLOADED, Kind.CLOSING),
)
QUOTED = (*POSTED, Kind.NOT_FOUND, Kind.CONFLICT, Kind.EXPIRED)
FEED_QUERY = (
    Query("campaign", "Of rows that name none"),
    Query("source", "Of rows that name none"),
    Query("test", "Of rows that do not say", values=("true", "false")),
    Query("delimiter", "Of CSV, where its header does not show it", values=(*DELIMITERS,)),
    Query("rows_per_s", "How many rows are begun in a second, the exchange's most by default", 0),
    Query("at_once", "How many rows are sold at once, the exchange's most by default", 1),
)

SELLER_ROUTES = (
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
        problems=with_key(*BODY, Kind.OVERLOADED, Kind.CLOSING),
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
)
