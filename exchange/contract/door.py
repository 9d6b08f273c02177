"""A door: how a seller is heard and answered in its own words, as it stands in the market file.

docs/doors.md tells it. Texts marked `Template` may hold `{names|filters}` of the mapping language;
what they may name is checked by `exchange.intake.doors`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.mapping import Empty, Method, Scalar, Template, Tree
from exchange.contract.parts import FieldName, Id, Part, SourceId, Text, Title
from exchange.domain.door import Does, Format, Outcome

PATH_RULE = "letters, digits, and . _ ~ -, in parts with / between, at most 200"

CallPath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$",
        max_length=200,
        extra={"rule": PATH_RULE},
        examples=["ping.do"],
    ),
]


class Piece(StrEnum):
    """Which words of a text count."""

    FIRST = "first"
    """The first word: of a full name the first name."""
    REST = "rest"
    """All words but the first: of a full name the last name."""
    LAST = "last"
    """The last word."""


class FromPart(Part, frozen=True, kw_only=True):
    """Where a value comes from, and what is made of it: in the order of these keys."""

    path: Text | tuple[Text, ...] = ()
    """Where it stands in the body or, if not there, in the query; the first that says anything."""
    header: Text | None = None
    join: tuple[Text, ...] = ()
    """Several places whose texts are put together."""
    between: str = ""
    """What stands between joined texts."""
    only_if: dict[Text, Text] = msgspec.field(default_factory=dict)
    """Only where these places hold these texts."""
    piece: Piece | None = None
    filter: Text | None = None
    """Filters of the mapping language: `digits|last(10)`."""
    date: Text | None = None
    """How a date or moment is written: `DD/MM/YYYY`, `YYYY-MM-DD HH:mm:ss`, `unix`."""
    map: FieldName | dict[str, Scalar] = msgspec.field(default_factory=dict)
    """Other words for it: a map of the door by name, or one of its own; `*` for all the rest."""
    const: Scalar | None = None
    """It is always this."""
    default: Scalar | None = None
    """What it is where nothing was found."""
    or_only: bool = False
    """Of a campaign: the seller's only one, where what was found is none of its campaigns."""


From = Text | tuple[Text, ...] | FromPart
"""Where a value comes from; a text, or a list of them, is its `path`."""


class ReadsPart(Part, frozen=True, kw_only=True):
    """What a door reads; a call's own words go before its door's."""

    key: From | None = None
    """Where the key stands, beside the two headers that every door knows."""
    campaign: From | None = None
    """None: the seller's only campaign."""
    source: From | None = None
    seller_ref: From | None = None
    ping_id: From | None = None
    lead_id: From | None = None
    """Whose status is asked for."""
    min_price: From | None = None
    timeout_ms: From | None = None
    test: From | None = None
    already_sold: From | None = None
    exclude_buyers: From | None = None
    legs: From | None = None
    idempotency_key: From | None = None
    fields: dict[FieldName, From] = msgspec.field(default_factory=dict)
    """The lead's, by our names."""
    consent: dict[FieldName, From] = msgspec.field(default_factory=dict)
    tracking: dict[Text, From] = msgspec.field(default_factory=dict)
    passed_over: tuple[Text, ...] = ()
    """Places that are no business of the lead: not even kept as `extra`."""


class VerticalReadsPart(Part, frozen=True, kw_only=True):
    """What differs for leads of one vertical."""

    fields: dict[FieldName, From] = msgspec.field(default_factory=dict)


class AnswerPart(Part, frozen=True, kw_only=True):
    """One answer."""

    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    """The HTTP status; absent: the native one, or 200 at a door with `always_200`."""
    body: Tree = None
    """Tables and lists whose texts are templates, in whichever format; in XML `@name` is an
    attribute, `#text` an element's own text, and a list repeats its element."""
    xml: Template | None = None
    """A whole document in place of one made of `body`; what is filled in is escaped."""
    text: Template | None = None
    """What is answered in the format `text`, or where there is nothing else."""


class AnswerTo(StrEnum):
    """What is answered: an outcome, or `*` for all that is not named."""

    QUOTED = Outcome.QUOTED.value
    SOLD = Outcome.SOLD.value
    UNSOLD = Outcome.UNSOLD.value
    PENDING = Outcome.PENDING.value
    DUPLICATE = Outcome.DUPLICATE.value
    REJECTED = Outcome.REJECTED.value
    INVALID = Outcome.INVALID.value
    UNREADABLE = Outcome.UNREADABLE.value
    DENIED = Outcome.DENIED.value
    NOT_FOUND = Outcome.NOT_FOUND.value
    WRONG_METHOD = Outcome.WRONG_METHOD.value
    EXPIRED = Outcome.EXPIRED.value
    USED = Outcome.USED.value
    UNDER_WAY = Outcome.UNDER_WAY.value
    KEY_REUSED = Outcome.KEY_REUSED.value
    OVERLOADED = Outcome.OVERLOADED.value
    UNAVAILABLE = Outcome.UNAVAILABLE.value
    FAILED = Outcome.FAILED.value
    ELSE = "*"


class CallPart(ReadsPart, frozen=True, kw_only=True):
    """One thing that can be asked at a door."""

    path: CallPath
    """Behind the door's id: `/doors/DOOR/PATH`."""
    methods: tuple[Method, ...] = (Method.POST,)
    does: Does | FromPart
    """`ping`, `post`, `status`; or where the request says which."""
    answer: dict[AnswerTo, AnswerPart] = msgspec.field(default_factory=dict)


class DoorPart(ReadsPart, frozen=True, kw_only=True):
    """A way in for sellers who speak their own words."""

    id: Id
    name: Title | None = None
    like: Id | None = None
    """Another door, whose words are this one's too where it has none of its own."""
    sellers: tuple[Id, ...] = ()
    """None: open to every seller's key."""
    sources: tuple[SourceId, ...] = ()
    """None: every source."""
    paused: bool = False
    any_vertical: bool = False
    """Its fields are meant for many verticals: those that a vertical lacks are not read."""
    same_names: bool = False
    """What stands in the request under one of our names is that field, where no rule reads it."""
    inside: Text | None = None
    """A field that holds the request, as JSON or XML."""
    maps: dict[FieldName, dict[str, Scalar]] = msgspec.field(default_factory=dict)
    """By name, for `map` and for the filter `map(NAME)`; `*` for all the rest."""
    vertical: dict[Id, VerticalReadsPart] = msgspec.field(default_factory=dict)
    format: Format = Format.JSON
    """Of answers."""
    choose: From | None = None
    """Where a request says in which format it wants its answer: any text with json, xml … in it."""
    root: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")] = "response"
    """The document element of answers in XML."""
    empty: Empty = Empty.OMIT
    """What becomes of a key whose whole value is not known."""
    always_200: bool = False
    """Refusals have the HTTP status 200 unless an answer says another itself; 5xx stay."""
    answer: dict[AnswerTo, AnswerPart] = msgspec.field(default_factory=dict)
    call: tuple[CallPart, ...] = ()
    """None of its own only where it is like another door."""
