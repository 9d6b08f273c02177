"""What tests of dialects speak with: a vertical, views of one lead, and mappings from TOML."""

import tomllib
from decimal import Decimal

import msgspec

from exchange.contract.mapping import MappingPart
from exchange.dialect.compiling import Setting, ping_dialect, post_dialect
from exchange.domain.dialect import Heard, PingView, PostView
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical


def field(name, kind, privacy=Privacy.ATTRIBUTE, show=Show.AS_IS, **more):
    return Field(name=name, type=kind, privacy=privacy, show=show, **more)


AUTO = Vertical(
    "auto",
    "Auto insurance",
    {
        made.name: made
        for made in (
            field("first_name", FieldType.NAME, Privacy.IDENTITY, Show.HIDDEN),
            field("phone", FieldType.PHONE, Privacy.IDENTITY, Show.HASH),
            field("email", FieldType.EMAIL, Privacy.IDENTITY, Show.HASH),
            field("zip", FieldType.US_ZIP, Privacy.QUASI),
            field("birth_date", FieldType.DATE, Privacy.QUASI, Show.AGE_BAND),
            field("state", FieldType.US_STATE),
            field("insured", FieldType.BOOL),
            field("credit", FieldType.CHOICE, values=("poor", "fair", "good", "excellent")),
            field("vehicle_year", FieldType.INT),
            field("bill", FieldType.DECIMAL),
        )
    },
)

SHOWN = {
    "zip": "78701",
    "age_band": "35-39",
    "state": "TX",
    "insured": True,
    "credit": "excellent",
    "vehicle_year": 2019,
    "bill": Decimal("142.50"),
    "score": 71,
    "phone_hash": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
}

AT_US = 1_790_000_000_123_456
"""2026-09-21T14:13:20Z, and a bit."""

PING = PingView(
    lead=SHOWN,
    consent={"tcpa": True, "trustedform_ping_url": "https://ping.example/1"},
    ping_id="ping-1",
    floor=5_000_000,
    currency="USD",
    tmax_ms=280,
    source_id="source-1",
    channel="search",
    vertical_id="auto",
    test=False,
    at_us=AT_US,
)

POST = PostView(
    lead={
        **SHOWN,
        "first_name": "Zoë & Søn",
        "phone": "+15125550123",
        "email": "zoe@example.com",
        "birth_date": "1991-04-02",
        "age": 35,
    },
    consent={"tcpa": True, "text": 'I "agree"', "named_buyers": ("Acme", "Other")},
    sale_id="sale-1",
    ping_id="ping-1",
    bid_id="bid-1",
    token="token-1",
    price=12_500_000,
    currency="USD",
    source_id="source-1",
    channel=None,
    vertical_id="auto",
    test=False,
    at_us=AT_US,
)

SECRETS = {"key": b"s3cr&t/+"}

PING_RULES = 'yes = { path = "ok", equals = [true] }\nno = { path = "ok", equals = [false] }\n'
POST_RULES = 'accepted = { path = "ok", equals = [true] }\n'


def mapping_of(text):
    """The mapping in a TOML text without its `[[mapping]]` head."""
    tree = tomllib.loads(f'id = "foreign"\n{text}', parse_float=Decimal)
    return msgspec.convert(tree, MappingPart)


def setting(**more):
    return Setting(**{"vertical": AUTO, "secrets": SECRETS, **more})


def a_ping(message, before="", **more):
    """The dialect of a mapping whose ping has these lines beside usual rules."""
    return ping_dialect(mapping_of(f"{before}\n[ping]\n{PING_RULES}{message}"), setting(**more))


def a_post(message, before="", **more):
    """The dialect of a mapping whose post has these lines beside usual rules."""
    return post_dialect(mapping_of(f"{before}\n[post]\n{POST_RULES}{message}"), setting(**more))


def heard(body, status=200, head=b"HTTP/1.1 200 OK\r\n\r\n"):
    return Heard(status, head, body.encode() if isinstance(body, str) else body)
