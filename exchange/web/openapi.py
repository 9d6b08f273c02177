"""The OpenAPI 3.1 document, made from the routes and from the types that their answers are."""

import copy
import re
from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from exchange.contract.feeds import COLUMNS
from exchange.contract.seller import ConsentIn, LeadRequest, Problem
from exchange.domain.events import EventName
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus
from exchange.web.accept import JSON, XML
from exchange.web.answers import PROBLEM_JSON
from exchange.web.heads import IDEMPOTENCY_KEY
from exchange.web.idempotency import KEY_LENGTH_MAX
from exchange.web.openapi_examples import ANSWERS, FIELD_ERRORS, REQUESTS
from exchange.web.problems import Kind, problem
from exchange.web.requests import API_KEY, CONSENT, FORM, LEAD_REQUEST, Schema
from exchange.web.routing.operations import OPERATIONS
from exchange.web.routing.route import Query, Route, Text
from exchange.web.specs.reading import TOKEN

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
XML_TYPES = (XML, "text/xml")
IN_ADDRESS = (
    "Without a body, the fields of a form may stand behind the `?` of the address, all but the key."
)
ROOTS = {
    "request": ("LeadRequest",),
    "response": ("LeadAnswer", "LeadView", "Problem", "QuoteAnswer", "RejectionsOut"),
}
"""The document element of each, where it is XML; everything in it has its name in JSON."""
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
COMPONENTS = "#/components/schemas/{name}"

ENDED = [LeadStatus.SOLD, LeadStatus.UNSOLD, LeadStatus.DUPLICATE, LeadStatus.REJECTED]
LEAD_WORDS = [status.value for status in (*ENDED, LeadStatus.PENDING)]
QUOTE_WORDS = [
    status.value
    for status in (
        *(LeadStatus.QUOTED, LeadStatus.UNSOLD),
        *(LeadStatus.DUPLICATE, LeadStatus.REJECTED),
    )
]
WORDS = {
    ("LeadAnswer", "status"): LEAD_WORDS,
    ("LeadView", "status"): LEAD_WORDS,
    ("OperatorLeadView", "status"): LEAD_WORDS,
    ("QuoteAnswer", "status"): QUOTE_WORDS,
    ("TimelineEntry", "event"): [event.value for event in EventName],
    ("ReasonOut", "reason"): [reason.word for reason in Reason],
    ("ReasonOut", "code"): [reason.value for reason in Reason],
}
"""Fields whose words the contract fixes, though their types are open."""

RETRY_STATUSES = frozenset({409, 429, 503})

TAGS = {
    "Sellers": "Post leads, ask for quotes, hear what became of both.",
    "Buyers": "What a buyer can see and do.",
    "Operators": "What the people who run the exchange can see and do.",
    "Pages": "Descriptions, for people and for programs.",
    "Operations": "Health, readiness and metrics; they may stand on a port of their own.",
}
TAG_OF_ROLE = {"seller": "Sellers", "buyer": "Buyers", "operator": "Operators"}
ROLES = {
    "seller": "a seller's account",
    "buyer": "a buyer's account",
    "operator": "who runs the exchange",
    "admin": "who runs the exchange, without limits",
}
"""Whose keys there are; each may come as a bearer's or in X-API-Key."""
IN_HEADER = "{role}_header"
LINK = "link"


def document(routes: Iterable[Route]) -> bytes:
    """Return the document as JSON."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = operation(route)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ping-post exchange",
            "version": version("ping-post-exchange"),
            "description": (
                "Sellers post leads and pings, and hear what they are paid. Money is a JSON number"
                " with at most six decimals, exact; times are RFC 3339 in UTC; every error is a"
                " problem (RFC 9457). Whoever prefers XML by its `Accept` gets `<response>` with"
                " elements of the same names: none for a null, one of its name for each entry of a"
                " list."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas(routes), "securitySchemes": security_schemes()},
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)


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


def security_schemes() -> Schema:
    """Return every way to say who calls."""
    schemes: Schema = {}
    for role, about in ROLES.items():
        told = f"The key of {about}: role `{role}`."
        schemes[role] = {"type": "http", "scheme": "bearer", "description": told}
        schemes[IN_HEADER.format(role=role)] = {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": told,
        }
    schemes[LINK] = {
        "type": "apiKey",
        "in": "query",
        "name": TOKEN,
        "description": (
            "A signed link that expires, for one spec: `POST /v1/campaigns/{campaign}/spec-links`"
            " and `exchange spec --link` make it."
        ),
    }
    return schemes


def security(route: Route) -> list[Schema]:
    """Return the ways to bring a key; the empty one is a key in the body of a post."""
    ways: list[Schema] = []
    for role in route.roles:
        ways += [{role: []}, {IN_HEADER.format(role=role): []}]
    if route.by_link:
        ways.append({LINK: []})
    in_body = route.takes_lead or (route.at_door and bool(ways))
    return [*ways, {}] if in_body else ways


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


def responses(route: Route) -> Schema:
    """Return every answer by its status; problems of one status stand together."""
    ok: Schema = {"description": route.summary}
    if isinstance(route.answer, Text):
        schema = {"type": "object" if route.answer in JSON_TEXTS else "string"}
        ok["content"] = {route.answer.value: {"schema": schema}}
    elif route.last is not None:
        ok["content"] = feed_answers(route.answer, route.last)
    else:
        media_types = (JSON, *XML_TYPES) if route.also_xml else (JSON,)
        name = route.answer.__name__
        ok["content"] = {media: {"schema": reference(name)} for media in media_types}
        if name in ANSWERS:
            ok["content"][JSON]["example"] = ANSWERS[name]
    answers: Schema = {"200": ok}
    if route.cached:
        answers["304"] = {"description": "What you have is the present one (If-None-Match)"}
    if route.unready is not None:
        answers["503"] = {
            "description": "Not now",
            "headers": retry_after(),
            "content": {JSON: {"schema": reference(route.unready.__name__)}},
        }
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in route.problems:
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        answers[str(status)] = problem_answer(status, kinds)
    return answers


def feed_answers(row: type, last: type) -> Schema:
    """Return the two ways to answer a feed."""
    names = (row.__name__, last.__name__)
    return {
        "application/x-ndjson": {
            "schema": {
                "description": "Each line; the last one is of the second kind.",
                "anyOf": [reference(name) for name in names],
            }
        },
        "text/csv": {
            "schema": {
                "type": "string",
                "description": f"The columns {', '.join(COLUMNS)}; the last `row` is `end`.",
            }
        },
    }


LEAD_KEY = "Makes the post safe to repeat for 24 hours, with the same body."
FEED_KEY = "Under another key the same rows are new posts; without one they are known for 24 hours."

JSON_TEXTS = frozenset({Text.OPENAPI, Text.SCHEMA})


def problem_answer(status: int, kinds: list[Kind]) -> Schema:
    """Return one status and the problems that may come with it."""
    titles = "; ".join(kind.title for kind in kinds)
    described: Schema = {
        "description": f"{HTTPStatus(status).phrase}: {titles}",
        "content": {
            PROBLEM_JSON: {
                "schema": reference("Problem"),
                "examples": {kind.word: {"value": problem_example(kind)} for kind in kinds},
            },
            **{media: {"schema": reference("Problem")} for media in XML_TYPES},
        },
    }
    if status in RETRY_STATUSES:
        described["headers"] = retry_after()
    return described


def problem_example(kind: Kind) -> Schema:
    """Return how a problem of this kind looks."""
    plain: Schema = msgspec.to_builtins(problem(kind))
    return {**plain, "errors": FIELD_ERRORS} if kind is Kind.FIELDS else plain


def retry_after() -> Schema:
    """Return the header that says when to come again."""
    return {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}


def schemas(routes: Iterable[Route]) -> Schema:
    """Return the schemas of all answers and requests, money as numbers."""
    answers = [
        answer
        for route in routes
        for answer in (route.answer, route.last, route.unready, route.takes)
        if isinstance(answer, type)
    ]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(answers), Problem, LeadRequest, ConsentIn],
        schema_hook=open_value,
        ref_template=COMPONENTS,
    )
    found: Schema = money_as_numbers(components)
    for (name, field), words in WORDS.items():
        if name in found:
            found[name]["properties"][field]["enum"] = words
    found["ConsentIn"]["properties"] = CONSENT
    found["LeadRequest"] = {
        **found["LeadRequest"],
        "properties": {**LEAD_REQUEST, "api_key": API_KEY},
        "additionalProperties": True,
    }
    found["LeadForm"] = FORM
    for root, names in ROOTS.items():
        for name in names:
            if name in found:
                found[name]["xml"] = {"name": root}
    return found


def open_value(kind: type) -> Schema:
    """Return the schema of a value that is checked later than it is parsed."""
    assert kind is object or kind is msgspec.Raw, f"{kind} has a schema of its own"
    return {"description": "Any value; checked once all of them are read."}


def money_as_numbers(schema: Any) -> Any:
    """Return the schema with decimals as the JSON numbers that they are encoded as."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {"type": "number"}
        return {name: money_as_numbers(part) for name, part in schema.items()}
    if isinstance(schema, list):
        return [money_as_numbers(part) for part in schema]
    return copy.copy(schema)


def reference(name: str) -> Schema:
    """Return a pointer to a schema."""
    return {"$ref": COMPONENTS.format(name=name)}
