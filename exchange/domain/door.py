"""How a seller is heard and answered that does not speak the exchange's own format: pure.

A door turns what was sent into the words of the contract, and an outcome into the words that its
sender expects. It is compiled once, when the market is loaded, and never sees a person twice.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec


class Does(StrEnum):
    """What a call of a door does."""

    PING = "ping"
    POST = "post"
    """The post of a quote where it names one, else a direct post."""
    STATUS = "status"
    """Tells what became of a lead."""


class Outcome(StrEnum):
    """All that a sender may have to hear; what a call of a door may be answered with."""

    QUOTED = "quoted"
    SOLD = "sold"
    UNSOLD = "unsold"
    PENDING = "pending"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    INVALID = "invalid"
    """Fields are missing or wrong: no lead."""
    UNREADABLE = "unreadable"
    """Cannot be read, is too large, or did not arrive in time."""
    DENIED = "denied"
    """No valid key, or one that may not come in here."""
    NOT_FOUND = "not_found"
    """There is no such quote, or no such lead."""
    WRONG_METHOD = "wrong_method"
    EXPIRED = "expired"
    USED = "used"
    """The quote was posted already."""
    UNDER_WAY = "under_way"
    """The first request with this idempotency key is not over yet."""
    KEY_REUSED = "key_reused"
    """The idempotency key came with another request before."""
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    XML = "xml"
    FORM = "form"
    TEXT = "text"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came, taken apart but not understood; its repr shows none of it."""

    body: object = None
    """Nested tables and lists; of XML what is below the document element, attributes as `@name`."""
    root: str | None = None
    """The document element's name, of XML."""
    query: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}
    """By names in lower case."""

    def __repr__(self) -> str:
        """Say nothing of it: it is a person."""
        return "Sent(…)"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request is read before its lead: who sends, what is wanted, how to answer."""

    key: str | None
    does: Does
    format: Format
    ping_id: str | None = None
    lead_id: str | None = None
    idempotency_key: str | None = None

    def __repr__(self) -> str:
        """Say what is wanted; a key and a token are nobody's business."""
        return f"Opening({self.does}, {self.format})"


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the contract's words, its values unchecked."""

    fields: dict[str, object]
    """`campaign`, `source` … beside `lead`, `consent` and `tracking`."""
    extra: dict[str, object]
    """What no rule named, by its place in the request."""
    read: dict[str, tuple[str, ...]]
    """Where each value was found: by our name (`lead.phone`) the sender's (`Primary_Phone`)."""
    passed_over: tuple[str, ...] = ()
    """Places that a rule names to be passed over, or that say nothing."""

    def __repr__(self) -> str:
        """Show how many fields there are."""
        return f"Translated({len(self.read)} values)"


class Fault(msgspec.Struct, frozen=True):
    """One bad field, in the sender's words and in ours."""

    field: str
    """As the sender calls it, where a rule reads it; else as we do."""
    native: str
    code: str
    message: str
    """A sentence without its subject and without the value: `is required`."""

    @property
    def sentence(self) -> str:
        """Return the whole sentence, in both words where they differ."""
        named = self.field if self.field == self.native else f"{self.field} ({self.native})"
        return f"{named} {self.message}"


class LegTold(msgspec.Struct, frozen=True):
    """One part of a quote."""

    id: str
    price: Decimal
    buyer: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All that an answer may speak of; never a value of the lead."""

    outcome: Outcome
    does: Does
    status: int
    """The HTTP status that a native door would answer with."""
    lead_id: str | None = None
    ping_id: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    sale_id: str | None = None
    buyer: str | None = None
    redirect_url: str | None = None
    reason: str | None = None
    code: int | None = None
    message: str | None = None
    """A sentence for people."""
    score: int | None = None
    expires_at: str | None = None
    expires_in_s: int | None = None
    retry_after_s: int | None = None
    test: bool | None = None
    original_id: str | None = None
    """Of a duplicate: the seller's own first lead."""
    legs: tuple[LegTold, ...] = ()
    errors: tuple[Fault, ...] = ()


class Written(msgspec.Struct, frozen=True):
    """An answer in the sender's words, ready to be sent."""

    status: int
    content_type: str
    body: bytes


class Call(Protocol):
    """One thing that can be asked at a door."""

    @property
    def methods(self) -> tuple[str, ...]:
        """HTTP methods by which it can be asked."""

    @property
    def format(self) -> Format:
        """How it answers as long as the request said nothing else."""

    @property
    def key_places(self) -> str:
        """Where the key is looked for, in words."""

    def open(self, sent: Sent) -> Opening:
        """Return who sends and what is wanted."""

    @property
    def or_only(self) -> bool:
        """Whether the seller's only campaign is meant where none of its campaigns is named."""

    def default_does(self) -> Does:
        """Return what it does where the request cannot say."""

    def campaign(self, sent: Sent) -> str | None:
        """Return the campaign that a request names, by our id where a map has it."""

    def translate(self, sent: Sent, campaign_id: str | None, vertical_id: str | None) -> Translated:
        """Return the request in our words, as a lead of this campaign and vertical."""

    def foreign(self, native: str, vertical_id: str | None) -> str | None:
        """Return what the sender calls one of our fields, such as `lead.phone`; None: as we do."""

    def wanted(self, sent: Sent, native: str, vertical_id: str | None, message: str) -> str:
        """Return what a field must be, in the words of the sender's map where one reads it."""

    def write(self, told: Told, wanted: Format) -> Written:
        """Return an answer; it never raises."""


class Door(Protocol):
    """A way in for sellers who speak their own words."""

    @property
    def id(self) -> str:
        """Its name in the address."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Below which paths its calls stand; those of a paused one have nothing."""

    @property
    def inside(self) -> str | None:
        """The field that holds the request as JSON or XML, if any."""

    @property
    def sellers(self) -> frozenset[str]:
        """Whose alone it is; empty where it is open to all."""

    def admits(self, seller_id: str) -> bool:
        """Tell whether it is open to this seller."""

    def takes(self, source_id: str | None) -> bool:
        """Tell whether it takes leads of this source."""

    def call(self, path: str) -> Call | None:
        """Return what stands at this path, if anything."""
