"""A moment becomes rows of the tables it touches: encoded, sealed, and free of NULs."""

from enum import IntEnum
from typing import Any

import msgspec

from exchange.domain.events import Event
from exchange.domain.ids import LeadId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, Moment, QuoteRow, SaleEnd, Transfer
from exchange.ledger.keys import LeadKeys
from exchange.ledger.vault import DataKey, Sealed

NUL = "\0"
ESCAPED_NUL = b"\\u0000"
Row = tuple[Any, ...]


class Table(IntEnum):
    """The arrays of one flush, in the order of commit.sql's arguments."""

    MOMENT = 0
    LEAD = 1
    LEAD_END = 2
    QUOTE = 3
    RECORD = 4
    AWARD = 5
    SALE_END = 6
    TRANSFER = 7
    CAPTURE = 8
    REJECTION = 9


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


def pack(moment: Moment, write: int, keys: LeadKeys, capture_keep_us: int) -> list[tuple[int, Row]]:
    """Return the moment's rows, each with its table; what it holds sealed is sealed here."""
    lead_id = moment.lead_id
    rows: list[tuple[int, Row]] = [
        (
            Table.MOMENT,
            (
                write,
                lead_id,
                moment.number,
                moment.at_us,
                moment.kind,
                encoded(moment.events),
                moment.announce,
            ),
        )
    ]
    if moment.lead is not None:
        rows.append((Table.LEAD, lead_row(write, moment.lead)))
    if moment.quote is not None:
        rows.append((Table.QUOTE, quote_row(write, moment.quote)))
    if moment.record is not None:
        sealed = keys.of(moment).seal(moment.record, place("record", lead_id))
        rows.append((Table.RECORD, (write, *sealed)))
    if moment.award is not None:
        rows.append((Table.AWARD, award_row(write, lead_id, moment.award, keys.of(moment))))
    if moment.sale_end is not None:
        rows.append((Table.SALE_END, sale_end_row(write, moment.sale_end)))
    rows += [(Table.TRANSFER, transfer_row(write, transfer)) for transfer in moment.transfers]
    if moment.capture is not None and capture_keep_us > 0:
        sealed = keys.of(moment).seal(moment.capture, place("capture", lead_id))
        rows.append((Table.CAPTURE, (write, moment.at_us + capture_keep_us, *sealed)))
    if moment.lead_end is not None:
        rows.append((Table.LEAD_END, lead_end_row(write, moment.lead_end)))
        keys.forget(lead_id)
    return rows


def place(table: str, lead_id: LeadId) -> bytes:
    """Return where a sealed text belongs; moved to another lead or table it does not open."""
    return f"{table}/{lead_id}".encode()


def encoded(events: tuple[Event, ...]) -> bytes:
    """Return the events as they are stored, without NULs."""
    text = msgspec.json.encode(events)
    if ESCAPED_NUL not in text:
        return text
    plain = msgspec.json.decode(text)
    return msgspec.json.encode(without_nuls(plain))


def without_nuls(value: Any) -> Any:
    """Return the same JSON value, its texts and names without NULs."""
    if isinstance(value, str):
        return value.replace(NUL, "")
    if isinstance(value, list):
        return [without_nuls(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): without_nuls(item) for name, item in value.items()}
    return value


def clean(text: str) -> str:
    """Return the text without NULs, which PostgreSQL cannot hold."""
    return text.replace(NUL, "") if NUL in text else text


def cleaned(text: str | None) -> str | None:
    """Return the text without NULs, or None."""
    return None if text is None else clean(text)


def lead_row(write: int, lead: LeadRow) -> Row:
    """Return a row of `lead_row`."""
    return (
        write,
        clean(lead.seller_id),
        clean(lead.campaign_id),
        clean(lead.source_id),
        cleaned(lead.channel),
        lead.source_declared,
        clean(lead.vertical_id),
        cleaned(lead.seller_ref),
        lead.test,
        lead.version,
        lead.received_at_us,
        lead.answer_by_us,
        lead.idempotency_key,
        lead.claim,
        cleaned(lead.state),
        lead.score,
    )


def quote_row(write: int, quote: QuoteRow) -> Row:
    """Return a row of `quote_row`."""
    return (
        write,
        clean(quote.seller_id),
        clean(quote.campaign_id),
        clean(quote.source_id),
        clean(quote.vertical_id),
        quote.test,
        quote.version,
        quote.status,
        quote.reason,
        quote.price,
        quote.expires_at_us,
    )


def award_row(write: int, lead_id: LeadId, award: AwardRow, key: DataKey) -> Row:
    """Return a row of `award_row`, the post's body sealed."""
    sealed: Sealed | tuple[None, None] = (None, None)
    if award.post is not None:
        sealed = key.seal(award.post, place("award", lead_id))
    return (
        write,
        award.sale_id,
        clean(award.offer_id),
        clean(award.buyer_id),
        award.price,
        award.payout,
        award.currency,
        award.held_at_us,
        cleaned(award.bid_id),
        cleaned(award.ping_id),
        award.stage,
        *sealed,
    )


def sale_end_row(write: int, end: SaleEnd) -> Row:
    """Return a row of `sale_end_row`."""
    return (
        write,
        end.sale_id,
        end.state,
        end.reason,
        cleaned(end.reference),
        cleaned(end.redirect_url),
    )


def lead_end_row(write: int, end: LeadEnd) -> Row:
    """Return a row of `lead_end_row`."""
    return (write, end.status, end.reason, cleaned(end.detail), end.price, end.original)


def transfer_row(write: int, transfer: Transfer) -> Row:
    """Return a row of `transfer_row`."""
    return (
        write,
        transfer.sale_id,
        transfer.kind,
        clean(transfer.debit),
        clean(transfer.credit),
        transfer.amount,
        transfer.currency,
    )


def rejection_row(rejection_id: str, rejection: Rejection) -> Row:
    """Return a row of `rejection_row`."""
    plain = msgspec.to_builtins(rejection.errors)
    return (
        rejection_id,
        clean(rejection.seller_id),
        cleaned(rejection.campaign_id),
        rejection.at_us,
        msgspec.json.encode(without_nuls(plain)),
    )
