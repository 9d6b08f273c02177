"""A campaign's ping and post in JSON Schema (2020-12): the plain spelling of every value.

What it allows is taken, but for what no schema can say: whether a ZIP code is in use, a number
possible, a birth date in the past. More spellings are understood than it allows; each field's
`x-understood` names them.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from exchange.domain.campaign import Campaign
from exchange.domain.seller import Seller, UndeclaredSources
from exchange.domain.vertical import Field, FieldType, Vertical
from exchange.intake.dates import YEAR_MAX, YEAR_MIN
from exchange.intake.email import EMAIL_LENGTH_MAX
from exchange.intake.phone import PHONE_LENGTH_MAX
from exchange.intake.readers import URL_LENGTH_MAX
from exchange.intake.spellings import STATES
from exchange.web.requests import CONSENT, LEAD_REQUEST, Schema
from exchange.web.specs.fields import (
    FieldSpec,
    Need,
    digest_names,
    field_specs,
    in_post,
    number,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIGEST_LENGTHS = {"sha256": 64, "md5": 32}
ONLY_IN_POST = frozenset({"ping_id", "legs"})
FIELD = "#/$defs/fields/properties/{name}"

TEXTS = frozenset({FieldType.NAME, FieldType.CITY, FieldType.TEXT, FieldType.ADDRESS})
FIXED: Mapping[FieldType, Schema] = {
    FieldType.PHONE: {"type": "string", "minLength": 1, "maxLength": PHONE_LENGTH_MAX},
    FieldType.EMAIL: {"type": "string", "format": "email", "maxLength": EMAIL_LENGTH_MAX},
    FieldType.US_ZIP: {"type": "string", "pattern": "^[0-9]{5}(-[0-9]{4})?$"},
    FieldType.US_STATE: {"type": "string", "enum": sorted(set(STATES.values()))},
    FieldType.DATE: {
        "type": "string",
        "format": "date",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        "description": f"From {YEAR_MIN} to {YEAR_MAX}.",
    },
    FieldType.BOOL: {"type": "boolean"},
    FieldType.IP: {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
}


def json_schema(vertical: Vertical, campaign: Campaign, seller: Seller) -> Schema:
    """Return the schema of this seller's requests; as a whole it is that of a direct post."""
    return {
        "$schema": DIALECT,
        "title": f"Posts of {seller.id} into {campaign.id}",
        "description": (
            "POST /v1/leads; $defs has the ping (POST /v1/pings) and the post of its quote"
            " (POST /v1/pings/{ping_id}/post). Values are in their plain spelling; x-understood"
            " says what else is taken."
        ),
        "$ref": "#/$defs/post",
        "$defs": {
            "ping": ping(vertical, campaign, seller),
            "post": post(vertical, campaign, seller),
            "post_of_quote": post_of_quote(vertical, campaign, seller),
            "fields": {
                "description": "Every field that a lead may have.",
                "properties": fields(vertical),
            },
            "consent": {"type": "object", "properties": CONSENT, "additionalProperties": True},
        },
    }


def ping(vertical: Vertical, campaign: Campaign, seller: Seller) -> Schema:
    """Return what a ping is: no name in it, and of telephone and e-mail a digest at most."""
    specs = field_specs(vertical)
    digests = tuple(digest_names(vertical))
    names = [spec.name for spec in specs if spec.in_ping] + [name for _, name, _ in digests]
    lead = lead_of(names, [spec.name for spec in specs if spec.ping is Need.REQUIRED])
    recognized = [spec.name for spec in specs if spec.ping is Need.REQUIRED_DIGEST]
    if recognized:
        lead["allOf"] = [
            {"anyOf": [{"required": [name]} for name in (f"{one}_sha256", f"{one}_md5", one)]}
            for one in recognized
        ]
    return request_of(lead, campaign, seller, without=ONLY_IN_POST)


def post(vertical: Vertical, campaign: Campaign, seller: Seller) -> Schema:
    """Return what a direct post is."""
    specs = field_specs(vertical)
    names = [spec.name for spec in specs]
    needed = [spec.name for spec in specs if spec.post is Need.REQUIRED]
    return request_of(lead_of(names, needed), campaign, seller, without=ONLY_IN_POST)


def post_of_quote(vertical: Vertical, campaign: Campaign, seller: Seller) -> Schema:
    """Return what the post of a quote is: what its ping said may be left out."""
    kept = {spec.name for spec in field_specs(vertical) if spec.in_ping}
    needed = [
        field.name
        for field in vertical.fields.values()
        if in_post(field) and field.name not in kept
    ]
    whole = request_of(lead_of(list(vertical.fields), needed), campaign, seller)
    return {**whole, "required": ["lead"] if needed else []}


def lead_of(names: list[str], needed: list[str]) -> Schema:
    """Return a lead of these fields; whatever else it has is kept, and never shown in a ping."""
    return {
        "type": "object",
        "properties": {name: {"$ref": FIELD.format(name=name)} for name in names},
        "required": needed,
        "additionalProperties": True,
    }


def request_of(
    lead: Schema,
    campaign: Campaign,
    seller: Seller,
    without: frozenset[str] = frozenset(),
) -> Schema:
    """Return what stands around a lead."""
    own: dict[str, Schema] = {
        "campaign": {"const": campaign.id},
        "source": source(seller),
        "lead": lead,
        "consent": {"anyOf": [{"$ref": "#/$defs/consent"}, {"type": "null"}]},
    }
    return {
        "type": "object",
        "properties": {
            name: own.get(name, plain)
            for name, plain in LEAD_REQUEST.items()
            if name not in without
        },
        "required": ["campaign", "lead"],
        "additionalProperties": True,
    }


def source(seller: Seller) -> Schema:
    """Return which sources this seller may name."""
    declared = list(seller.sources)
    if seller.undeclared_sources is UndeclaredSources.REFUSE:
        return {"enum": declared, "description": "Another one is rejected: unknown_source."}
    return {**LEAD_REQUEST["source"], "examples": declared}


def fields(vertical: Vertical) -> dict[str, Schema]:
    """Return the schema of every field, and of the digests that stand for some in a ping."""
    specs = {spec.name: spec for spec in field_specs(vertical)}
    found = {
        name: {**values_of(field), **marks(specs[name])} for name, field in vertical.fields.items()
    }
    for field, name, kind in digest_names(vertical):
        found[name] = digest(field, kind)
    return found


def values_of(field: Field) -> Schema:
    """Return which values a field may have."""
    if field.type is FieldType.CHOICE:
        return {"type": "string", "enum": list(field.values)}
    if field.type in {FieldType.INT, FieldType.DECIMAL}:
        return numbers(field)
    if field.type in FIXED:
        return FIXED[field.type]
    if field.type is FieldType.URL:
        longest = max(field.length_max, URL_LENGTH_MAX)
        web: Schema = {"type": "string", "format": "uri", "maxLength": longest}
        return with_pattern({**web, "pattern": "^https?://[^/?#]"}, field)
    assert field.type in TEXTS, f"{field.type} has a schema"
    return with_pattern({"type": "string", "minLength": 1, "maxLength": field.length_max}, field)


def with_pattern(plain: Schema, field: Field) -> Schema:
    """Return a schema that keeps to the field's own pattern as well."""
    if field.pattern is None:
        return plain
    return {**plain, "allOf": [{"pattern": f"^(?:{field.pattern})$"}]}


def numbers(field: Field) -> Schema:
    """Return the schema of a whole or exact number within its bounds."""
    schema: Schema = {"type": "integer" if field.type is FieldType.INT else "number"}
    for key, bound in (("minimum", field.minimum), ("maximum", field.maximum)):
        if bound is not None:
            schema[key] = exact(bound)
    return schema


def exact(bound: Decimal) -> int | Decimal:
    """Return a bound as the JSON number that it is."""
    return int(bound) if bound == bound.to_integral_value() else Decimal(number(bound))


def marks(spec: FieldSpec) -> dict[str, Any]:
    """Return what a field is beside its values."""
    return dict(told(spec))


def told(spec: FieldSpec) -> Iterator[tuple[str, Any]]:
    """Yield what is said of a field by name."""
    yield "examples", [spec.example]
    yield "x-type", spec.type
    yield "x-understood", spec.understood
    yield "x-ping", spec.ping.value
    yield "x-post", spec.post.value
    yield "x-privacy", spec.privacy
    yield "x-shown-to-buyers", spec.shown
    if spec.limits:
        yield "x-limits", list(spec.limits)
    if spec.derived is not None:
        yield "x-derived-from", spec.derived
    aliases = {one.value: list(one.aliases) for one in spec.choices if one.aliases}
    if aliases:
        yield "x-aliases", aliases


def digest(field: Field, kind: str) -> Schema:
    """Return the schema of a digest that a ping gives in place of the value."""
    what = "the ten national digits" if field.type is FieldType.PHONE else "the lower-case address"
    return {
        "type": "string",
        "pattern": f"^[0-9a-f]{{{DIGEST_LENGTHS[kind]}}}$",
        "description": f"{kind.upper()}, in lower-case hex, of {what}.",
        "x-ping": Need.OPTIONAL.value,
        "x-post": Need.OMIT.value,
    }
