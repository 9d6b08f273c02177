"""What a seller sends: one person's answers as JSON, as a form, or as a ping and its post."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from exchange.contract.market.verticals import FieldPart, Required
from exchange.demo.order import Feed
from exchange.demo.people import Somebody, address_of_host, answers
from exchange.domain.vertical import FieldType, Privacy, Show

Body = dict[str, Any]

CONSENT_TEXT = (
    "By clicking Get quotes I agree to receive calls and texts about my request, "
    "also by automated means, at the number I gave. Consent is no condition of purchase."
)
CERTIFIED = 0.5
"""How many leads carry a certificate of their consent."""

NO_AMOUNT = "nine dollars"
OF_THE_PERSON = frozenset({"lead", "consent", "tracking"})
"""What of a request is not about the sale."""

SEARCHED = ("quote", "compare", "cheap", "near me")


def lead_body(feed: Feed, person: Somebody, chance: Random, number: int, at_us: int) -> Body:
    """Return the body of a direct post."""
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    lead = answers(person, feed.fields, chance, at.year) | feed.lead
    consent = {
        "tcpa": True,
        "text": CONSENT_TEXT,
        "url": f"https://quotes.example.com/{feed.campaign}",
        "ip": lead.get("ip") or address_of_host(chance),
        "at": at.isoformat(timespec="seconds"),
    }
    if chance.random() < CERTIFIED:
        consent["jornaya_id"] = f"{chance.getrandbits(128):032X}"
        certificate = f"{chance.getrandbits(160):040x}"
        consent["trustedform_url"] = f"https://cert.trustedform.com/{certificate}"
    return {
        "campaign": feed.campaign,
        "source": feed.source,
        "seller_ref": f"demo-{number}",
        "lead": lead,
        "consent": consent,
        "tracking": {
            "sub1": f"page-{chance.randrange(1, 9)}",
            "utm_source": feed.source,
            "utm_term": chance.choice(SEARCHED),
        },
        **feed.also,
    }


def form_fields(body: Body, fields: Mapping[str, FieldPart], chance: Random) -> dict[str, str]:
    """Return the same request as forms send it: flat, every value a text, spelled in many ways."""
    flat = {name: str(value) for name, value in body.items() if not isinstance(value, dict)}
    for group in ("consent", "tracking"):
        flat.update({f"{group}.{name}": spelled(value) for name, value in body[group].items()})
    for name, value in body["lead"].items():
        kind = fields[name].type
        spell = SPELLINGS.get(kind)
        flat[name] = spell(value, chance) if spell else spelled(value)
    if "test" in body:
        flat["test"] = spelled(body["test"])
    return flat


def spelled(value: object) -> str:
    """Return a value as text, plainly."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def spelled_bool(value: Any, chance: Random) -> str:
    """Return a yes or no as some form would send it."""
    return chance.choice(("yes", "Y", "1", "on", "true") if value else ("no", "N", "0", "false"))


def spelled_phone(value: Any, chance: Random) -> str:
    """Return a telephone number as some form would send it."""
    area, exchange, line = str(value)[:3], str(value)[3:6], str(value)[6:]
    shapes = (
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"+1 {area} {exchange} {line}",
    )
    return chance.choice(shapes)


def spelled_date(value: Any, chance: Random) -> str:
    """Return a day as some form would send it."""
    day = date.fromisoformat(str(value))
    return chance.choice((day.isoformat(), f"{day:%m/%d/%Y}", f"{day.month}/{day.day}/{day.year}"))


SPELLINGS: Mapping[FieldType, Callable[[Any, Random], str]] = {
    FieldType.BOOL: spelled_bool,
    FieldType.PHONE: spelled_phone,
    FieldType.DATE: spelled_date,
    FieldType.CHOICE: lambda value, chance: chance.choice((str(value), str(value).upper())),
}


def ping_body(body: Body, fields: Mapping[str, FieldPart]) -> Body:
    """Return the ping that goes before a post: nothing that names the person but two digests."""
    lead = dict(without_person(body, fields)["lead"])
    for name, field in fields.items():
        if name in body["lead"] and field.type in {FieldType.PHONE, FieldType.EMAIL}:
            text = str(body["lead"][name]).strip().lower()
            lead[f"{name}_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    told = {name: value for name, value in body.items() if name not in OF_THE_PERSON}
    return told | {"lead": lead, "consent": {"tcpa": True}}


def without_person(body: Body, fields: Mapping[str, FieldPart]) -> Body:
    """Return the request with those fields alone that a ping may hold."""
    lead = {name: value for name, value in body["lead"].items() if is_for_ping(fields[name])}
    return {**body, "lead": lead}


def is_for_ping(field: FieldPart) -> bool:
    """Tell whether a ping may hold this field: what buyers may be shown of it depends on it."""
    if field.privacy is Privacy.QUASI:
        return field.ping is Required.REQUIRED or field.show not in {None, Show.HIDDEN}
    return field.privacy is Privacy.ATTRIBUTE


def post_of_quote(body: Body, fields: Mapping[str, FieldPart]) -> Body:
    """Return the post that follows a quote: what the ping did not say."""
    lead = {name: value for name, value in body["lead"].items() if not is_for_ping(fields[name])}
    return {"lead": lead, "consent": body["consent"], "tracking": body["tracking"]}


def spoiled(body: Body, fields: Mapping[str, FieldPart], chance: Random) -> Body:
    """Return the request with one thing wrong that no exchange may take."""
    if chance.randrange(4) == 0:
        return {**body, "min_price": NO_AMOUNT}
    return spoiled_lead(body, fields, chance)


def spoiled_lead(body: Body, fields: Mapping[str, FieldPart], chance: Random) -> Body:
    """Return the request with one thing wrong about the person."""
    lead = dict(body["lead"])
    wrong = [
        (name, WRONG[field.type])
        for name, field in fields.items()
        if field.type in WRONG and name in lead
    ]
    missing = [name for name in lead if fields[name].post is Required.REQUIRED]
    faults = [*wrong, *((name, None) for name in missing)]
    if not faults:
        return {**body, "min_price": NO_AMOUNT}
    name, value = chance.choice(faults)
    if value is None:
        del lead[name]
    else:
        lead[name] = value
    return {**body, "lead": lead}


WRONG = {FieldType.PHONE: "555-12", FieldType.EMAIL: "not an address"}
"""What no field of this type takes."""
