"""The schemas of all answers and requests, money as numbers."""

import copy
from collections.abc import Iterable
from typing import Any

import msgspec

from exchange.contract.seller import ConsentIn, LeadRequest, Problem
from exchange.domain.events import EventName
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus
from exchange.web.accept import XML
from exchange.web.requests import API_KEY, CONSENT, FORM, LEAD_REQUEST, Schema
from exchange.web.routing.route import Route

XML_TYPES = (XML, "text/xml")
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
