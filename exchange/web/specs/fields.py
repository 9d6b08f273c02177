"""The fields of a vertical as a seller reads them: what to send, where needed, who sees it."""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.domain.counting import counted
from exchange.domain.lead import Value
from exchange.domain.sample import sample_value
from exchange.domain.vertical import Field, FieldType, Privacy, Vertical
from exchange.intake.derived import AGE_MAX
from exchange.intake.readers import URL_LENGTH_MAX
from exchange.intake.schema import DIGESTS, RECOGNIZED, Schema, is_birth_date
from exchange.intake.spellings import plain
from exchange.web.specs.words import TYPES, about_privacy, shown_to_buyers


class Need(StrEnum):
    """Whether a field belongs into a request."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    DIGEST = "as a digest"
    """In a ping: only its digest should be there, for the duplicate check."""
    REQUIRED_DIGEST = "required, as a digest"
    OMIT = "leave out"
    """In a ping: it would be used for nothing and dropped."""


class Choice(msgspec.Struct, frozen=True):
    """One allowed value and its other spellings."""

    value: str
    aliases: tuple[str, ...]


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the lead; what stands between backticks in its sentences is code."""

    name: str
    type: str
    understood: str
    choices: tuple[Choice, ...]
    limits: tuple[str, ...]
    ping: Need
    post: Need
    derived: str | None
    """From what it follows where it is absent."""
    privacy: str
    shown: str
    example: Value

    @property
    def in_ping(self) -> bool:
        """Tell whether the field itself, not a digest of it, belongs into a ping."""
        return self.ping in {Need.REQUIRED, Need.OPTIONAL}


def field_specs(vertical: Vertical) -> tuple[FieldSpec, ...]:
    """Return all fields in the order in which the vertical declares them."""
    schema = Schema(vertical, ())
    return tuple(field_spec(field, schema) for field in vertical.fields.values())


def field_spec(field: Field, schema: Schema) -> FieldSpec:
    """Return what a seller must know of one field."""
    words = TYPES[field.type]
    source = source_of(field, schema)
    return FieldSpec(
        name=field.name,
        type=words.name,
        understood=words.understood,
        choices=choices_of(field),
        limits=tuple(limits_of(field)),
        ping=need_in_ping(field, source),
        post=need_in_post(field, source),
        derived=None if source is None else source.name,
        privacy=about_privacy(field),
        shown=shown_to_buyers(field),
        example=sample_value(field),
    )


def choices_of(field: Field) -> tuple[Choice, ...]:
    """Return the allowed values, each with the aliases that are not merely another way to write it.

    The aliases of a value are told in the order in which they were declared.
    """
    return tuple(
        Choice(
            value,
            tuple(
                alias
                for alias, meant in field.aliases.items()
                if meant == value and plain(alias) != plain(value)
            ),
        )
        for value in field.values
    )


def limits_of(field: Field) -> Iterator[str]:
    """Return the bounds of a field as sentences without a subject."""
    if field.minimum is not None:
        yield f"at least {number(field.minimum)}"
    if field.maximum is not None:
        yield f"at most {number(field.maximum)}"
    if field.type in {FieldType.NAME, FieldType.CITY, FieldType.TEXT, FieldType.ADDRESS}:
        yield f"at most {counted(field.length_max, 'character')}"
    if field.type is FieldType.URL:
        yield f"at most {max(field.length_max, URL_LENGTH_MAX)} characters"
    if field.pattern is not None:
        yield f"as a whole like `{field.pattern}`"
    if is_birth_date(field):
        yield f"a day in the past, at most {AGE_MAX} years ago"


def number(value: Decimal) -> str:
    """Return a bound as people write it."""
    return format(value.normalize(), "f")


def need_in_ping(field: Field, source: Field | None) -> Need:
    """Return whether a ping should have this field; what names a person is only a digest there.

    `source` is the field from which this one follows.
    """
    if field.type in RECOGNIZED:
        return Need.REQUIRED_DIGEST if field.required_in_ping else Need.DIGEST
    if field.required_in_ping and (source is None or not source.required_in_ping):
        return Need.REQUIRED
    return Need.OMIT if field.privacy is Privacy.IDENTITY else Need.OPTIONAL


def need_in_post(field: Field, source: Field | None) -> Need:
    """Return whether a direct post needs this field; `source` as in `need_in_ping`."""
    is_there = source is not None and in_post(source)
    return Need.REQUIRED if in_post(field) and not is_there else Need.OPTIONAL


def in_post(field: Field) -> bool:
    """Tell whether a field is required in a direct post."""
    return field.required_in_ping or field.required_in_post


def source_of(field: Field, schema: Schema) -> Field | None:
    """Return the field that says this one, too: the state stands in the ZIP code."""
    if field.name != schema.state or schema.zip is None:
        return None
    return schema.vertical.fields[schema.zip]


def digest_names(vertical: Vertical) -> Iterator[tuple[Field, str, str]]:
    """Yield every field of which a ping may give digests, the digest's name and its kind."""
    for field in vertical.fields.values():
        if field.type in RECOGNIZED:
            for kind in DIGESTS:
                yield field, f"{field.name}_{kind}", kind
