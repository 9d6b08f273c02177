"""Whose lead is being sold, as far as the end of its sales depends on it."""

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.lead import Fingerprint
from exchange.domain.lineup import Plan
from exchange.domain.person import Person
from exchange.domain.trials import NO_TRIALS, Trials


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lead is being sold, as far as the end of its sales depends on it."""

    seller_id: str
    campaign: Campaign
    plan: Plan
    test: bool
    person: Person | None
    """None where it was erased: what a buyer says could then not be masked, and is not kept."""
    fingerprint: Fingerprint
    trials: Trials = NO_TRIALS
    """What its sales take of pilots beside their buyers' limits."""
