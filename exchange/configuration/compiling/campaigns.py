"""A campaign with its stages resolved against all offers."""

from collections.abc import Iterable, Mapping

from exchange.configuration.compiling.buyers import SECONDS_PER_HOUR
from exchange.configuration.compiling.conditions import Read
from exchange.configuration.compiling.floors import floors_of
from exchange.configuration.compiling.limits import pilot_of
from exchange.configuration.compiling.margins import OfferMargins, terms_of
from exchange.configuration.learning import expecting_of, learn_floor_of, ranked_by
from exchange.contract.market.campaigns import Action, CampaignPart, DuplicatesPart, StagePart
from exchange.domain.campaign import Campaign, DuplicateRule, Method, Stage
from exchange.domain.money import from_decimal
from exchange.domain.offer import Offer
from exchange.domain.pilot import scope_of_campaign
from exchange.domain.vertical import Vertical

EVERY_OFFER = "*"
ONLY_RULE = "qualify"
"""The id of a qualification rule that has none of its own."""


def campaign_of(
    part: CampaignPart,
    offers: Mapping[str, Offer],
    read: Read,
    vertical: Vertical,
    margins: OfferMargins,
) -> Campaign:
    """Return a campaign with its stages resolved against all offers, in their order."""
    everyone = [offer for offer in offers.values() if offer.vertical_id == part.vertical]
    stages = part.stage or (StagePart(method=Method.AUCTION),)
    return Campaign(
        id=part.id,
        vertical_id=part.vertical,
        currency=part.currency,
        sellers={
            terms.seller_id: terms
            for terms in (terms_of(part, seller, margins) for seller in part.sellers)
        },
        floor=from_decimal(part.floor),
        floors=floors_of(part, vertical),
        stages=tuple(
            stage_of(number, stage, part, everyone, read) for number, stage in enumerate(stages, 1)
        ),
        auction_deadline_ms=part.auction_deadline_ms,
        answer_deadline_ms=part.answer_deadline_ms,
        quote_ttl_s=part.quote_ttl_s,
        hold_quotes=part.hold_quotes,
        qualify=tuple((rule, read(text)) for rule, text in rules_of(part).items()),
        min_score=part.min_score,
        location=part.location,
        duplicates=duplicates_of(part.duplicates),
        disclose_buyer=part.disclose_buyer,
        reject_disposable_email=part.reject_disposable_email,
        expecting=expecting_of(part),
        learn_floor=learn_floor_of(part),
        pilot=pilot_of(part.pilot, scope_of_campaign(part.id)),
        paused=part.paused,
    )


def rules_of(part: CampaignPart) -> Mapping[str, str]:
    """Return the qualification rules by the id with which they reject."""
    if isinstance(part.qualify, str):
        return {ONLY_RULE: part.qualify}
    return part.qualify


def stage_of(
    number: int, part: StagePart, campaign: CampaignPart, everyone: Iterable[Offer], read: Read
) -> Stage:
    """Return one step of a routing plan, its silent keys filled from its campaign."""
    floor = campaign.floor if part.floor is None else part.floor
    team = part.method is Method.OWN_TEAM
    all_of_it = tuple(offer.id for offer in everyone if offer.buyer.own or not team)
    return Stage(
        number=number,
        method=part.method,
        offer_ids=all_of_it if part.offers == (EVERY_OFFER,) else part.offers,
        timeout_ms=part.timeout_ms or campaign.auction_deadline_ms,
        floor=from_decimal(floor),
        rank_by=ranked_by(part, campaign),
        max_buyers=part.max_buyers,
        by_rules=part.floor is None and campaign.floors is not None,
        price_rule=part.price_rule,
        when=None if part.when is None else read(part.when),
        weights=part.weights,
        buy_now=None if part.buy_now is None else from_decimal(part.buy_now),
        early_close=part.early_close,
    )


def duplicates_of(part: DuplicatesPart | None) -> DuplicateRule | None:
    """Return when a lead repeats an earlier one."""
    if part is None:
        return None
    return DuplicateRule(
        window_s=part.window_hours * SECONDS_PER_HOUR,
        on=part.on,
        match=part.match,
        against=part.against,
        scope=part.scope,
        merges=part.action is Action.MERGE,
    )
