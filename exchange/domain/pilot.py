"""A pilot: somebody new may go so far, in leads and money, and no further; then it is over.

A buyer, an offer, a seller or a campaign. Its limits are caps of their own scope, `pilot/acme`,
held like any others. They count from the first lead on and never begin anew.
"""

from collections.abc import Iterable, Mapping

from exchange.domain.offer import Cap

SCOPE = "pilot/"
OFFER_SCOPE = "offer-pilot/"
CAMPAIGN_SCOPE = "campaign-pilot/"
SCOPES = SCOPE, OFFER_SCOPE, CAMPAIGN_SCOPE


def scope_of(name: str) -> str:
    """Return whose the limits of a buyer's, or of a seller's, pilot are."""
    return f"{SCOPE}{name}"


def scope_of_offer(name: str) -> str:
    """Return whose the limits of an offer's pilot are."""
    return f"{OFFER_SCOPE}{name}"


def scope_of_campaign(name: str) -> str:
    """Return whose the limits of a campaign's pilot are."""
    return f"{CAMPAIGN_SCOPE}{name}"


def is_of_pilot(counter_or_scope: str) -> bool:
    """Tell whether a cap, or its counter, is a pilot's."""
    return counter_or_scope.startswith(SCOPES)


def limits_of(caps: Iterable[Cap], *, test: bool) -> Iterable[Cap]:
    """Return what of these caps limits a lead: a pilot is no limit of tests, which end none."""
    return [cap for cap in caps if not is_of_pilot(cap.scope)] if test else caps


def name_of(cap: Cap) -> str:
    """Return the counter of a pilot's limit: a total has one for ever."""
    return f"{cap.scope}|{cap.kind!s}|{cap.per!s}|0"


def may_be_over(limits: Iterable[Cap], used: Mapping[str, int]) -> bool:
    """Tell from what is settled and held together whether a pilot is worth a closer look."""
    return any(used.get(name_of(cap), 0) >= cap.limit for cap in limits)


def is_over(
    limits: Iterable[Cap],
    settled: Mapping[str, int],
    held: Mapping[str, int],
    refused: Mapping[str, int],
) -> bool:
    """Tell whether a pilot is over for good: nothing under way could still make room.

    `refused`: of each counter the least amount that did not fit in. An amount of money is over
    where the next lead would pass it, not only where it is used up to the last cent.
    """
    names = [(name_of(cap), cap.limit) for cap in limits]
    if any(held.get(name, 0) for name, _ in names):
        return False
    return any(
        settled.get(name, 0) + min(1, limit) > limit
        or settled.get(name, 0) + refused.get(name, 0) > limit
        for name, limit in names
    )
