"""Two clocks: one until the first award, one until the seller must have heard."""

from exchange.domain.campaign import Campaign, Stage
from exchange.domain.lead import Lead

US_PER_MS = 1000
ASKING_SHARE_PERCENT = 70
"""Of a seller's wait that is shorter than the auction's deadline, buyers may be asked this long;
the rest is for the award, the post and its answer."""


def asking_ends_us(lead: Lead, campaign: Campaign, *, awarded: bool = False) -> int:
    """Return when the last ping of a lead must have been answered.

    The auction's deadline binds until the first award; the seller's wait always.
    """
    asking_us = (lead.answer_by_us - lead.received_at_us) * ASKING_SHARE_PERCENT // 100
    if not awarded:
        asking_us = min(asking_us, campaign.auction_deadline_ms * US_PER_MS)
    return lead.received_at_us + asking_us


def asking_left_ms(
    lead: Lead, campaign: Campaign, stage: Stage, now_us: int, *, awarded: bool = False
) -> float:
    """Return how long a stage may ask from now on: its own time, and what the clocks leave."""
    left_us = asking_ends_us(lead, campaign, awarded=awarded) - now_us
    return max(0.0, min(float(stage.timeout_ms), left_us / US_PER_MS))
