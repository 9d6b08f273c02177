"""What a lead of a kind is made of: the fields of a vertical."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.parts import FieldName, Id, Part, Text, Title
from exchange.domain.vertical import FieldType, Privacy, Show


class Required(StrEnum):
    """Whether a field must be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class FieldPart(Part, frozen=True, kw_only=True):
    """One field of a vertical."""

    type: FieldType
    privacy: Privacy
    ping: Required = Required.OPTIONAL
    """`required`: needed in a ping, and so in a direct post."""
    post: Required = Required.OPTIONAL
    show: Show | None = None
    """How a ping shows it; absent: attributes as they are, all else hidden."""
    values: tuple[Text, ...] = ()
    """The choices of a `choice`."""
    aliases: dict[str, Text] = msgspec.field(default_factory=dict)
    """Other spellings of a choice."""
    min: Decimal | None = None
    max: Decimal | None = None
    length_max: Annotated[int, Meta(ge=1, le=10_000)] = 200
    pattern: Text | None = None
    """A regular expression that the whole value must match."""


class AnonymityPart(Part, frozen=True, kw_only=True):
    """That it is counted how many people a ping could be about."""

    window_days: Annotated[int, Meta(ge=1, le=366)] = 30
    """How far back people count."""


class VerticalPart(Part, frozen=True, kw_only=True):
    """A kind of lead with its field schema."""

    id: Id
    name: Title | None = None
    fields: dict[FieldName, FieldPart]
    anonymity: AnonymityPart | None = None
    """Absent: not counted."""
