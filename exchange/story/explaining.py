"""Why offers were left out, told in full: what is not stored follows from lead and market; pure.

A timeline keeps which offers had which reason. Which clause of its filter each one failed is found
again when somebody asks, from the market's version under which the lead was screened and from the
lead's full record; where one of them is gone, that is what is said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from exchange.contract.timeline import alone, numbered
from exchange.domain import places
from exchange.domain.caps import someones
from exchange.domain.eligibility import filtered_by
from exchange.domain.events import Event, EventName
from exchange.domain.lead import Facts
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot

ERASED = "which clause failed is not known any more: the record was erased"
CHANGED = "which clause failed cannot be found again"
WITH_COUNTERS = frozenset({Reason.CAP, Reason.BUDGET, Reason.PAUSED})


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """What a lead's screening followed from."""

    campaign_id: str
    test: bool
    markets: Mapping[int, Snapshot | None]
    """By version; None where one cannot be read any more."""
    records: Sequence[Facts | None]
    """The facts of each record, the quote's before the lead's; None where it was erased."""

    def buyers(self) -> dict[str, str]:
        """Return the buyer of every offer that the lead could meet."""
        known = (market for market in self.markets.values() if market is not None)
        return {name: offer.buyer.id for market in known for name, offer in market.offers.items()}


def explained(events: Sequence[Event], screened: Screened) -> Iterator[Event]:
    """Yield all events, those of offers left out one for each offer, with all there is to say."""
    asked = EventName.QUOTED in {event.event for event in events}
    facts = screened.records[0] if screened.records else None
    score: int | None = None
    for event in events:
        score = event.score if event.score is not None else score
        if event.version is None:
            yield event
        else:
            known = None if facts is None or score is None else {**facts, "score": score}
            yield from each(event, screened, known)
        if asked and event.event is EventName.QUOTED:
            facts = screened.records[-1] if screened.records else None


def each(event: Event, screened: Screened, facts: Facts | None) -> Iterator[Event]:
    """Yield one event for each offer that this one speaks of."""
    assert event.version is not None, "only what names its market is explained"
    market = screened.markets.get(event.version)
    for code, offer_ids in (event.left_out or {}).items():
        yield from lines(event, Reason(code), offer_ids, screened, facts)
    for code, packed in (event.places or {}).items():
        if market is None or screened.campaign_id not in market.plans or event.stage is None:
            yield nameless(event, Reason(code), packed)
            continue
        plan = market.plan(screened.campaign_id, test=screened.test)
        offer_ids = plan.lineup(event.stage).offer_ids
        those = places.picked(offer_ids, places.unpack(packed))
        yield from lines(event, Reason(code), those, screened, facts)


def lines(
    event: Event,
    reason: Reason,
    offer_ids: Iterable[str],
    screened: Screened,
    facts: Facts | None,
) -> Iterator[Event]:
    """Yield one event for each of these offers, with its own detail."""
    market = screened.markets.get(event.version or 0)
    for offer_id in offer_ids:
        offer = None if market is None else market.offers.get(offer_id)
        line = alone(event, offer_id, reason)
        detail = own_detail(line, offer, facts, test=screened.test)
        yield msgspec.structs.replace(line, detail=detail)


def own_detail(line: Event, offer: Offer | None, facts: Facts | None, *, test: bool) -> str | None:
    """Return what is to be said of one offer beside its reason."""
    if line.detail is not None:
        is_counter = line.reason in WITH_COUNTERS and offer is not None
        return someones(line.detail, offer) if is_counter and offer else line.detail
    if line.reason is not Reason.FILTERED:
        return None
    if offer is None:
        return CHANGED
    if facts is None:
        return filtered_by(offer, {}, test=test) if offer.test is not test else ERASED
    return filtered_by(offer, facts, test=test) or CHANGED


def nameless(event: Event, reason: Reason, packed: str) -> Event:
    """Return what can be said of offers whose market cannot be read any more."""
    told = f"{numbered(places.count(packed))} of market version {event.version}"
    detail = told if event.detail is None else f"{told}: {event.detail}"
    changed: Event = msgspec.structs.replace(event, reason=reason, detail=detail, places=None)
    return msgspec.structs.replace(changed, left_out=None)
