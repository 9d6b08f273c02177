"""What a condition may ask of a lead: its vertical's fields, and what follows from them."""

from exchange.domain.condition import Kind, Name
from exchange.domain.vertical import Field, FieldType, Vertical

_STATE_CODES = """
AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC
ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI FM MH PW AA AE AP
"""

STATES = tuple(_STATE_CODES.split())
"""The states, territories and military mail codes of the US Postal Service."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

EXCHANGE_NAMES: dict[str, Name] = {
    "zip3": Name(Kind.TEXT),
    "time_zone": Name(Kind.TEXT),
    "area_code": Name(Kind.TEXT),
    "phone_local": Name(Kind.BOOL),
    "hour": Name(Kind.NUMBER),
    "weekday": Name(Kind.TEXT, WEEKDAYS),
    "score": Name(Kind.NUMBER),
    "source": Name(Kind.TEXT),
    "channel": Name(Kind.TEXT),
    "seller": Name(Kind.TEXT),
    "test": Name(Kind.BOOL),
}
"""What the exchange knows of every lead, whatever its vertical; no field may take these names."""

DERIVED_NAMES: dict[str, Name] = {
    "state": Name(Kind.TEXT, STATES),
    "age": Name(Kind.NUMBER),
}
"""What the exchange works out where the lead does not say it; a vertical may declare them too."""

DERIVED_TYPES = {"state": FieldType.US_STATE, "age": FieldType.INT}
"""The types in which a vertical may declare what is derived otherwise."""

LANGUAGE_WORDS = frozenset({"true", "false", "known", "len"})
"""Words with a meaning of their own in conditions."""

_KINDS = {
    FieldType.BOOL: Kind.BOOL,
    FieldType.INT: Kind.NUMBER,
    FieldType.DECIMAL: Kind.NUMBER,
    FieldType.DATE: Kind.DATE,
}


def names_of(vertical: Vertical) -> dict[str, Name]:
    """Return every name that a condition about leads of this vertical may use."""
    declared = {field.name: _name(field) for field in vertical.fields.values()}
    return {**DERIVED_NAMES, **declared, **EXCHANGE_NAMES}


def _name(field: Field) -> Name:
    if field.type is FieldType.CHOICE:
        return Name(Kind.TEXT, field.values)
    if field.type is FieldType.US_STATE:
        return Name(Kind.TEXT, STATES)
    return Name(_KINDS.get(field.type, Kind.TEXT))
