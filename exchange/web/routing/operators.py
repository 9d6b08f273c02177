"""The routes of operators: what is known and can be done under `/v1/admin/`."""

from exchange.contract.deciding import InDoubtOut
from exchange.contract.duplicate_reports import DuplicatesReport
from exchange.contract.learning_reports import ExpectedValueReport, LearnedFloorsReport
from exchange.contract.messages import DeliveriesOut, DeliveryOut
from exchange.contract.operator import ErasedOut, OperatorLeadView
from exchange.contract.pilots import PilotsOut
from exchange.contract.trying import Tried, TryRequest
from exchange.reports.learning import DAYS_MAX as REPORT_DAYS_MAX
from exchange.web.deciding import get_in_doubt
from exchange.web.duplicate_reports import get_duplicates
from exchange.web.erasing import erase_person
from exchange.web.learning_reports import get_expected_value, get_learned_floors
from exchange.web.piloting import get_pilots
from exchange.web.problems import Kind
from exchange.web.routing.route import BODY, Query, Route, with_key
from exchange.web.trying import try_offer
from exchange.web.viewing import get_lead_as_operator
from exchange.web.webhooks import LISTED_MAX, STATES, get_deliveries, replay_delivery

REPORT_DAYS = Query("days", "How far back; 30 where it is not said", 1, REPORT_DAYS_MAX)

OPERATOR_ROUTES = (
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
        problems=with_key(Kind.NOT_FOUND, Kind.BEING_SOLD),
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
        method="GET",
        path="/v1/admin/reports/duplicates",
        handler=get_duplicates,
        operation="get_duplicates_report",
        summary="By source: what was posted and pinged again, and what buyers had already",
        roles=("operator", "admin"),
        answer=DuplicatesReport,
        query=(REPORT_DAYS, Query("since", "In place of days: a time with its zone")),
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
        problems=with_key(Kind.NOT_FOUND, *BODY),
    ),
)
