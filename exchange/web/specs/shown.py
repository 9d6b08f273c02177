"""What one offer is shown of a lead: in its pings, as coarsely as the vertical says, and sold."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from exchange.domain import anonymize
from exchange.domain.offer import HashKind, Offer
from exchange.domain.vertical import Field, FieldType, Show, Vertical
from exchange.web.requests import Schema
from exchange.web.specs.schema import values_of
from exchange.web.specs.words import TYPES

HASHES: Mapping[HashKind, str] = {
    HashKind.KEYED: (
        "hex HMAC-SHA-256, keyed with your decoded signing secret, of the hex SHA-256 of {what}"
    ),
    HashKind.SHA256: "hex SHA-256 of {what}",
    HashKind.MD5: "hex MD5 of {what}",
}
HASH_LENGTHS = {HashKind.KEYED: 64, HashKind.SHA256: 64, HashKind.MD5: 32}
UNSIGNED_HASH = "hex HMAC-SHA-256, keyed with a secret made for you, of the hex SHA-256 of {what}"
COARSE: Mapping[Show, Schema] = {
    Show.ZIP3: {"type": "string", "pattern": "^[0-9]{3}$"},
    Show.AGE_BAND: {"type": "string", "pattern": "^([0-9]+-[0-9]+|[0-9]+[+])$"},
    Show.AGE: {"type": "integer", "minimum": 0},
    Show.YEAR: {"type": "integer"},
}
CLEAN: Mapping[FieldType, Schema] = {
    FieldType.PHONE: {"type": "string", "pattern": "^[+][0-9]{7,15}$"},
    FieldType.US_ZIP: {"type": "string", "pattern": "^[0-9]{5}$"},
}
"""Types of which buyers see a stricter spelling than sellers may send."""
SCORE: Schema = {"type": "integer", "minimum": 0, "maximum": 100}


class ShownField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a ping's or post's `lead`."""

    name: str
    about: str
    values: tuple[str, ...]
    """All that it may be, where that is a list."""
    schema: Schema


def in_pings(offer: Offer, vertical: Vertical) -> tuple[ShownField, ...]:
    """Return what a ping can show this offer, under the names that it has there."""
    return tuple(pinged(offer, vertical))


def pinged(offer: Offer, vertical: Vertical) -> Iterator[ShownField]:
    """Yield what a ping can show."""
    allowed = anonymize.ping_names(vertical, offer.hidden)
    for field in vertical.fields.values():
        name = anonymize.shown_name(field)
        if name is not None and name in allowed:
            yield coarse(field, name)
    for name in anonymize.hashed_fields(vertical):
        if f"{name}_hash" in allowed:
            yield hashed(vertical.fields[name], offer)
    if anonymize.SCORE in allowed:
        yield ShownField(
            name=anonymize.SCORE,
            about="how good the lead looks, from 0 to 100",
            values=(),
            schema=SCORE,
        )


def coarse(field: Field, name: str) -> ShownField:
    """Return a field as its `show` lets it be seen."""
    if field.show is Show.AS_IS:
        return whole(field)
    about = {
        Show.ZIP3: f"the first three digits of `{field.name}`",
        Show.AGE_BAND: f"five years of age, from `{field.name}`: `35-39`, and `85+`",
        Show.AGE: f"the age, from `{field.name}`",
        Show.YEAR: f"the year of `{field.name}`",
    }[field.show]
    return ShownField(name=name, about=about, values=(), schema=COARSE[field.show])


def whole(field: Field) -> ShownField:
    """Return a field as it is: in the one spelling that every seller's becomes."""
    words = TYPES[field.type]
    told = (
        words.name
        if words.becomes in {"as it came", "blanks collapsed"}
        else (f"{words.name}: {words.becomes}")
    )
    return ShownField(name=field.name, about=told, values=field.values, schema=clean_values(field))


def clean_values(field: Field) -> Schema:
    """Return which values buyers may see of a field."""
    return CLEAN.get(field.type) or values_of(field)


def hashed(field: Field, offer: Offer) -> ShownField:
    """Return the hash by which a buyer recognizes a person."""
    digits = "the ten national digits of the number"
    what = digits if field.type is FieldType.PHONE else "the trimmed lower-case address"
    keyed = offer.hash_kind is HashKind.KEYED and offer.secret is None
    words = UNSIGNED_HASH if keyed else HASHES[offer.hash_kind]
    length = HASH_LENGTHS[offer.hash_kind]
    return ShownField(
        name=f"{field.name}_hash",
        about=words.format(what=what),
        values=(),
        schema={"type": "string", "pattern": f"^[0-9a-f]{{{length}}}$"},
    )


def in_posts(vertical: Vertical) -> tuple[ShownField, ...]:
    """Return what the winner gets: every field that the seller gave."""
    return tuple(whole(field) for field in vertical.fields.values())


def lead_schema(fields: tuple[ShownField, ...]) -> Schema:
    """Return the schema of a lead of these fields; each may be missing, further ones may come."""
    properties: dict[str, Any] = {
        one.name: {**one.schema, "description": one.about} for one in fields
    }
    return {"type": "object", "properties": properties, "additionalProperties": True}
