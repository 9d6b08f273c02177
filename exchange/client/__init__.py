"""A client for sellers: post leads, ask for prices, hear what became of them.

`Client` blocks, `AsyncClient` is awaited; both have the same methods, repeat what may be repeated
under one Idempotency-Key, and raise what the exchange refuses. docs/sellers.md shows it.
"""

from exchange.client.awaited import AsyncClient
from exchange.client.blocking import Client
from exchange.client.errors import (
    Denied,
    ExchangeError,
    Expired,
    InvalidLead,
    KeyReused,
    Misdirected,
    NoAnswer,
    NotFound,
    Refused,
    Throttled,
    Unavailable,
    UnderWay,
    Unintelligible,
    Unreachable,
    Used,
)
from exchange.client.request import Consent, NewLead, QuotedLead
from exchange.contract.rejections import FaultOut, RejectionOut
from exchange.contract.seller import (
    FieldError,
    LeadAnswer,
    LeadView,
    Leg,
    Original,
    Problem,
    QuoteAnswer,
    ReasonOut,
    SaleOut,
    TimelineEntry,
)

__all__ = [
    "AsyncClient",
    "Client",
    "Consent",
    "Denied",
    "ExchangeError",
    "Expired",
    "FaultOut",
    "FieldError",
    "InvalidLead",
    "KeyReused",
    "LeadAnswer",
    "LeadView",
    "Leg",
    "Misdirected",
    "NewLead",
    "NoAnswer",
    "NotFound",
    "Original",
    "Problem",
    "QuoteAnswer",
    "QuotedLead",
    "ReasonOut",
    "Refused",
    "RejectionOut",
    "SaleOut",
    "Throttled",
    "TimelineEntry",
    "Unavailable",
    "UnderWay",
    "Unintelligible",
    "Unreachable",
    "Used",
]
