"""A vertical, a market and the real table of ZIP codes, for tests of intake."""

import json
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from exchange.configuration.compiling.plans import plans_of
from exchange.domain.ids import LeadId
from exchange.domain.money import Micros
from exchange.domain.quote import Quote
from exchange.domain.seller import DeclaredSource, Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.parsing import parse
from exchange.intake.request import Parsed
from tests.making import NOW_US, a_buyer, a_campaign

LEAD_ID = LeadId("019a0000-0000-7000-8000-000000000001")
THROW_AWAY = frozenset({"mailinator.com"})
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----boundary7MA4YWxk"
XML = "application/xml"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@cache
def geography() -> Geography:
    """The real table, built once for the whole run."""
    return Geography.load()


def a_field(name: str, kind: str, privacy: str = "attribute", **changes: Any) -> Field:
    silent = Show.AS_IS if privacy == "attribute" else Show.HIDDEN
    plain = {"name": name, "type": FieldType(kind), "privacy": Privacy(privacy), "show": silent}
    return Field(**{**plain, **changes})


def a_vertical(*fields: Field) -> Vertical:
    return Vertical("auto", "Auto insurance", {field.name: field for field in fields})


AUTO = a_vertical(
    a_field("first_name", "name", "identity", required_in_post=True),
    a_field("last_name", "name", "identity"),
    a_field("phone", "phone", "identity", show=Show.HASH, required_in_post=True),
    a_field("email", "email", "identity", show=Show.HASH, required_in_post=True),
    a_field("address", "address", "identity"),
    a_field("ip_address", "ip", "identity"),
    a_field("zip", "us_zip", "quasi", show=Show.AS_IS, required_in_ping=True),
    a_field("birth_date", "date", "quasi", show=Show.AGE_BAND),
    a_field("city", "city", "quasi"),
    a_field("state", "us_state"),
    a_field("currently_insured", "bool", required_in_ping=True),
    a_field("credit", "choice", values=("poor", "fair", "very_good")),
    a_field("vehicle_year", "int", minimum=Decimal(1950), maximum=Decimal(2030)),
    a_field("annual_miles", "decimal"),
    a_field("vehicle_make", "text", length_max=20, pattern="[A-Za-z ]+"),
    a_field("notes", "text", "quasi", length_max=500),
    a_field("landing_page", "url", "quasi"),
)

SELLER = Seller(
    id="fastquotes",
    name="Fast Quotes",
    sources={
        "search": DeclaredSource("search", "search", Micros(0), Micros(6_000_000), paused=False)
    },
)
STRANGER = Seller(id="other", name="Other", sources={})


def a_snapshot(**changes: Any) -> Snapshot:
    plain = {
        "version": 7,
        "verticals": {"auto": AUTO},
        "sellers": {"fastquotes": SELLER, "other": STRANGER},
        "buyers": {"acme": a_buyer()},
        "offers": {},
        "campaigns": {"auto-us": a_campaign()},
        "keys": {},
        "credited": {},
    }
    made: dict[str, Any] = {**plain, **changes}
    verticals = made["verticals"]
    known = [one for one in made["campaigns"].values() if one.vertical_id in verticals]
    plans = plans_of(made["version"], known, made["offers"], verticals)
    return Snapshot(**{"plans": plans, **made})


PERSON = {
    "first_name": "Zyxcanary",
    "last_name": "Quuxcanary",
    "phone": "(512) 555-0123",
    "email": "Canary.Mail@Example.com",
    "address": "77 Canary Row Apt 9",
    "ip_address": "203.0.113.77",
}
REST = {
    "zip": "78701",
    "birth_date": "1991-04-02",
    "currently_insured": True,
    "credit": "very_good",
    "vehicle_year": 2019,
    "vehicle_make": "Toyota",
}
CONSENT = {
    "tcpa": "yes",
    "text": "I agree  to be called",
    "url": "https://quotes.example/auto",
    "ip": "203.0.113.9",
    "at": "2026-11-18T05:00:00-06:00",
    "trustedform_url": "https://cert.trustedform.com/0a1b2c",
    "jornaya_id": "ABCD-12",
    "named_buyers": ["Acme, Inc.", " Best  Co "],
}
CANARIES = ("zyxcanary", "quuxcanary", "5550123", "canary.mail", "canary row", "203.0.113.77")


def a_body(lead: object = None, **changes: Any) -> dict[str, Any]:
    plain = {
        "campaign": "auto-us",
        "source": "search",
        "seller_ref": "A-1001",
        "lead": {**PERSON, **REST} if lead is None else lead,
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def an_arrival(**changes: Any) -> Arrival:
    plain = {"seller_id": "fastquotes", "lead_id": LEAD_ID, "received_at_us": NOW_US}
    return Arrival(**{**plain, **changes})


def intake() -> Intake:
    return Intake(geography(), THROW_AWAY)


def accept(
    body: object, snapshot: Snapshot | None = None, content_type: str = JSON, **changes: Any
) -> Submission | Refused:
    """Take a body (bytes, or what JSON makes of it) through the whole of intake."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    parsed = parse(raw, content_type)
    assert isinstance(parsed, Parsed)
    return intake().accept(parsed.request, an_arrival(**changes), snapshot or a_snapshot())


def accepted(body: object, snapshot: Snapshot | None = None, **changes: Any) -> Submission:
    result = accept(body, snapshot, **changes)
    assert isinstance(result, Submission), result
    return result


def errors(body: object, snapshot: Snapshot | None = None, **changes: Any) -> set[tuple[str, str]]:
    result = accept(body, snapshot, **changes)
    assert isinstance(result, Refused)
    return {(error.field, error.code) for error in result.errors}


def as_form(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs that a form would send for a JSON body."""
    pairs: list[tuple[str, str]] = []
    for name, value in body.items():
        if name == "lead":
            pairs += [(field, as_text(item)) for field, item in value.items()]
        elif isinstance(value, dict):
            for inner, item in value.items():
                listed = item if isinstance(item, list) else [item]
                pairs += [(f"{name}.{inner}", as_text(one)) for one in listed]
        elif isinstance(value, list):
            pairs += [(name, as_text(item)) for item in value]
        else:
            pairs.append((name, as_text(value)))
    return pairs


def as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def urlencoded(body: dict[str, Any]) -> bytes:
    return urlencode(as_form(body)).encode()


def multipart(body: dict[str, Any]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in as_form(body)
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def as_xml_text(value: object) -> str:
    """Any text, in the one spelling that gives it back; NULs as the escape that JSON has, too."""
    spelled = escape(as_text(value), {"\r": "&#13;", "\0": "&#0;"})
    return "" if value is None else spelled


def xml_elements(name: str, value: object) -> str:
    """An element, or several; of the NULs in names nothing is left, as no XML can have them."""
    name = name.replace("\0", "")
    if isinstance(value, list):
        return "".join(xml_elements(name, item) for item in value)
    if isinstance(value, dict):
        inside = "".join(xml_elements(inner, item) for inner, item in value.items())
        return f"<{name}>{inside}</{name}>"
    return f"<{name}>{as_xml_text(value)}</{name}>"


def xml(body: dict[str, Any]) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + xml_elements("request", body)).encode()


def a_quote(**changes: Any) -> Quote:
    plain = {
        "lead_id": LEAD_ID,
        "seller_id": "fastquotes",
        "campaign_id": "auto-us",
        "vertical_id": "auto",
        "source": accepted(a_body()).lead.source,
        "version": 7,
        "quoted_at_us": NOW_US,
        "expires_at_us": NOW_US + 300_000_000,
        "currency": "USD",
        "payout": Micros(8_500_000),
        "bids": (),
        "fields": {"zip": "78701", "state": "TX", "currently_insured": True},
    }
    return Quote(**{**plain, **changes})
