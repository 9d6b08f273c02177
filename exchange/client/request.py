"""What a seller sends: keyword arguments of known types, and the JSON that they become."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Required, TypedDict

import msgspec

Value = str | int | float | bool | Decimal | date | None
"""What a field of a lead may hold; how each may be spelled is in docs/fields.md."""


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the person agreed to, where and when, and the certificates that show it."""

    tcpa: bool | None = None
    text: str | None = None
    url: str | None = None
    ip: str | None = None
    at: datetime | str | None = None
    trustedform_url: str | None = None
    trustedform_ping_url: str | None = None
    jornaya_id: str | None = None
    named_buyers: Sequence[str] | None = None

    def __repr__(self) -> str:
        """Name no value: they belong to a person."""
        return "Consent(…)"


class Common(TypedDict, total=False):
    """What every lead, ping and post of a quote may say."""

    source: str
    """The feed it came by."""
    seller_ref: str
    min_price: Decimal | int
    """The least that you want to get."""
    timeout_ms: int
    """How long you wait for the answer at most."""
    test: bool
    consent: Consent | Mapping[str, object]
    tracking: Mapping[str, str]
    already_sold: int
    exclude_buyers: Sequence[str]


class NewLead(Common, total=False):
    """A lead, or the ping for one."""

    campaign: Required[str]
    lead: Required[Mapping[str, Value]]


class QuotedLead(Common, total=False):
    """The post of a quote: the person, and what the ping did not say."""

    campaign: str
    lead: Required[Mapping[str, Value]]
    legs: Sequence[str]


ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(request: Mapping[str, Any]) -> bytes:
    """Return the request as JSON, money and decimals as exact numbers.

    Raises TypeError for what cannot be sent exactly or at all, without its value.
    """
    price = request.get("min_price")
    if isinstance(price, bool) or not isinstance(price, Decimal | int | None):
        raise TypeError("min_price is a Decimal or a whole number, so that it is exact")
    try:
        return ENCODER.encode(plain(request))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise TypeError(f"the request cannot be sent as JSON: {type(error).__name__}") from None


def plain(value: object) -> object:
    """Return the value without numbers in scientific notation, which not every reader takes."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError
        return Decimal(format(value, "f"))
    return value
