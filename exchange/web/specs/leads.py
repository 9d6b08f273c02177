"""Invented leads of a campaign: for examples, and to try out what becomes of each.

Nobody is in them: 555 01xx and example.com are reserved. Each has a number and an address of its
own, so that one does not repeat another.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.condition import parsed
from exchange.domain.lead import Value
from exchange.domain.sample import sample_value
from exchange.domain.vertical import Field, FieldType, Privacy, Vertical
from exchange.intake.phone import hashed_digits, normalize_phone
from exchange.intake.schema import RECOGNIZED, Schema
from exchange.web.specs.fields import digest_names, in_post

Body = dict[str, Any]

OPTIONAL_FIELDS = 3
"""How many fields an example has beyond what is needed."""
CONSENT: Mapping[str, object] = {
    "tcpa": True,
    "text": "I agree to be called about my quote.",
    "url": "https://quotes.example/form",
    "ip": "203.0.113.9",
    "at": "2026-11-18T11:00:00Z",
}


class Sample(msgspec.Struct, frozen=True):
    """An invented lead, in the parts in which it is sent."""

    lead: dict[str, Value]
    ping: dict[str, Value]
    """What of it a ping says, digests in place of numbers and addresses."""
    rest: dict[str, Value]
    """What the post of a quote adds."""


def example(vertical: Vertical, campaign: Campaign, number: int = 23) -> Sample:
    """Return a lead of all that is needed, and some of what may be."""
    schema = Schema(vertical, ())
    asked = asked_for(campaign, schema)
    needed = [field for field in vertical.fields.values() if in_post(field) or field.name in asked]
    others = [
        field
        for field in vertical.fields.values()
        if field not in needed and field.privacy is Privacy.ATTRIBUTE
    ]
    return sample_of([*needed, *others[:OPTIONAL_FIELDS]], vertical, number)


def whole(vertical: Vertical, number: int) -> Sample:
    """Return a lead of every field."""
    return sample_of(vertical.fields.values(), vertical, number)


def barest(vertical: Vertical, campaign: Campaign, number: int) -> Sample:
    """Return a lead of what is needed and nothing else."""
    asked = asked_for(campaign, Schema(vertical, ()))
    needed = (f for f in vertical.fields.values() if in_post(f) or f.name in asked)
    return sample_of(needed, vertical, number)


def sample_of(chosen: Iterable[Field], vertical: Vertical, number: int) -> Sample:
    """Return an invented lead of these fields, as far as a pattern does not forbid its value."""
    fields = {field.name: field for field in chosen}
    lead = {
        name: value
        for name, field in fields.items()
        if fits(value := own_value(field, number), field) or in_post(field)
    }
    pinged: dict[str, Value] = {
        name: value
        for name, value in lead.items()
        if fields[name].type not in RECOGNIZED
        and (fields[name].privacy is not Privacy.IDENTITY or fields[name].required_in_ping)
    }
    digests = {
        name: digest_of(field, str(lead[field.name]))
        for field, name, kind in digest_names(vertical)
        if kind == "sha256" and field.name in lead
    }
    rest = {name: value for name, value in lead.items() if name not in pinged}
    return Sample(lead, {**pinged, **digests}, rest)


def own_value(field: Field, number: int) -> Value:
    """Return a value for this field that is this lead's own where people are known by it."""
    if field.type is FieldType.PHONE:
        return f"(512) 555-01{number:02d}"
    if field.type is FieldType.EMAIL:
        return f"ada.lovelace.{number:02d}@example.com"
    return sample_value(field)


def fits(value: Value, field: Field) -> bool:
    """Tell whether a field's own pattern allows an invented value."""
    return field.pattern is None or re.fullmatch(field.pattern, str(value)) is not None


def digest_of(field: Field, value: str) -> str:
    """Return the SHA-256 by which a ping names a person."""
    return hashlib.sha256(hashed_text(field, value).encode()).hexdigest()


def hashed_text(field: Field, value: str) -> str:
    """Return what a digest is made of."""
    if field.type is FieldType.EMAIL:
        return value.lower()
    number = normalize_phone(value)
    assert isinstance(number, str), "an invented number is a valid one"
    return hashed_digits(number)


def asked_for(campaign: Campaign, schema: Schema) -> frozenset[str]:
    """Return which fields the campaign's own rules ask for, an age as the birth date."""
    names = {
        node.id
        for _, rule in campaign.qualify
        for node in ast.walk(parsed(rule.text)[1])
        if isinstance(node, ast.Name)
    }
    if "age" in names and schema.birth_date is not None:
        names.add(schema.birth_date)
    return frozenset(names & schema.vertical.fields.keys())


def request_of(
    lead: Mapping[str, object], campaign: Campaign, source: str | None, *, consent: bool = True
) -> Body:
    """Return the body of a request that says it is a test."""
    body: Body = {"campaign": campaign.id}
    if source is not None:
        body["source"] = source
    body["test"] = True
    body["lead"] = dict(lead)
    if consent:
        body["consent"] = dict(CONSENT)
    return body
