"""What the demo tells its seller process, and what that process tells of every answer."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from exchange.contract.market.verticals import FieldPart


class Way(StrEnum):
    """How a request reaches the exchange."""

    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"
    PING = "ping"
    QUOTED = "quoted"
    """The post of a quote."""
    DOOR = "door"
    """A direct post in the words of another platform."""


NOT_SOLD = "not_sold"
"""What a seller hears whose platform does not tell unsold, duplicate and rejected apart."""


class Oddity(StrEnum):
    """What is unusual about a request, on purpose."""

    NONE = "none"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    TEST = "test"


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One source of one seller, posting into one campaign."""

    seller: str
    source: str
    campaign: str
    fields: dict[str, FieldPart]
    """Of the campaign's vertical."""
    share: float = 1.0
    """How much of all leads comes from here, against the other feeds' shares."""
    door: str | None = None
    """In whose words its seller speaks; None: the contract's."""
    also: dict[str, Any] = {}
    """What its requests say beside the lead."""
    lead: dict[str, Any] = {}
    """What all its leads have, in place of what would be invented."""
    asks_first: bool = False
    """Every lead of it comes by a quote, whatever the mix says."""


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """In which shares of 1 leads come how; what remains are plain JSON posts."""

    form: float = 0.12
    multipart: float = 0.04
    ping: float = 0.16
    duplicate: float = 0.03
    invalid: float = 0.02
    test: float = 0.01
    untaken: float = 0.15
    """Of the quotes: those that the seller leaves unused."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """All that the seller process is told."""

    base_url: str
    keys: dict[str, str]
    """By seller."""
    feeds: tuple[Feed, ...]
    rate: float
    """Leads a second, on average."""
    seconds: float | None
    """None: until it is told to stop."""
    seed: int
    mix: Mix = Mix()
    answer_max_s: float = 35.0
    """No answer by then counts as none."""


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request and what the seller was told."""

    way: Way
    campaign: str
    seller: str
    due_us: int
    """When it was to be sent; a request that is sent late is still measured from here."""
    late_ms: float
    """How much later it was sent."""
    ms: float
    """From when it was due to its answer."""
    http: int
    """The HTTP status; 0: no answer came."""
    oddity: Oddity = Oddity.NONE
    status: str | None = None
    lead_id: str | None = None
    price: Decimal | None = None
    reason: str | None = None
    sale_ids: tuple[str, ...] = ()
    problem: str | None = None
    """Why no answer came, or what an error answer said."""

    @property
    def is_lead(self) -> bool:
        """Tell whether this was answered as a lead, which is in the ledger from then on."""
        return self.lead_id is not None
