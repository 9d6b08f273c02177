"""Who owes whom: a sale as transfers, each of which takes from one account what it gives another.

Accounts are named by whom they belong to: `buyer/acme`, `seller/fastquotes`, `margin/auto-us`,
and `cash` for what was paid in from outside.
"""

import msgspec

from exchange.domain.ids import SaleId
from exchange.domain.moment import Transfer
from exchange.domain.money import Micros


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Between whom a sale is booked, and in which currency."""

    buyer_id: str
    seller_id: str
    campaign_id: str
    currency: str


def sale_transfers(
    sale_id: SaleId, between: Parties, *, charge: Micros, payout: Micros
) -> tuple[Transfer, ...]:
    """Book a sale: the buyer pays the seller's payout and the margin; nothing moves nothing.

    A margin below zero flows the other way: the exchange makes up what the buyer pays too little.
    """
    buyer, seller = f"buyer/{between.buyer_id}", f"seller/{between.seller_id}"
    margin = f"margin/{between.campaign_id}"
    rest = charge - payout
    entries = [
        ("payout", buyer, seller, min(charge, payout)),
        ("margin", buyer, margin, rest),
        ("loss", margin, seller, -rest),
    ]
    return tuple(
        Transfer(kind, debit, credit, Micros(amount), between.currency, sale_id)
        for kind, debit, credit, amount in entries
        if amount > 0
    )
