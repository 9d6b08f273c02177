"""Which offers may compete for a lead, and one reason for every offer that may not."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from exchange.domain.caps import Used, anyones, full
from exchange.domain.floors import Floors
from exchange.domain.lead import Facts, Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason

FOR_ANOTHER_KIND = "test offers get test leads, and only they"
EXCLUDED = "excluded by the seller"
SENT_BEFORE = "this buyer was already sent this lead"


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
    at_own_price: bool = False
    """Nobody is asked: each would pay its own price, and nothing less is of use to it."""

    def least(self, offer: Offer) -> Micros:
        """Return the least that this offer would pay."""
        floor = self.floors.of(offer)
        if not self.at_own_price:
            return floor
        return max(floor, offer.static_price(self.facts) or floor)


class LeftOut(msgspec.Struct, frozen=True):
    """Offers that may not compete for the same reason.

    A few are listed; where they are many, `places` are the bits of their places in their lineup.
    """

    reason: Reason
    detail: str | None
    """What is to be said of all of them; of a counter without whose it is. Which clause of a
    filter failed is not: it follows from the lead and the market, and is told to who asks."""
    offer_ids: tuple[str, ...] = ()
    places: int = 0


class Screening(msgspec.Struct, frozen=True):
    """Every offer exactly once: it competes, or it has its reason."""

    eligible: tuple[Offer, ...]
    """In their order."""
    left_out: tuple[LeftOut, ...]


def screen(offers: Iterable[Offer], around: Circumstances) -> Screening:
    """Divide a few offers into those that may compete and those that may not.

    This is what eligibility means; a lineup finds the same for thousands.
    """
    eligible: list[Offer] = []
    left_out: defaultdict[tuple[Reason, str | None], list[str]] = defaultdict(list)
    for offer in offers:
        verdict = left_out_for(offer, around)
        if verdict is None:
            eligible.append(offer)
        else:
            left_out[verdict].append(offer.id)
    return Screening(
        tuple(eligible),
        tuple(LeftOut(*verdict, tuple(ids)) for verdict, ids in left_out.items()),
    )


def left_out_for(offer: Offer, around: Circumstances) -> tuple[Reason, str | None] | None:
    """Return why this offer may not compete, or None. What costs least is asked first."""
    lead = around.lead
    buyer = offer.buyer
    if offer.paused or buyer.paused:
        return Reason.PAUSED, None
    if offer.test is not lead.test:
        return Reason.FILTERED, None
    if buyer.currency != around.currency:
        return Reason.CURRENCY, None
    if buyer.id in lead.exclude_buyers:
        return Reason.SUPPRESSED, EXCLUDED
    if buyer.id in around.posted_to:
        return Reason.DUPLICATE_FOR_BUYER, SENT_BEFORE
    if buyer.id in around.bought_by and buyer.duplicate_window_s:
        return Reason.DUPLICATE_FOR_BUYER, None
    if offer.where is not None and not offer.where.holds(around.facts):
        return Reason.FILTERED, None
    if offer.schedule is not None and not offer.schedule.is_open(around.at_us):
        return Reason.SCHEDULE, None
    found = full(
        offer,
        around.least(offer),
        around.at_us,
        around.used(buyer.id),
        credited=around.credited.get(buyer.id, Micros(0)),
        test=lead.test,
    )
    return None if found is None else (found[0], anyones(found[1]))


def filtered_by(offer: Offer, facts: Facts, *, test: bool) -> str | None:
    """Return which clause of an offer's filter this lead fails, or None where it fails none."""
    if offer.test is not test:
        return FOR_ANOTHER_KIND
    if offer.where is None:
        return None
    return offer.where.explain(facts) or None
