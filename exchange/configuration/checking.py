"""Everything that must hold of a market before it may become the market."""

from collections.abc import Iterator

import msgspec

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.draft import Draft, Raw, draft_of
from exchange.configuration.problem import Problem
from exchange.configuration.rules_buyer import (
    addresses,
    check_buyer,
    check_offer,
)
from exchange.configuration.rules_campaign import check_campaign, check_seller
from exchange.configuration.rules_door import check_doors
from exchange.configuration.rules_mapping import Uses, check_mapping
from exchange.configuration.rules_stage import check_fit
from exchange.configuration.rules_vertical import check_vertical
from exchange.contract.market_file import MarketFile
from exchange.domain.condition import compile_condition
from exchange.domain.condition_names import names_of


class Checked(msgspec.Struct, frozen=True):
    """A market, or None where anything is wrong with it, and all that was found."""

    market: MarketFile | None
    problems: tuple[Problem, ...]


def check_market(raw: Raw) -> Checked:
    """Return the market that was read, with every error and warning in it at once."""
    draft, problems = draft_of(raw)
    problems += _all(draft)
    if any(not problem.is_warning for problem in problems):
        return Checked(None, tuple(problems))
    return Checked(msgspec.convert(raw, MarketFile), tuple(problems))


def _all(draft: Draft) -> Iterator[Problem]:
    verticals = {}
    for vertical in draft.verticals:
        found = list(check_vertical(vertical))
        yield from found
        # Conditions on a broken schema would only repeat its mistakes.
        if not found:
            verticals[vertical.part.id] = vertical.part
    names = {name: names_of(vertical_of(part)) for name, part in verticals.items()}

    def compiles(text: str, vertical: str) -> None:
        if vertical in names:
            compile_condition(text, names[vertical])

    for seller in draft.sellers:
        yield from check_seller(seller)
    for mapping in draft.mappings:
        yield from check_mapping(mapping, draft.ids["vertical"])
    for buyer in draft.buyers:
        yield from check_buyer(buyer)
    uses = Uses(draft, verticals)
    for offer in draft.offers:
        yield from check_offer(offer, draft, verticals, compiles)
        yield from check_fit(offer.part, verticals.get(offer.part.vertical), compiles, offer.path)
        yield from uses.check(offer)
    yield from uses.unread()
    for campaign in draft.campaigns:
        yield from check_campaign(campaign, draft, verticals, compiles)
    yield from check_doors(draft, verticals)
    yield from addresses(draft)
