"""What a lead's timeline says of its buyers: what each answered, and how each post ended; pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from exchange.domain import places
from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId
from exchange.domain.money import Micros, parse_json
from exchange.domain.person import Person
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import SaleState
from exchange.domain.submission import Submission
from exchange.replay.lessons import Learned
from exchange.story.record import raw

US_PER_MS = 1000
FOR_IT_ALONE = " for it alone"
OF_THE_MOMENT = frozenset({Reason.THROTTLED, Reason.RATE})
"""Why an offer was not asked that has nothing to do with lead or market."""


class Answer(msgspec.Struct, frozen=True):
    """What an offer said when it was asked: its price, or why there is none."""

    price: Micros | None
    reason: Reason | None
    ms: float
    alone: Micros | None = None
    """What it would pay to be the only one."""


class Posted(msgspec.Struct, frozen=True):
    """How a post ended, doubts included."""

    state: SaleState
    charge: Micros | None
    """What the buyer then said that it pays, where that was not what it was asked."""
    detail: str | None
    ms: float


class Sale(msgspec.Struct, frozen=True):
    """What a recorded sale took of its buyer's limits."""

    offer_id: str
    charge: Micros
    held_at_us: int


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What one lead came to."""

    status: str
    sales: int = 0
    revenue: Micros = Micros(0)
    payout: Micros = Micros(0)
    ms: float = 0.0
    """From its arrival to its end."""

    @property
    def margin(self) -> Micros:
        """What the exchange keeps."""
        return Micros(self.revenue - self.payout)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One lead as it was written down."""

    lead_id: LeadId
    campaign_id: str
    version: int
    received_at_us: int
    submission: Submission
    pinged: Submission | None
    """What its ping said, and when; None for a direct post."""
    quoted_under: int
    """The version under which its ping was quoted; of a direct post its own."""
    answers: Mapping[tuple[int, str], Answer]
    """By stage and offer."""
    posts: Mapping[str, Posted]
    """By offer."""
    tried: Mapping[int, tuple[str, ...]]
    """By stage whose turn it was, as far as that was seen."""
    learned: Learned
    original: LeadId | None
    """Of a duplicate: the lead that came first."""
    bought_by: frozenset[str]
    """Buyers who had bought this person inside their own window."""
    rated: frozenset[str]
    """Offers that had been asked as often as they may be."""
    sales: tuple[Sale, ...]
    events: tuple[Event, ...]
    end: Sums


class Answers:
    """What the offers of one lead said, each in whichever stage it was asked."""

    def __init__(self, answers: Mapping[tuple[int, str], Answer]) -> None:
        """Take them by stage and offer."""
        self._answers = answers
        self._anywhere: dict[str, Answer] = {}
        for (_, offer_id), answer in answers.items():
            self._anywhere.setdefault(offer_id, answer)

    def get(self, stage: int, offer_id: str) -> Answer | None:
        """Return what the offer said in this stage, or else in another; None: it was not asked."""
        return self._answers.get((stage, offer_id)) or self._anywhere.get(offer_id)


# The timeline


def answers_of(events: Iterable[Event]) -> dict[tuple[int, str], Answer]:
    """Return what each offer answered in each stage, and who was kept from being asked."""
    found: dict[tuple[int, str], Answer] = {}
    stage = 0
    for one in events:
        if one.event is EventName.STAGE:
            stage = one.stage or stage
        if one.offer is None:
            continue
        place = stage, one.offer
        if one.event is EventName.BID and (place not in found or found[place].price is None):
            # Also of one that was cut off, and answered while others were posted to.
            found[place] = Answer(one.price, None, one.ms or 0.0, alone_in(one.detail))
        elif one.event is EventName.NO_BID or (
            one.event is EventName.OFFER_LEFT_OUT and one.reason in OF_THE_MOMENT
        ):
            if place in found and found[place].reason is not Reason.CUT_OFF:
                continue
            found[place] = Answer(None, one.reason, one.ms or 0.0)
    return found


def alone_in(detail: str | None) -> Micros | None:
    """Return the exclusive price in a bid's line, `30.00 for it alone`."""
    if detail is None or not detail.endswith(FOR_IT_ALONE):
        return None
    return parse_json(detail.split()[0].encode())


def tried_of(events: Iterable[Event]) -> dict[int, tuple[str, ...]]:
    """Return by stage whose turn it was: who was tried, in order, then who stood in the ranking."""
    tried: defaultdict[int, list[str]] = defaultdict(list)
    ranked: defaultdict[int, list[str]] = defaultdict(list)
    stage = 0
    for one in events:
        if one.event is EventName.STAGE:
            stage = one.stage or stage
        elif one.event in ATTEMPTS and one.offer is not None:
            tried[stage].append(one.offer)
        elif one.event is EventName.RANKED:
            ranked[stage] += one.offers or ()
    return {
        number: tuple(dict.fromkeys((*tried[number], *ranked[number])))
        for number in {*tried, *ranked}
    }


def posts_of(events: Iterable[Event]) -> dict[str, Posted]:
    """Return how the post to each offer ended."""
    found: dict[str, Posted] = {}
    sent_us: dict[str, int] = {}
    asked: dict[str, Micros | None] = {}
    doubted: set[str] = set()
    for one in events:
        if one.offer is None or one.sale_id is None:
            continue
        if one.event is EventName.AWARDED:
            asked[one.sale_id] = one.price
        elif one.event is EventName.POSTED:
            sent_us[one.sale_id] = one.at_us
        elif one.event is EventName.IN_DOUBT:
            doubted.add(one.sale_id)
        elif one.event in ENDS:
            ms = one.ms or 0.0
            if one.sale_id in doubted:
                # The answer's own time is that of the last repetition.
                ms = (one.at_us - sent_us.get(one.sale_id, one.at_us)) / US_PER_MS
            state = ENDS[one.event]
            charge = one.price if one.price != asked.get(one.sale_id) else None
            found.setdefault(one.offer, Posted(state, charge, one.detail, ms))
    return found


ATTEMPTS = frozenset({EventName.HOLD_FAILED, EventName.AWARDED})
ENDS = {
    EventName.ACCEPTED: SaleState.ACCEPTED,
    EventName.REFUSED: SaleState.REFUSED,
    EventName.VOIDED: SaleState.VOID,
}


def left_out_for(
    reason: Reason, events: Iterable[Event], campaign_id: str, market: Snapshot, but: str = ""
) -> frozenset[str]:
    """Return the offers that were left out for a reason before anybody was asked.

    `but`: not those of which this is said besides.
    """
    found: set[str] = set()
    for one in events:
        if not (but and one.detail == but):
            found.update(together(one, campaign_id, market).get(reason, ()))
    return frozenset(found)


def together(one: Event, campaign_id: str, market: Snapshot) -> dict[Reason, tuple[str, ...]]:
    """Return the offers that one line leaves out without a word of their own, by reason."""
    if one.version is None or one.stage is None:
        return {}
    found = {Reason(code): names for code, names in (one.left_out or {}).items()}
    plan = market.plans.get(campaign_id)
    if one.places and plan is not None and one.version == market.version:
        lineup = plan.lineup(one.stage).offer_ids
        for code, packed in one.places.items():
            many = tuple(places.picked(lineup, places.unpack(packed)))
            found[Reason(code)] = (*found.get(Reason(code), ()), *many)
    return found


# The sealed records of a ping and its post


def ping_of(record: bytes, posted: Submission, at_us: int) -> Submission:
    """Return a ping from its own record and from its post, which says the rest again."""
    wire = raw(record)
    lead = msgspec.structs.replace(
        posted.lead,
        fields=wire.get("fields", {}),
        derived=wire.get("derived", {}),
        received_at_us=at_us,
        min_price=Micros(wire.get("min_price", 0)),
        answer_by_us=at_us + (posted.lead.answer_by_us - posted.lead.received_at_us),
    )
    pinged: Submission = msgspec.structs.replace(posted, lead=lead, person=Person(), legs=None)
    return pinged
