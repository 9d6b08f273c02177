"""What the auditor knows of leads and sales; of the exchange it imports nothing."""

from math import inf
from typing import Any, NamedTuple


class Violation(NamedTuple):
    """What must not be, where and when."""

    invariant: str
    at_s: float
    what: str


class Sale:
    """An award, and what the ledger says became of it."""

    def __init__(self, lead_id: str, award: tuple[Any, ...]) -> None:
        self.lead_id = lead_id
        self.sale_id, self.offer, self.buyer, self.price, self.payout, self.held_at_us = award[:6]
        self.buyers_max: int = award[6]
        self.bid_id: str | None = award[7]
        self.is_posted = False
        self.state = ""
        self.charge = 0


class Lead:
    """All that is known of one lead."""

    def __init__(self) -> None:
        self.last_number = 0
        self.version = 0
        self.is_written = False
        self.end: tuple[str, int | None] | None = None
        self.sales: list[Sale] = []
        self.accepted: list[Sale] = []
        """In the order in which they became so."""
        self.mentioned: set[str] = set()
        self.pinged: set[str] = set()
        self.answered: set[str] = set()
        self.is_recovered = False
        self.ended_s = inf
        self.asked_s = 0.0
        """When it was asked for last before its end; it may be asked for again long afterwards."""
        self.heard_pending = False
        self.is_part = False
        """It was merged into another lead."""
        self.is_told = False
        """Its seller is sent a message of its end."""
