"""A vertical is a kind of lead: its fields, their types, and how much of each a ping may show."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class FieldType(StrEnum):
    """What a field holds, and so how it is normalized and checked."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"
    TEXT = "text"
    ADDRESS = "address"
    CITY = "city"
    US_ZIP = "us_zip"
    US_STATE = "us_state"
    DATE = "date"
    BOOL = "bool"
    CHOICE = "choice"
    INT = "int"
    DECIMAL = "decimal"
    URL = "url"
    IP = "ip"


class Privacy(StrEnum):
    """How close a field comes to naming a person."""

    IDENTITY = "identity"
    """Leaves at most as a keyed hash, and only where `show` says so."""
    QUASI = "quasi"
    """Leaves only as `show` says: zip as it is or zip3, birth date as age band."""
    ATTRIBUTE = "attribute"
    """Leaves as it is."""


class Show(StrEnum):
    """How a ping shows a field."""

    HIDDEN = "hidden"
    AS_IS = "as_is"
    HASH = "hash"
    ZIP3 = "zip3"
    AGE_BAND = "age_band"
    AGE = "age"
    YEAR = "year"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a vertical, compiled: what it may hold and who may see it."""

    name: str
    type: FieldType
    privacy: Privacy
    show: Show
    """Already decided: attribute → as_is, identity and quasi without a `show` → hidden."""
    required_in_ping: bool = False
    """Needed in a ping, and so in a direct post too."""
    required_in_post: bool = False
    values: tuple[str, ...] = ()
    """The canonical choices, in the order in which they were declared."""
    aliases: dict[str, str] = {}
    """Other spellings of a choice, lower-case → canonical."""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    length_max: int = 200
    pattern: str | None = None


class Vertical(msgspec.Struct, frozen=True):
    """A kind of lead with its field schema."""

    id: str
    name: str
    fields: dict[str, Field]
    anonymity_window_s: int = 0
    """How far back people count of whom a ping could be; 0: nobody counts them."""

    def __hash__(self) -> int:
        """Let what follows from a vertical be found by it; equal ones have the same id."""
        return hash(self.id)
