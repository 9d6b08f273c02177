"""A vertical made ready for reading: one normalizer for each field, and which field is what."""

from collections.abc import Container

from exchange.domain.anonymize import BIRTH_DATES
from exchange.domain.lead import Value
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical
from exchange.intake.errors import Bad, Code, Errors
from exchange.intake.normalize import Normalizer, normalizer

REQUIRED = Bad(Code.REQUIRED, "is required")
RECOGNIZED = {FieldType.PHONE, FieldType.EMAIL}
DIGESTS = ("sha256", "md5")


class Schema:
    """How leads of one vertical are read."""

    def __init__(self, vertical: Vertical, zip_codes: Container[str]) -> None:
        fields = vertical.fields.values()
        self.vertical = vertical
        self.readers: tuple[tuple[str, str, Normalizer], ...] = tuple(
            (field.name, f"lead.{field.name}", normalizer(field, zip_codes)) for field in fields
        )
        self.identity = frozenset(
            field.name for field in fields if field.privacy is Privacy.IDENTITY
        )
        self.recognized = tuple(
            (field.name, field.type) for field in fields if field.type in RECOGNIZED
        )
        self.digests = frozenset(
            f"{name}_{kind}" for name, _ in self.recognized for kind in DIGESTS
        )
        self.known = frozenset(vertical.fields) | self.digests
        self.zip = self.first(FieldType.US_ZIP, "zip")
        self.state = self.first(FieldType.US_STATE, "state")
        self.phone = self.first(FieldType.PHONE, "phone")
        self.email = self.first(FieldType.EMAIL, "email")
        self.birth_date = next((field.name for field in fields if is_birth_date(field)), None)
        self.required_in_ping = tuple(field.name for field in fields if field.required_in_ping)
        self.required_in_post = tuple(
            field.name for field in fields if field.required_in_ping or field.required_in_post
        )

    def first(self, kind: FieldType, usual: str) -> str | None:
        """Return the field of this kind: the one with the usual name, else the first declared."""
        names = [field.name for field in self.vertical.fields.values() if field.type is kind]
        return usual if usual in names else next(iter(names), None)

    def read(self, lead: dict[str, object], errors: Errors) -> dict[str, Value]:
        """Return the values of all declared fields that are there and good."""
        values: dict[str, Value] = {}
        for name, path, normalize in self.readers:
            if name not in lead:  # most are not: asking so is no call
                continue
            raw = lead[name]
            if raw is None or (type(raw) is str and (not raw or raw.isspace())):
                continue
            # What a door in other words has found wrong already stays so.
            value = raw if type(raw) is Bad else normalize(raw)
            if isinstance(value, Bad):
                errors.keep(path, value)
            else:
                values[name] = value
        return values


def is_birth_date(field: Field) -> bool:
    """Tell whether an age follows from this field."""
    return field.type is FieldType.DATE and (
        field.name in BIRTH_DATES or field.show in {Show.AGE, Show.AGE_BAND}
    )
