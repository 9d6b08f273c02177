"""A lead without its person: what conditions, scores and pings may know of it."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from exchange.domain.ids import LeadId
from exchange.domain.money import Micros

Value = str | int | bool | Decimal
"""A normalized field: text, whole number, yes or no, exact number; dates are ISO 8601 text."""

Facts = Mapping[str, Value]
"""What a condition sees: a lead's fields and what follows from them (age, state, hour …)."""


class ConsentMarks(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of a consent that names nobody and so may stand in a ping."""

    tcpa: bool | None = None
    jornaya_id: str | None = None
    trustedform_url: str | None = None


class Source(msgspec.Struct, frozen=True):
    """One feed of a seller, as this lead named it."""

    id: str
    channel: str | None = None
    declared: bool = True
    floor: Micros = Micros(0)


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange knows of a request for a quote, less the person behind it."""

    lead_id: LeadId
    received_at_us: int
    seller_id: str
    campaign_id: str
    vertical_id: str
    source: Source
    fields: dict[str, Value]
    """Quasi-identifying and attribute fields as they are, by name; never an identity field."""
    derived: dict[str, Value]
    """What follows from the fields: state, time_zone, age, area_code, score …"""
    consent: ConsentMarks = ConsentMarks()
    seller_ref: str | None = None
    min_price: Micros = Micros(0)
    already_sold: int = 0
    exclude_buyers: frozenset[str] = frozenset()
    test: bool = False
    answer_by_us: int
    """When the seller must have heard: the campaign's answer deadline, or its own shorter wish."""


class Fingerprint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Digests by which one person is recognized without being named; masked in every repr.

    `sha256` and `md5` map `phone` and `email` to lower-case hex digests of the ten national
    digits and of the trimmed lower-case address.
    """

    sha256: dict[str, str] = {}
    md5: dict[str, str] = {}

    def __repr__(self) -> str:
        """Show which digests there are, never the digests."""
        return f"Fingerprint(sha256={sorted(self.sha256)}, md5={sorted(self.md5)})"
