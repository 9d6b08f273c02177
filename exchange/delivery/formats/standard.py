"""The exchange's own format: the post to a winner, and how its answer is understood."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Raw, UnsetType

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused, says_duplicate
from exchange.domain.bid import Bid
from exchange.domain.lead import Lead
from exchange.domain.money import Micros, MoneyError, parse_json, to_decimal
from exchange.domain.person import Consent, Person

encode = msgspec.json.Encoder(decimal_format="number").encode

TEXT_MAX = 200
URL_MAX = 2000
OK = 200
TOLD_LATER = 202
TIMED_OUT = 408
UNAVAILABLE = 503


class PostWire(msgspec.Struct, frozen=True):
    """The body that the winner receives."""

    sale_id: str
    ping_id: str | None
    bid_id: str | None
    price: object
    currency: str
    vertical: str
    test: bool
    lead: Mapping[str, object]
    source: Mapping[str, object]
    consent: Consent
    max_buyers: int | UnsetType = UNSET
    """Where several may share: with how many in all this buyer has the lead; 1: it is alone."""


class SaleTerms(msgspec.Struct, frozen=True):
    """On what a buyer gets a lead."""

    price: Micros
    max_buyers: int | None = None
    """With how many in all it has it; None where nobody shares."""


class AnswerWire(msgspec.Struct, frozen=True):
    """The body of an answer, before any of it is believed."""

    accepted: bool | UnsetType | None = UNSET
    reason: object = None
    reference: object = None
    redirect_url: object = None
    price: Raw | UnsetType = UNSET


class AnyWire(msgspec.Struct, frozen=True):
    """A body that says something about the lead, whatever it is."""

    accepted: object = UNSET


_decode_any = msgspec.json.Decoder(AnyWire).decode
_decode = msgspec.json.Decoder(AnswerWire).decode


def post_body(
    sale_id: str,
    bid: Bid,
    terms: SaleTerms,
    lead: Lead,
    person: Person,
    source: Mapping[str, object],
) -> bytes:
    """Encode the full record for the winner; what its pings may not show is no secret now."""
    return encode(
        PostWire(
            sale_id=sale_id,
            ping_id=bid.ping_id,
            bid_id=bid.bid_id,
            price=to_decimal(terms.price),
            currency=bid.offer.buyer.currency,
            vertical=lead.vertical_id,
            test=lead.test,
            lead={**person.identity, **lead.fields},
            source=source,
            consent=person.consent,
            max_buyers=UNSET if terms.max_buyers is None else terms.max_buyers,
        )
    )


def read_answer(status: int, body: bytes, *, repeated: bool) -> PostResult:
    """Return what a complete answer to a post means; nothing in it can raise.

    To a repetition only an explicit body decides: a 4xx may then mean "I have it already".
    """
    stated = _stated(status, body)
    if stated is not None:
        return stated
    if status == TOLD_LATER:
        return put_off(body)
    if repeated:
        return InDoubt(f"status {status} to a repetition decides nothing")
    if status == UNAVAILABLE or (400 <= status < 500 and status != TIMED_OUT):  # noqa: PLR2004 - 4xx
        return Refused(f"status {status}")
    why = "accepted is no boolean" if status == OK and _misspelled(body) else "not understood"
    return InDoubt(f"status {status}, {why}")


def read_status(status: int, body: bytes) -> PostResult:
    """Return what the answer to a question about a sale means: only an explicit one decides.

    A buyer that does not know the sale may have its post under way.
    """
    stated = _stated(status, body)
    if stated is not None:
        return stated
    if status == TOLD_LATER:
        return put_off(body)
    return InDoubt(f"status {status} decides nothing")


def put_off(body: bytes) -> InDoubt:
    """Return the doubt of a buyer that will tell later, with its reference where it names one."""
    try:
        reference = _text(_decode(body).reference, TEXT_MAX)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reference = None
    return InDoubt("the buyer will tell", told=True, reference=reference)


def _misspelled(body: bytes) -> bool:
    """Tell whether a body says `accepted`, but with a text or a number."""
    try:
        accepted = _decode_any(body).accepted
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return not isinstance(accepted, bool | UnsetType | None)


def _stated(status: int, body: bytes) -> PostResult | None:
    """Return what the body says explicitly, or None where it says nothing that may count."""
    if status != OK and not 400 <= status < 500:  # noqa: PLR2004 - the class of refusals
        return None
    try:
        wire = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(wire.accepted, UnsetType):
        return None
    if wire.accepted is False:
        reason = _text(wire.reason, TEXT_MAX)
        return Refused(reason, says_duplicate(reason))
    if status != OK:
        return None  # an acceptance in an error's body is no acceptance
    if wire.accepted is None:
        return put_off(body)
    return Accepted(
        reference=_text(wire.reference, TEXT_MAX),
        redirect_url=_url(wire.redirect_url),
        price=_price(wire.price),
    )


def _price(raw: Raw | UnsetType) -> Micros | None:
    if isinstance(raw, UnsetType):
        return None
    try:
        price = parse_json(bytes(raw))
    except MoneyError:
        return None
    return price if price >= 0 else None


def _text(value: object, longest: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 2**64:
        return None
    return "".join(c for c in str(value)[:longest] if c.isprintable())


def _url(value: object) -> str | None:
    """Return an http(s) address, or None: a seller's page may follow it."""
    if not isinstance(value, str) or len(value) > URL_MAX:
        return None
    return value if value.startswith(("https://", "http://")) and value.isprintable() else None
