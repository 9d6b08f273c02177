"""Values for tests: complete, plain, and changed only where a test says so."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from exchange.domain.campaign import (
    Campaign,
    Margin,
    Method,
    ReturnsTo,
    SellerTerms,
    Stage,
)
from exchange.domain.ids import LeadId
from exchange.domain.lead import Fingerprint, Lead, Source
from exchange.domain.money import Micros
from exchange.domain.offer import (
    Billing,
    BillingMode,
    Buyer,
    Offer,
    OnNoAnswer,
    PingTerms,
    PostTerms,
)
from exchange.domain.person import Person
from exchange.domain.submission import Submission

NOW_US = 1_795_000_000_000_000
"""A Wednesday in November 2026."""

DOLLAR = 1_000_000


def a_buyer(name: str = "acme", **changes: Any) -> Buyer:
    plain = {
        "id": name,
        "name": name.title(),
        "zone": ZoneInfo("UTC"),
        "currency": "USD",
        "billing": Billing(BillingMode.OPEN),
    }
    return Buyer(**{**plain, **changes})


def an_offer(name: str = "acme-tx", **changes: Any) -> Offer:
    plain = {
        "id": name,
        "buyer": a_buyer(name.partition("-")[0]),
        "vertical_id": "auto",
        "ping": PingTerms(f"http://127.0.0.1:9/{name}/ping", 300, Micros(1000 * DOLLAR)),
        "post": PostTerms(f"http://127.0.0.1:9/{name}/post", 1000, OnNoAnswer.WAIT, 120),
        "hash_key": b"k" * 32,
    }
    return Offer(**{**plain, **changes})


def a_lead(**changes: Any) -> Lead:
    plain = {
        "lead_id": LeadId("019a0000-0000-7000-8000-000000000001"),
        "received_at_us": NOW_US,
        "seller_id": "fastquotes",
        "campaign_id": "auto-us",
        "vertical_id": "auto",
        "source": Source(id="search", channel="search"),
        "fields": {"zip": "78701", "currently_insured": True},
        "derived": {"state": "TX", "age": 35},
        "answer_by_us": NOW_US + 30_000_000,
    }
    return Lead(**{**plain, **changes})


def a_submission(**changes: Any) -> Submission:
    plain = {
        "lead": a_lead(),
        "person": Person(identity={"first_name": "Canary", "phone": "+15125550123"}),
        "fingerprint": Fingerprint(sha256={"phone": "a" * 64}, md5={"phone": "b" * 32}),
    }
    return Submission(**{**plain, **changes})


def a_stage(*offer_ids: str, **changes: Any) -> Stage:
    plain = {
        "number": 1,
        "method": Method.AUCTION,
        "offer_ids": offer_ids,
        "timeout_ms": 400,
        "floor": Micros(0),
    }
    return Stage(**{**plain, **changes})


def a_campaign(**changes: Any) -> Campaign:
    terms = SellerTerms("fastquotes", Margin(percent=Decimal(15)), ReturnsTo.PASS)
    plain = {
        "id": "auto-us",
        "vertical_id": "auto",
        "currency": "USD",
        "sellers": {"fastquotes": terms},
        "stages": (a_stage("acme-tx"),),
        "auction_deadline_ms": 1000,
        "answer_deadline_ms": 30_000,
        "quote_ttl_s": 300,
    }
    return Campaign(**{**plain, **changes})
