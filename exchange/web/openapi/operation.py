"""What stands under a route's method: who may call it, with what, and what it answers."""

import re

from exchange.web.accept import JSON
from exchange.web.heads import IDEMPOTENCY_KEY
from exchange.web.idempotency import KEY_LENGTH_MAX
from exchange.web.openapi.examples import REQUESTS
from exchange.web.openapi.responses import responses
from exchange.web.openapi.schemas import XML_TYPES, reference
from exchange.web.openapi.security import security
from exchange.web.requests import Schema
from exchange.web.routing.operations import OPERATIONS
from exchange.web.routing.route import Query, Route

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
IN_ADDRESS = (
    "Without a body, the fields of a form may stand behind the `?` of the address, all but the key."
)
AT_DOOR = (
    "The request is JSON, XML, a form or a query, as the market file's `[[door]]` of this name"
    " reads it; every answer but the 404 of an unknown door is in that door's words."
)
FEED = (
    "Rows are sold some at a time, and answered as they end, each by its number: a bad one holds up"
    " no other. The same row is the same post for 24 hours, by its `seller_ref` or by all that it"
    " says: a feed that was broken off is sent again as it is. The last line holds the totals; an"
    " answer without it is not whole."
)
FEED_BODIES: Schema = {
    "application/x-ndjson": {
        "schema": {"type": "string", "description": "A `LeadRequest` on each line."},
        "example": '{"campaign":"auto-us","lead":{"zip":"78701"}}\n',
    },
    "text/csv": {
        "schema": {
            "type": "string",
            "description": "In UTF-8, with a header: the names of a `LeadForm`.",
        },
        "example": "campaign,zip,consent.url\nauto-us,78701,https://quotes.example\n",
    },
}
LEAD_KEY = "Makes the post safe to repeat for 24 hours, with the same body."
FEED_KEY = "Under another key the same rows are new posts; without one they are known for 24 hours."
TAG_OF_ROLE = {"seller": "Sellers", "buyer": "Buyers", "operator": "Operators"}


def operation(route: Route) -> Schema:
    """Return what stands under a route's method."""
    described: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [tag(route)],
        "parameters": parameters(route),
        "responses": responses(route),
        "security": security(route),
    }
    if route.takes_lead:
        as_json: Schema = {"schema": reference("LeadRequest")}
        if route.operation in REQUESTS:
            as_json["examples"] = REQUESTS[route.operation]
        described["requestBody"] = {
            "required": False,
            "description": IN_ADDRESS,
            "content": {
                JSON: as_json,
                **{media: {"schema": reference("LeadRequest")} for media in XML_TYPES},
                **{media: {"schema": reference("LeadForm")} for media in FORMS},
            },
        }
    if route.takes_feed:
        described["description"] = FEED
        described["requestBody"] = {"required": True, "content": FEED_BODIES}
    if route.at_door:
        described["description"] = AT_DOOR
    if route.takes is not None:
        described["requestBody"] = {
            "required": False,
            "content": {JSON: {"schema": reference(route.takes.__name__)}},
        }
    return described


def tag(route: Route) -> str:
    """Return under which heading a route stands: whose key it takes first."""
    if route.roles:
        return TAG_OF_ROLE.get(route.roles[0], "Operators")
    return "Operations" if route in OPERATIONS else "Pages"


def parameters(route: Route) -> list[Schema]:
    """Return what stands in the path, the query and the headers."""
    in_path = re.findall(r"\{(\w+)", route.path)
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in in_path
    ]
    found += [
        {
            "name": query.name,
            "in": "query",
            "description": query.about,
            "schema": query_schema(query),
        }
        for query in route.query
    ]
    if route.takes_lead or route.takes_feed:
        found.append(
            {
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "description": FEED_KEY if route.takes_feed else LEAD_KEY,
                "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
            }
        )
    return found


def query_schema(query: Query) -> Schema:
    """Return what one parameter behind the question mark may be."""
    if query.values:
        return {"type": "string", "enum": list(query.values)}
    if query.minimum is None:
        return {"type": "string"}
    most = {} if query.maximum is None else {"maximum": query.maximum}
    return {"type": "number", "minimum": query.minimum, **most}
