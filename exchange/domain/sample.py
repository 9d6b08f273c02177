"""An invented lead of a vertical: what a try sends where nobody gave it one."""

from decimal import Decimal

from exchange.domain.anonymize import BIRTH_DATES
from exchange.domain.lead import Value
from exchange.domain.vertical import Field, FieldType, Vertical

SAMPLES: dict[FieldType, Value] = {
    FieldType.NAME: "Ada",
    FieldType.PHONE: "(512) 555-0123",
    FieldType.EMAIL: "ada.lovelace@example.com",
    FieldType.TEXT: "sample",
    FieldType.ADDRESS: "100 Congress Ave",
    FieldType.CITY: "Austin",
    FieldType.US_ZIP: "78701",
    FieldType.US_STATE: "TX",
    FieldType.DATE: "2024-05-17",
    FieldType.BOOL: True,
    FieldType.URL: "https://www.example.com/quote",
    FieldType.IP: "203.0.113.7",
}
"""One person in Austin, Texas, who does not exist: 555 01xx and example.com are nobody's."""
LAST_NAMES = frozenset({"last_name", "surname", "family_name"})


def sample_lead(vertical: Vertical) -> dict[str, Value]:
    """Return a value for every field, as a seller would send it; a pattern may still refuse one."""
    return {name: sample_value(field) for name, field in vertical.fields.items()}


def sample_value(field: Field) -> Value:
    """Return an invented value that fits the field's type, choices and limits."""
    if field.type is FieldType.CHOICE:
        return field.values[0]
    if field.type in {FieldType.INT, FieldType.DECIMAL}:
        return _number(field)
    if field.name in BIRTH_DATES:
        return "1987-12-10"
    if field.name in LAST_NAMES:
        return "Lovelace"
    value = SAMPLES[field.type]
    return value[: field.length_max] if isinstance(value, str) else value


def _number(field: Field) -> Value:
    least = Decimal(1) if field.minimum is None else field.minimum
    most = least if field.maximum is None else field.maximum
    middle = (least + max(least, most)) / 2
    return int(middle) if field.type is FieldType.INT else middle.quantize(Decimal("0.01"))
