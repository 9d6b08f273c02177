"""Which offers may compete for a lead, and one reason for every offer that may not."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from exchange.domain.bid import OfferResult
from exchange.domain.caps import Used, full
from exchange.domain.floors import Floors
from exchange.domain.lead import Facts, Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """All that eligibility depends on, besides the offers."""

    lead: Lead
    facts: Facts
    currency: str
    at_us: int
    floors: Floors
    used: Callable[[str], Used]
    """What each buyer's counters were when last read ahead."""
    credited: Mapping[str, Micros]
    bought_by: frozenset[str]
    """Buyers who bought this person inside their own duplicate window."""
    posted_to: frozenset[str]
    """Buyers who were already sent this lead: one buyer gets one post per lead."""


class Screening(msgspec.Struct, frozen=True):
    """Every offer exactly once: it competes, or it has its reason."""

    eligible: tuple[Offer, ...]
    left_out: tuple[OfferResult, ...]


def screen(offers: Iterable[Offer], around: Circumstances) -> Screening:
    """Divide the offers into those that may compete and those that may not, in their order."""
    eligible: list[Offer] = []
    left_out: list[OfferResult] = []
    for offer in offers:
        verdict = left_out_for(offer, around)
        if verdict is None:
            eligible.append(offer)
        else:
            left_out.append(OfferResult(offer_id=offer.id, reason=verdict[0], detail=verdict[1]))
    return Screening(tuple(eligible), tuple(left_out))


def left_out_for(offer: Offer, around: Circumstances) -> tuple[Reason, str | None] | None:
    """Return why this offer may not compete, or None. What costs least is asked first."""
    lead = around.lead
    buyer = offer.buyer
    if offer.paused or buyer.paused:
        return Reason.PAUSED, None
    if offer.test is not lead.test:
        return Reason.FILTERED, "test offers get test leads, and only they"
    if buyer.currency != around.currency:
        return Reason.CURRENCY, None
    if buyer.id in lead.exclude_buyers:
        return Reason.SUPPRESSED, "excluded by the seller"
    if buyer.id in around.posted_to:
        return Reason.DUPLICATE_FOR_BUYER, "this buyer was already sent this lead"
    if buyer.id in around.bought_by and buyer.duplicate_window_s:
        return Reason.DUPLICATE_FOR_BUYER, None
    if offer.where is not None and not offer.where.holds(around.facts):
        return Reason.FILTERED, offer.where.explain(around.facts)
    if offer.schedule is not None and not offer.schedule.is_open(around.at_us):
        return Reason.SCHEDULE, None
    return full(
        offer,
        around.floors.of(offer),
        around.at_us,
        around.used(buyer.id),
        credited=around.credited.get(buyer.id, Micros(0)),
        test=lead.test,
    )
