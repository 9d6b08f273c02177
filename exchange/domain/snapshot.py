"""The whole market, compiled once and immutable; every worker holds one and swaps it whole."""

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.door import Door
from exchange.domain.lineup import Plan
from exchange.domain.money import Micros
from exchange.domain.offer import Buyer, Offer
from exchange.domain.seller import Seller
from exchange.domain.vertical import Vertical


class Role(msgspec.Struct, frozen=True):
    """Whom a key speaks for: a role and an account."""

    role: str
    """seller, buyer, operator or admin."""
    account: str


class Snapshot(msgspec.Struct, frozen=True):
    """One version of the configuration: the market, the keys, what was credited to buyers."""

    version: int
    verticals: dict[str, Vertical]
    sellers: dict[str, Seller]
    buyers: dict[str, Buyer]
    offers: dict[str, Offer]
    campaigns: dict[str, Campaign]
    keys: dict[bytes, Role]
    """By the SHA-256 of the key; the key itself is nowhere."""
    credited: dict[str, Micros]
    """What each buyer paid in, opening balance and credits, from the ledger."""
    doors: dict[str, Door] = {}
    """Ways in for sellers who speak their own words."""
    plans: dict[str, Plan] = {}
    """By campaign: the offers of each of its stages, prepared."""
    test_campaigns: dict[str, Campaign] = {}
    """Campaigns with a sandbox as test leads meet them: its auction comes after their stages."""
    test_plans: dict[str, Plan] = {}
    """The plans of those."""
    noticed: frozenset[str] = frozenset()
    """Offers that ask for notices of their bids."""

    def campaign(self, campaign_id: str, *, test: bool) -> Campaign:
        """Return a campaign as its leads meet it, real ones or test leads; errors: KeyError."""
        if test and campaign_id in self.test_campaigns:
            return self.test_campaigns[campaign_id]
        return self.campaigns[campaign_id]

    def plan(self, campaign_id: str, *, test: bool) -> Plan:
        """Return the plan of a campaign's leads, real ones or test leads; errors: KeyError.

        A real lead never meets an offer of a sandbox, and its timeline does not speak of them.
        """
        if test and campaign_id in self.test_plans:
            return self.test_plans[campaign_id]
        return self.plans[campaign_id]
