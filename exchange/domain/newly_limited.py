"""Who has limits in a market that it did not have before: what came before them counts, too."""

from exchange.domain.caps import balance_counter
from exchange.domain.offer import BillingMode
from exchange.domain.recounting import members_of
from exchange.domain.recounting_volume import caps_of
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import holder_of, holder_of_campaign

Limit = tuple[str, ...]
"""Whose it is, what it counts and in which window; of an account also which offers it counts."""


def newly_limited(before: Snapshot, after: Snapshot) -> set[str]:
    """Return who holds something that counts in `after` alone, and was there before.

    Nobody who is new: whose part of market state is opened is counted with it.
    """
    there = {
        *before.buyers,
        *map(holder_of, before.sellers),
        *map(holder_of_campaign, before.campaigns),
    }
    known = limits_of(before)
    nothing: set[Limit] = set()
    return {
        holder
        for holder, limits in limits_of(after).items()
        if holder in there and limits - known.get(holder, nothing)
    }


def limits_of(market: Snapshot) -> dict[str, set[Limit]]:
    """Return by holder what limits count, whatever they allow."""
    found: dict[str, set[Limit]] = {}
    members = members_of(market)
    for offer in market.offers.values():
        of_buyer = found.setdefault(offer.buyer.id, set())
        for cap in offer.caps:
            if cap.per is not None:
                of_buyer.add((cap.scope, cap.kind, cap.per, *members.get(cap.scope, ())))
    for buyer in market.buyers.values():
        if buyer.billing.mode is not BillingMode.OPEN:
            found.setdefault(buyer.id, set()).add((balance_counter(buyer.id),))
    for seller in market.sellers.values():
        of_seller = {(cap.scope, cap.kind, str(cap.per)) for cap in caps_of(seller)}
        found[holder_of(seller.id)] = set(of_seller)
    for campaign in market.campaigns.values():
        of_campaign = {(cap.scope, cap.kind, str(cap.per)) for cap in campaign.pilot}
        found[holder_of_campaign(campaign.id)] = set(of_campaign)
    return found
