"""A vertical's compiled schema."""

from exchange.contract.market.verticals import FieldPart, Required, VerticalPart
from exchange.domain.vertical import Field, Privacy, Show, Vertical

S_PER_DAY = 86_400


def vertical_of(part: VerticalPart) -> Vertical:
    """Return a vertical's compiled schema."""
    fields = {name: field_of(name, field) for name, field in part.fields.items()}
    window_s = part.anonymity.window_days * S_PER_DAY if part.anonymity else 0
    return Vertical(part.id, part.name or part.id, fields, window_s)


def field_of(name: str, part: FieldPart) -> Field:
    """Return one field; what a ping shows is decided here, hidden where nothing is said."""
    silent = Show.AS_IS if part.privacy is Privacy.ATTRIBUTE else Show.HIDDEN
    return Field(
        name=name,
        type=part.type,
        privacy=part.privacy,
        show=part.show or silent,
        required_in_ping=part.ping is Required.REQUIRED,
        required_in_post=part.post is Required.REQUIRED,
        values=part.values,
        aliases={spelling.lower(): value for spelling, value in part.aliases.items()},
        minimum=part.min,
        maximum=part.max,
        length_max=part.length_max,
        pattern=part.pattern,
    )


def identity_of(vertical: Vertical) -> frozenset[str]:
    """Return the fields that name somebody."""
    fields = vertical.fields.values()
    return frozenset(field.name for field in fields if field.privacy is Privacy.IDENTITY)
