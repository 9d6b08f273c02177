"""Every campaign's prepared plan."""

from collections.abc import Iterable, Mapping

from exchange.configuration.compiling.verticals import identity_of
from exchange.domain.campaign import Campaign, Stage
from exchange.domain.lineup import Lineup, Plan, plan_of
from exchange.domain.offer import Offer
from exchange.domain.vertical import Vertical


def plans_of(
    version: int,
    campaigns: Iterable[Campaign],
    offers: Mapping[str, Offer],
    verticals: Mapping[str, Vertical],
) -> dict[str, Plan]:
    """Return every campaign's prepared plan; stages with the same offers share their lineup."""
    made: dict[tuple[str, ...], Lineup] = {}
    remembers = any(offer.buyer.duplicate_window_s for offer in offers.values())

    def lineup_of(campaign: Campaign, stage: Stage) -> Lineup:
        if stage.offer_ids not in made:
            present = [offers[name] for name in stage.offer_ids if name in offers]
            made[stage.offer_ids] = Lineup(present, identity_of(verticals[campaign.vertical_id]))
        return made[stage.offer_ids]

    return {
        campaign.id: plan_of(
            version,
            [lineup_of(campaign, stage) for stage in campaign.stages],
            remembers=remembers,
        )
        for campaign in campaigns
    }
