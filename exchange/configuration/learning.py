"""What a campaign learns: checked, and compiled to the domain's values."""

from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.learning import LearnFloorPart
from exchange.contract.market.campaigns import CampaignPart, StagePart
from exchange.domain.campaign import Method, PriceRuleKind
from exchange.domain.expected import PPM, Expecting, RankBy
from exchange.domain.learned_floors import HOURS_PER_DAY, LearnFloor
from exchange.domain.money import MICROS_PER_CENT, from_decimal
from exchange.domain.nearest import hint
from exchange.domain.reserve import STEPS

RANKING = frozenset({Method.AUCTION, Method.FIRST_ACCEPT})
"""The methods that rank by what is bid."""
FLOOR_MAX = STEPS[-1]


def ranked_by(stage: StagePart, campaign: CampaignPart) -> RankBy:
    """Return by what a stage ranks: as it says itself, else as its campaign does."""
    return stage.rank_by or campaign.rank_by


def expecting_of(campaign: CampaignPart) -> Expecting | None:
    """Return how a campaign estimates; None where none of its stages needs it."""
    stages = [ranked_by(stage, campaign) for stage in campaign.stage] or [campaign.rank_by]
    if RankBy.EXPECTED_VALUE not in stages:
        return None
    part = campaign.expected_value
    return Expecting(
        prior_posts=part.prior_posts,
        days=part.days,
        returns_after_days=part.returns_after_days,
        after_refusal_ppm=int(part.after_refusal * PPM / 100),
    )


def learn_floor_of(campaign: CampaignPart) -> LearnFloor | None:
    """Return how a campaign learns its floors; None where it does not."""
    part = campaign.learn_floor
    if part is None:
        return None
    number, stage = first_asking(campaign) or (1, None)
    return LearnFloor(
        explore_ppm=int(part.explore * PPM),
        minimum=from_decimal(part.min),
        maximum=from_decimal(part.max),
        hours=part.hours,
        zone=ZoneInfo(part.time_zone),
        auctions=part.auctions,
        days=part.days,
        unsold=from_decimal(part.unsold),
        stage=number,
        second_price=stage is not None and stage.price_rule is PriceRuleKind.SECOND_PRICE,
    )


def first_asking(campaign: CampaignPart) -> tuple[int, StagePart] | None:
    """Return the stage whose floor is learned, with its number; None where none asks."""
    for number, stage in enumerate(campaign.stage, 1):
        if stage.method is Method.AUCTION:
            return number, stage
    return None


def check_learning(campaign: CampaignPart, path: Path) -> Iterator[Problem]:
    """Tell what is wrong with what a campaign learns."""
    for index, stage in enumerate(campaign.stage):
        yield from _second_price(stage, campaign, (*path, "stage", index))
        if stage.rank_by is RankBy.EXPECTED_VALUE and stage.method not in RANKING:
            place = (*path, "stage", index, "rank_by")
            yield Problem(place, f'a stage "{stage.method}" has no bids to rank')
    if campaign.learn_floor is not None:
        yield from _learn_floor(campaign.learn_floor, (*path, "learn_floor"))
        first = first_asking(campaign)
        if campaign.stage and first is None:
            yield Problem((*path, "learn_floor"), f'needs a stage "{Method.AUCTION}"')
        if first is not None and first[1].max_buyers > 1:
            place = (*path, "stage", first[0] - 1, "max_buyers")
            yield Problem(place, "a floor is learned from auctions for one buyer")


def _second_price(stage: StagePart, campaign: CampaignPart, path: Path) -> Iterator[Problem]:
    """Tell of a price that follows the next bid, where the next in the ranking is not that bid."""
    by_value = ranked_by(stage, campaign) is RankBy.EXPECTED_VALUE
    if by_value and stage.method in RANKING and stage.price_rule is PriceRuleKind.SECOND_PRICE:
        yield Problem((*path, "price_rule"), f'needs rank_by = "{RankBy.PRICE}" here')


def _learn_floor(part: LearnFloorPart, path: Path) -> Iterator[Problem]:
    if part.min >= part.max:
        yield Problem((*path, "max"), f"must be more than min ({part.min})")
    for name, amount in (("min", part.min), ("max", part.max)):
        if not _in_cents(amount):
            yield Problem((*path, name), f"must be from 0.01 to {FLOOR_MAX // 1_000_000}, in cents")
    if not part.explore:
        message = "nothing is tried: what lower floors would earn is not known for long"
        yield Problem((*path, "explore"), message, is_warning=True)
    if part.hours < 1 or HOURS_PER_DAY % part.hours:
        yield Problem((*path, "hours"), "must divide the day: 1, 2, 3, 4, 6, 8, 12 or 24")
    try:
        ZoneInfo(part.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        likely = hint(part.time_zone, available_timezones())
        yield Problem((*path, "time_zone"), f'there is no time zone "{part.time_zone}"{likely}')


def _in_cents(amount: Decimal) -> bool:
    """Tell whether a floor can be looked for from here, or up to here."""
    micros = amount * 1_000_000
    return MICROS_PER_CENT <= micros <= FLOOR_MAX and micros % MICROS_PER_CENT == 0
