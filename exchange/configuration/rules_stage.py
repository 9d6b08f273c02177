"""What must hold of a stage by its method, and of how well leads fit an offer."""

from collections.abc import Iterator

from exchange.configuration.compiling.campaigns import EVERY_OFFER
from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.draft import Draft, OfferEntry
from exchange.configuration.learning import first_asking
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.configuration.rules_buyer import CheckCondition, check_condition
from exchange.contract.market.campaigns import CampaignPart, StagePart
from exchange.contract.market.offers import OfferPart
from exchange.contract.market.verticals import VerticalPart
from exchange.domain.campaign import ASKING, IN_TURNS, Method, PriceRuleKind, Weights
from exchange.domain.condition import ConditionError
from exchange.domain.condition_names import names_of
from exchange.domain.formula import compile_formula

FOR_ONE = IN_TURNS | {Method.FIRST_ACCEPT}
TURNS_MAX = 1000
"""Offers of a stage with turns at most: what one call to market state can carry."""


def check_stage(
    stage: StagePart, campaign: CampaignPart, draft: Draft, compiles: CheckCondition, path: Path
) -> Iterator[Problem]:
    """Tell what of a stage does not go with its method."""
    if stage.when is not None:
        yield from check_condition(stage.when, campaign.vertical, compiles, (*path, "when"))
    elif stage.method is Method.RULE:
        yield Problem((*path, "when"), "is missing: a rule is for the leads of its condition")
    yield from _other_methods_keys(stage, path)
    first = first_asking(campaign)
    is_learning = campaign.learn_floor is not None and first is not None and first[1] is stage
    if stage.early_close and is_learning:
        yield Problem((*path, "early_close"), "a floor is learned from all bids, losers' too")
    offers = list(_offers_of(stage, campaign, draft))
    if stage.method not in ASKING:
        yield from _unpriced(stage, draft, path)
    if stage.method in IN_TURNS and len(offers) > TURNS_MAX:
        message = f"turns are for {TURNS_MAX} offers at most; there are {len(offers)}"
        yield Problem((*path, "offers"), message)
    if stage.method is Method.OWN_TEAM:
        yield from _team(stage, offers, path)
    if stage.method is Method.FIRST_ACCEPT and stage.buy_now is None:
        yield from _buy_now(offers, path)
    if stage.method is Method.BEST_MATCH and not any(entry.part.fit for entry in offers):
        message = "none of its offers says what fits: the best price wins"
        yield Problem((*path, "method"), message, is_warning=True)
    if stage.early_close and stage.method in {Method.AUCTION, Method.FIRST_ACCEPT}:
        yield from _bounds(offers, path)


def check_fit(
    offer: OfferPart, vertical: VerticalPart | None, compiles: CheckCondition, path: Path
) -> Iterator[Problem]:
    """Tell what is wrong with how well leads fit an offer."""
    if not isinstance(offer.fit, str):
        for index, rule in enumerate(offer.fit):
            place = (*path, "fit", index, "when")
            yield from check_condition(rule.when, offer.vertical, compiles, place)
        return
    if vertical is None:
        return
    try:
        compile_formula(offer.fit, names_of(vertical_of(vertical)))
    except ConditionError as error:
        yield Problem((*path, "fit"), str(error))


def _other_methods_keys(stage: StagePart, path: Path) -> Iterator[Problem]:
    if stage.weights is not Weights.FIXED and stage.method is not Method.WEIGHTED:
        yield Problem((*path, "weights"), 'is for method = "weighted"')
    if stage.buy_now is not None and stage.method is not Method.FIRST_ACCEPT:
        yield Problem((*path, "buy_now"), 'is for method = "first_accept"')
    if stage.early_close and stage.method not in ASKING:
        yield Problem((*path, "early_close"), f'nobody is asked under method = "{stage.method}"')
    if stage.early_close and stage.price_rule is PriceRuleKind.SECOND_PRICE:
        yield Problem((*path, "early_close"), "the second price is known once all have bid")
    matches = stage.early_close and stage.method is Method.BEST_MATCH
    if stage.max_buyers > 1 and (matches or stage.method in FOR_ONE):
        closing = " that closes early" if matches else ""
        message = f'a stage with method = "{stage.method}"{closing} sells to one buyer'
        yield Problem((*path, "max_buyers"), message)


def _offers_of(stage: StagePart, campaign: CampaignPart, draft: Draft) -> Iterator[OfferEntry]:
    """Yield the offers that a stage names, or means."""
    named = set(stage.offers)
    for entry in draft.offers:
        is_own = entry.buyer is not None and entry.buyer.own
        if EVERY_OFFER in named:
            is_meant = stage.method is not Method.OWN_TEAM or is_own
            if entry.part.vertical == campaign.vertical and is_meant:
                yield entry
        elif entry.part.id in named:
            yield entry


def _unpriced(stage: StagePart, draft: Draft, path: Path) -> Iterator[Problem]:
    offers = {entry.part.id: entry.part for entry in draft.offers}
    for index, name in enumerate(stage.offers):
        offer = offers.get(name)
        if offer is not None and offer.price is None and not offer.prices:
            message = f'"{name}" has no price of its own and cannot buy in a {stage.method} stage'
            yield Problem((*path, "offers", index), message, is_warning=True)


def _team(stage: StagePart, offers: list[OfferEntry], path: Path) -> Iterator[Problem]:
    if not offers:
        yield Problem((*path, "offers"), "no buyer of this vertical is the house's own: own = true")
    for entry in offers:
        if entry.buyer is not None and not entry.buyer.own:
            index = stage.offers.index(entry.part.id)
            message = f'"{entry.part.id}" is no offer of the own team: its buyer is not own = true'
            yield Problem((*path, "offers", index), message)


def _buy_now(offers: list[OfferEntry], path: Path) -> Iterator[Problem]:
    if all(entry.part.buy_now is None for entry in offers):
        message = "is missing: neither the stage nor any of its offers says it"
        yield Problem((*path, "buy_now"), message)


def _bounds(offers: list[OfferEntry], path: Path) -> Iterator[Problem]:
    """Warn where no bid can ever decide: everybody may bid as much as anybody else."""
    bounds = {bound_of(entry.part) for entry in offers}
    priorities = {entry.part.priority for entry in offers}
    if offers and len(bounds) == 1 and len(priorities) == 1:
        message = "can decide nothing: no offer's ping has a max_bid lower than another's"
        yield Problem((*path, "early_close"), message, is_warning=True)


def bound_of(offer: OfferPart) -> object:
    """Return the most that an offer may bid, or that it competes unasked."""
    return None if offer.ping is None else offer.ping.max_bid
