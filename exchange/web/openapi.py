"""The OpenAPI 3.1 document, made from the routes and from the types that their answers are."""

import copy
from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from exchange.contract.seller import ConsentIn, LeadRequest, Problem
from exchange.domain.events import EventName
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus
from exchange.web.accept import JSON, XML
from exchange.web.answers import PROBLEM_JSON
from exchange.web.idempotency import HEADER, KEY_LENGTH_MAX
from exchange.web.problems import Kind
from exchange.web.requests import API_KEY, CONSENT, FORM, LEAD_REQUEST, Schema
from exchange.web.routes import Route, Text

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
        "paths": paths,
        "components": {
            "schemas": schemas(routes),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)


def operation(route: Route) -> Schema:
    """Return what stands under a route's method."""
    described: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses(route),
        "security": security(route),
    }
    if route.takes_lead:
        described["requestBody"] = {
            "required": False,
            "description": IN_ADDRESS,
            "content": {
                **{media: {"schema": reference("LeadRequest")} for media in (JSON, *XML_TYPES)},
                **{media: {"schema": reference("LeadForm")} for media in FORMS},
            },
        }
    return described


def security(route: Route) -> list[Schema]:
    """Return the ways to bring a key; the empty one is a key in the body of a post."""
    if not route.roles:
        return []
    ways: list[Schema] = [{"bearer": []}, {"header": []}]
    return [*ways, {}] if route.takes_lead else ways


def parameters(route: Route) -> list[Schema]:
    """Return what stands in the path, the query and the headers."""
    in_path = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in in_path
    ]
    found += [
        {
            "name": query.name,
            "in": "query",
            "description": query.about,
            "schema": {"type": "number", "minimum": query.minimum, "maximum": query.maximum},
        }
        for query in route.query
    ]
    if route.takes_lead:
        found.append(
            {
                "name": HEADER,
                "in": "header",
                "description": "Makes the post safe to repeat for 24 hours, with the same body.",
                "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
            }
        )
    return found


def responses(route: Route) -> Schema:
    """Return every answer by its status; problems of one status stand together."""
    ok: Schema = {"description": route.summary}
    if isinstance(route.answer, Text):
        schema = {"type": "string" if route.answer is Text.PROMETHEUS else "object"}
        ok["content"] = {route.answer.value: {"schema": schema}}
    else:
        media_types = (JSON, *XML_TYPES) if route.also_xml else (JSON,)
        schema = reference(route.answer.__name__)
        ok["content"] = {media: {"schema": schema} for media in media_types}
    answers: Schema = {"200": ok}
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


def problem_answer(status: int, kinds: list[Kind]) -> Schema:
    """Return one status and the problems that may come with it."""
    titles = "; ".join(kind.title for kind in kinds)
    described: Schema = {
        "description": f"{HTTPStatus(status).phrase}: {titles}",
        "content": {
            media: {"schema": reference("Problem")} for media in (PROBLEM_JSON, *XML_TYPES)
        },
    }
    if status in RETRY_STATUSES:
        described["headers"] = retry_after()
    return described


def retry_after() -> Schema:
    """Return the header that says when to come again."""
    return {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}


def schemas(routes: Iterable[Route]) -> Schema:
    """Return the schemas of all answers and requests, money as numbers."""
    answers = [
        answer
        for route in routes
        for answer in (route.answer, route.unready)
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
