"""The market that benchmarks sell in: filters, caps, budgets, duplicates, a margin, as in life."""

from collections.abc import Callable
from typing import Any

from bench.load import EMAIL, PHONE

CAMPAIGN = "bench"

MARKET = """
[[seller]]
id = "bench"
[[campaign]]
id = "bench"
vertical = "auto_insurance"
sellers = ["bench"]
floor = 1.00
margin = {{ percent = 15 }}
auction_deadline_ms = {deadline_ms}
duplicates = {{ window_hours = 24 }}
"""

BUYER = """
[[buyer]]
id = "{id}"
time_zone = "America/Chicago"
caps = [ {{ spend = 90000000.00, per = "day" }} ]
"""

OFFER = """
[[buyer.offer]]
id = "{id}"
vertical = "auto_insurance"
where = '{where}'
caps = [ {{ leads = 9000000, per = "day" }}, {{ concurrent = 500 }} ]
ping = {{ url = "{url}/ping", timeout_ms = {deadline_ms} }}
post = {{ url = "{url}/post", timeout_ms = 5000, on_no_answer = "wait" }}
"""

WANTS_IT = 'state in ["TX", "OK"] and age >= 25'

WANTS_OTHERS = (
    'state in ["CA", "OR", "WA"] and age >= 25',
    'state == "FL" and homeowner',
    'zip.startswith(["331", "328"]) and not dui',
    "age >= 65 and currently_insured",
    'credit in ["poor"] and age >= 21',
    "vehicle_year >= 2022 and homeowner",
    'state in ["NY", "NJ", "CT"] and credit == "excellent"',
    'state in ["TX", "OK"] and age < 25',
    "not homeowner and age >= 18",
    'zip.startswith(["606", "627", "617"])',
)
"""Filters that the benchmarks' lead does not pass, each for its own reason."""

LEAD: dict[str, Any] = {
    "campaign": CAMPAIGN,
    "source": "search",
    "lead": {
        "first_name": "Ann",
        "last_name": "Lee",
        "phone": PHONE,
        "email": EMAIL,
        "zip": "78701",
        "birth_date": "1991-04-02",
        "currently_insured": True,
        "homeowner": True,
        "credit": "good",
        "vehicle_year": 2019,
    },
    "consent": {"tcpa": True, "url": "https://quotes.example.com/auto", "ip": "203.0.113.9"},
}


def buyer_name(number: int) -> str:
    """Return the id of a buyer, and of its one offer, by its number from 1."""
    return f"buyer-{number:04d}"


def market(
    buyers: int, url_of: Callable[[int], str], *, deadline_ms: int, offers: int | None = None
) -> str:
    """Return a market in which so many buyers want every lead, and the rest of the offers none.

    `offers` is how many there are in all; where nothing is said, as many as buyers. Buyers are
    numbered from 1, each has one offer, of its own name.
    """
    parts = [MARKET.format(deadline_ms=deadline_ms)]
    for number in range(1, max(buyers, offers or 0) + 1):
        name = buyer_name(number)
        wants = number <= buyers
        where = WANTS_IT if wants else WANTS_OTHERS[number % len(WANTS_OTHERS)]
        url = url_of(number if wants else 1 + number % buyers)
        parts.append(BUYER.format(id=name))
        parts.append(OFFER.format(id=name, where=where, url=url, deadline_ms=deadline_ms))
    return "".join(parts)
