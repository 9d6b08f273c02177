"""A mapping: how a buyer is called that speaks its own dialect, as it stands in the market file.

The language is told in docs/mappings.md. Texts marked `Template` may hold `{names|filters}`; what
they may name is checked by `exchange.dialect`, against the vertical of each offer that uses the
mapping.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from exchange.contract.parts import FieldName, Id, Part, Text, Title

Template = Annotated[str, Meta(max_length=65_536)]
Scalar = str | int | bool | float
"""A constant keeps its type in JSON; elsewhere it is its text.

A number with a fraction is a float: no decoder could tell a Decimal from a text here. It is a
word that a buyer knows, never an amount that anybody owes; `"9.50"` keeps its zero.
"""
Tree = object
"""A JSON value: nested tables and lists whose texts are templates; its numbers are Decimals."""


class Algorithm(StrEnum):
    """A hash under which a message is signed."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


class Encoding(StrEnum):
    """How a signature is written."""

    HEX = "hex"
    BASE64 = "base64"


class Method(StrEnum):
    """How a buyer is called."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"


class Empty(StrEnum):
    """What becomes of a key whose whole value is not known."""

    OMIT = "omit"
    EMPTY = "empty"
    NULL = "null"
    """In JSON; elsewhere as `empty`."""


class BasicPart(Part, frozen=True, kw_only=True):
    """A user and a password, as HTTP's basic authentication sends them."""

    user: Template
    password: Template = ""


class HmacPart(Part, frozen=True, kw_only=True):
    """A signature over the message, under a named secret."""

    secret: Id
    header: Text
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    over: Template = "{body}"
    """What is signed; `body`, `query`, `method`, `url`, `timestamp` (seconds) may be named."""
    prefix: str = ""
    timestamp_header: Text | None = None
    """Where the signed timestamp is told."""


class AuthPart(Part, frozen=True, kw_only=True):
    """How the exchange proves who it is: exactly one of these."""

    basic: BasicPart | None = None
    bearer: Template | None = None
    hmac: HmacPart | None = None


class FieldValuePart(Part, frozen=True, kw_only=True):
    """JSON or XML inside one field of a form or a query."""

    json: Tree = None
    xml: Template | None = None


Pairs = dict[str, Scalar | FieldValuePart]
"""Names and values of a form or a query, in their order."""


class BodyPart(Part, frozen=True, kw_only=True):
    """What is sent: exactly one of these."""

    json: Tree = None
    form: Pairs | None = None
    query: Pairs | None = None
    """Behind the URL, with no body."""
    xml: Template | None = None
    """A whole document; what is filled in is escaped as its place demands."""
    text: Template | None = None


class CasePart(Part, frozen=True, kw_only=True):
    """One case of a value: what it is where a condition holds."""

    when: Text
    then: Scalar


class ValuePart(Part, frozen=True, kw_only=True):
    """A value that is worked out, used as `{value.NAME}`: the first case that holds."""

    cases: tuple[CasePart, ...]
    otherwise: Scalar | None = msgspec.field(default=None, name="else")


class ReadPart(Part, frozen=True, kw_only=True):
    """Where in an answer something stands: exactly one of the first five."""

    path: Text | None = None
    """In JSON, XML or a form: `bids[0].price`, `response.status`, `bid.@id`."""
    regex: Text | None = None
    """In the whole text; its first group, or all of it."""
    header: Text | None = None
    text: bool = False
    """The whole text."""
    status: bool = False
    """The HTTP status."""
    map: dict[str, Scalar] = msgspec.field(default_factory=dict)
    """Other words for what is read; `*` for all the rest."""


class RulePart(ReadPart, frozen=True, kw_only=True):
    """A rule that an answer may meet: exactly one of `equals`, `contains`, `above`, `present`."""

    equals: tuple[Scalar, ...] | None = None
    """One of these: `1`, `"1"` and `1.0` are alike, so are `true` and `"True"`."""
    contains: Text | None = None
    above: Decimal | None = None
    present: bool | None = None
    reason: ReadPart | None = None
    """Where the buyer says why."""
    also: "RulePart | None" = msgspec.field(default=None, name="and")


Rules = RulePart | tuple[RulePart, ...]
"""One rule, or several of which one is enough."""


class Unit(StrEnum):
    """What one unit of a price is."""

    UNIT = "unit"
    CENT = "cent"


class Point(StrEnum):
    """What parts whole units from their fractions."""

    DOT = "."
    COMMA = ","


class PriceReadPart(ReadPart, frozen=True, kw_only=True):
    """Where a price stands; currency signs and thousands are read over."""

    decimal: Point = Point.DOT
    unit: Unit = Unit.UNIT


class MessagePart(Part, frozen=True, kw_only=True):
    """What ping and post have in common."""

    method: Method = Method.POST
    headers: dict[str, Template] = msgspec.field(default_factory=dict)
    query: Pairs = msgspec.field(default_factory=dict)
    """Behind the URL, beside a body."""
    body: BodyPart | None = None
    content_type: Text | None = None
    """In place of the one that the body's kind has."""
    auth: AuthPart | None = None
    soap_action: Text | None = None
    """Makes an XML body a SOAP 1.1 message with this header."""
    html: bool = False
    """Texts and regexes also look into HTML pages, which else say nothing."""


class MappedPingPart(MessagePart, frozen=True, kw_only=True):
    """How the buyer is asked for its bid, and how its answer is read."""

    yes: Rules
    no: Rules = ()
    price: PriceReadPart | None = None
    exclusive_price: PriceReadPart | None = None
    """What being the only buyer is worth to it, where several may share the lead."""
    token: ReadPart | None = None
    bid_id: ReadPart | None = None
    currency: ReadPart | None = None
    ttl_s: ReadPart | None = None
    buyer_name: ReadPart | None = None
    consent_text: ReadPart | None = None


class MappedPostPart(MessagePart, frozen=True, kw_only=True):
    """How the winner gets the lead, and how its answer is read."""

    accepted: Rules
    refused: Rules = ()
    duplicate: Rules = ()
    pending: Rules = ()
    reference: ReadPart | None = None
    redirect: ReadPart | None = None
    price: PriceReadPart | None = None


class MappedStatusPart(MessagePart, frozen=True, kw_only=True):
    """How the buyer is asked what became of a sale, at an offer's `post.status`."""

    method: Method = Method.GET
    accepted: Rules
    refused: Rules = ()
    pending: Rules = ()
    reference: ReadPart | None = None
    redirect: ReadPart | None = None
    price: PriceReadPart | None = None


class VerticalParamsPart(Part, frozen=True, kw_only=True):
    """What differs where the mapping is used for leads of one vertical."""

    params: dict[FieldName, Scalar] = msgspec.field(default_factory=dict)


class MappingPart(Part, frozen=True, kw_only=True):
    """A dialect: a buyer is called in it by configuration alone."""

    id: Id
    name: Title | None = None
    idempotent: bool = False
    """The buyer knows a repeated post again, so that one in doubt may be repeated."""
    empty: Empty = Empty.OMIT
    params: dict[FieldName, Scalar] = msgspec.field(default_factory=dict)
    """`{param.NAME}` with its default; `""` where each offer must name its own."""
    vertical: dict[Id, VerticalParamsPart] = msgspec.field(default_factory=dict)
    maps: dict[FieldName, dict[str, Scalar]] = msgspec.field(default_factory=dict)
    """By name, for the filter `map(NAME)`; `*` for all the rest."""
    value: dict[FieldName, ValuePart] = msgspec.field(default_factory=dict)
    auth: AuthPart | None = None
    """For ping, post and status, where they have none of their own."""
    ping: MappedPingPart | None = None
    post: MappedPostPart | None = None
    status: MappedStatusPart | None = None
