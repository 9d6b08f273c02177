"""Words on sales that are in doubt: a buyer's, an operator's, and the list of those that wait."""

from decimal import Decimal

import msgspec


class ConfirmRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/sales/{sale_id}/confirm`."""

    accepted: bool
    reference: str | None = None
    """The buyer's own number of the lead."""
    redirect_url: str | None = None
    reason: str | None = None
    """Why; an operator must say it."""


class ConfirmedSale(msgspec.Struct, frozen=True, kw_only=True):
    """One sale as it stands."""

    sale_id: str
    offer: str
    state: str
    """`in_doubt` while it has no end, then `accepted`, `refused` or `void`."""
    price: Decimal
    currency: str
    decided: bool | None = None
    """What was said of it: taken or not; null while nobody said anything."""
    decided_by: str | None = None


class InDoubtSale(msgspec.Struct, frozen=True, kw_only=True):
    """A sale that waits for its buyer's word."""

    sale_id: str
    lead_id: str
    seller: str
    campaign: str
    buyer: str
    offer: str
    price: Decimal
    currency: str
    since: str
    """When its place and its money were held."""
    seconds: float
    """For how long that is now."""
    decided: bool | None = None
    decided_by: str | None = None


class InDoubtOut(msgspec.Struct, frozen=True):
    """The answer to `GET /v1/admin/sales/in-doubt`, the oldest first."""

    sales: tuple[InDoubtSale, ...]
