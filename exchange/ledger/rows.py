"""A moment becomes what a flush sends of it: JSON of its rows without NULs, and what is sealed."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from exchange.domain.events import Event
from exchange.domain.ids import LeadId
from exchange.domain.message import MessageRow
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, Moment, QuoteRow, SaleEnd, Transfer
from exchange.ledger.keys import LeadKeys

NUL = "\0"
ESCAPED_NUL = b"\\u0000"

NOTHING_SEALED = (None, None, None, None)

ENCODER = msgspec.json.Encoder()


class MomentRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A moment as `moment_row` in migrations/001_ledger.sql, which tells the fields read of it."""

    write: int
    lead_id: LeadId
    number: int
    at_us: int
    kind: str
    events: tuple[Event, ...]
    announce: bool = False
    wrapped_key: bytes | None = None
    """Of all that is sealed beside it."""
    capture_until_us: int | None = None
    lead: LeadRow | None = None
    quote: QuoteRow | None = None
    award: AwardRow | None = None
    sale_end: SaleEnd | None = None
    lead_end: LeadEnd | None = None
    transfers: tuple[Transfer, ...] = ()
    message: MessageRow | None = None


class Packed(NamedTuple):
    """What a flush sends of one entry."""

    text: bytes
    """JSON of its rows, without NULs."""
    record: bytes | None = None
    post: bytes | None = None
    capture: bytes | None = None


class FieldFault(msgspec.Struct, frozen=True):
    """Which field of a request was wrong, and which of the contract's codes says how."""

    field: str
    code: str


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was no lead; it holds no value that the seller sent."""

    seller_id: str
    campaign_id: str | None
    at_us: int
    errors: tuple[FieldFault, ...]


class RejectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection as `rejection_row` in migrations/001_ledger.sql."""

    id: str
    seller_id: str
    campaign_id: str | None
    at_us: int
    errors: tuple[FieldFault, ...]


def pack(moment: Moment, write: int, keys: LeadKeys, capture_keep_us: int) -> Packed:
    """Return what a flush sends of the moment; what it holds sealed is sealed here."""
    lead_id = moment.lead_id
    award, record = moment.award, moment.record
    post = None if award is None else award.post
    capture = moment.capture if capture_keep_us > 0 else None
    sale_end = moment.sale_end
    redirect = None if sale_end is None else sale_end.redirect_url
    wrapped_key = capture_until_us = None
    sealed_texts = (record, post, capture, redirect)
    if sealed_texts != NOTHING_SEALED:
        key = keys.of(moment)
        wrapped_key = key.wrapped
        if record is not None:
            record = key.seal(record, place("record", lead_id))
        if award is not None and post is not None:
            post = key.seal(post, place("award", lead_id))
            award = msgspec.structs.replace(award, post=None)
        if capture is not None:
            capture = key.seal(capture, place("capture", lead_id))
            capture_until_us = moment.at_us + capture_keep_us
        if sale_end is not None and redirect is not None:
            sealed = key.seal(redirect.encode(), place("sale_end", lead_id))
            sale_end = msgspec.structs.replace(sale_end, redirect_url=b64encode(sealed).decode())
    if moment.lead_end is not None:
        keys.forget(lead_id)
    row = MomentRow(
        write=write,
        lead_id=lead_id,
        number=moment.number,
        at_us=moment.at_us,
        kind=moment.kind,
        events=moment.events,
        announce=moment.announce,
        wrapped_key=wrapped_key,
        capture_until_us=capture_until_us,
        lead=moment.lead,
        quote=moment.quote,
        award=award,
        sale_end=sale_end,
        lead_end=moment.lead_end,
        transfers=moment.transfers,
        message=moment.message,
    )
    return Packed(encoded(row), record, post, capture)


def pack_rejection(rejection_id: str, rejection: Rejection) -> Packed:
    """Return what a flush sends of the rejection."""
    return Packed(
        encoded(
            RejectionRow(
                id=rejection_id,
                seller_id=rejection.seller_id,
                campaign_id=rejection.campaign_id,
                at_us=rejection.at_us,
                errors=rejection.errors,
            )
        )
    )


def together(texts: Sequence[bytes]) -> bytes:
    """Return one JSON array of these texts."""
    return b"[%b]" % b",".join(texts)


def place(table: str, lead_id: LeadId) -> bytes:
    """Return where a sealed text belongs; moved to another lead or table it does not open."""
    return f"{table}/{lead_id}".encode()


def encoded(row: msgspec.Struct) -> bytes:
    """Return the row as JSON, without NULs, which PostgreSQL cannot hold."""
    text = ENCODER.encode(row)
    if ESCAPED_NUL not in text:
        return text
    return ENCODER.encode(without_nuls(msgspec.json.decode(text)))


def without_nuls(value: Any) -> Any:
    """Return the same JSON value, its texts and names without NULs."""
    if isinstance(value, str):
        return value.replace(NUL, "")
    if isinstance(value, list):
        return [without_nuls(item) for item in value]
    if isinstance(value, dict):
        return {without_nuls(name): without_nuls(item) for name, item in value.items()}
    return value
