"""Who may compete for a lead in a stage; whoever may not has its reason written down."""

from collections.abc import Iterable

import msgspec

from exchange.domain.bid import Contender
from exchange.domain.campaign import ASKING, Campaign, Stage
from exchange.domain.caps import Used
from exchange.domain.choice import sharing_of
from exchange.domain.condition import Condition
from exchange.domain.eligibility import Circumstances, LeftOut, Screening, screen
from exchange.domain.events import EventName
from exchange.domain.floors import Floors, named
from exchange.domain.lead import Facts, Lead
from exchange.domain.lineup import Lineup
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.story.chain import Chain
from exchange.story.ending import Course
from exchange.story.leaving_out import note_left_out
from exchange.story.stations import Stations

DETAIL_MAX = 200


class Known(msgspec.Struct, frozen=True):
    """What is known of a lead beside itself."""

    facts: Facts
    """All that conditions may ask of it, its score among them."""
    bought_by: frozenset[str]
    """Buyers who bought this person inside their own window."""


class Entering:
    """Lets offers in, stage by stage, and notes why it does not."""

    def __init__(
        self,
        stations: Stations,
        snapshot: Snapshot,
        lead: Lead,
        known: Known,
        chain: Chain,
        course: Course,
    ) -> None:
        """Take the lead, what is known beside it, and where to note who is left out."""
        self._stations = stations
        self._snapshot = snapshot
        self._lead = lead
        self._known = known
        self._chain = chain
        self._course = course
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self._plan = snapshot.plan(self._campaign.id, test=self._lead.test)
        self._held_of: frozenset[str] = frozenset()

    def holds_for(self, offer_ids: Iterable[str]) -> None:
        """Let the buyers of these offers not be full: a quote holds room for them."""
        offers = self._snapshot.offers
        self._held_of = frozenset(offers[name].buyer.id for name in offer_ids if name in offers)

    def screened(self, stage: Stage, floors: Floors, posted_to: frozenset[str]) -> Screening:
        """Return who of a stage may compete under these floors."""
        lineup = self._plan.lineup(stage.number)
        around = self._around(floors, posted_to, at_own_price=stage.method not in ASKING)
        with self._stations.timed("eligibility"):
            screening = lineup.screen(around)
        return self._noted(screening, stage, floors, lineup)

    def screened_again(self, only: Iterable[str], stage: Stage, floors: Floors) -> Screening:
        """Return who of these offers, whose bids a quote brought, may still compete."""
        offers = self._snapshot.offers
        around = self._around(floors, frozenset())
        with self._stations.timed("eligibility"):
            screening = screen([offers[name] for name in only if name in offers], around)
        return self._noted(screening, stage, floors, self._plan.lineup(stage.number))

    def contenders(
        self, eligible: Iterable[Offer], stage: Stage, floors: Floors
    ) -> tuple[Contender, ...]:
        """Return the offers that may compete, each under its terms.

        Where several may have the lead: those who may come in beside who has it already.
        """
        facts = self._known.facts
        found = [
            Contender(offer, floors.of(offer), offer.static_price(facts)) for offer in eligible
        ]
        return tuple(found) if stage.max_buyers == 1 else self._who_may_share(found, stage)

    # Who may not

    def leave_out(self, offer_id: str, why: Reason, stage: int, detail: str | None = None) -> None:
        """Note why an offer does not compete, or is not tried any more."""
        self._chain.note(
            EventName.OFFER_LEFT_OUT, offer=offer_id, reason=why, detail=detail, stage=stage
        )

    def leave_out_all(self, stage: Stage, why: Reason, detail: str | None = None) -> None:
        """Note one reason for all offers of a stage that is not reached, or not for this lead."""
        lineup = self._plan.lineup(stage.number)
        if lineup.offers:
            left_out = lineup.left_out(lineup.everyone, why, detail)
            note_left_out(self._chain, self._plan, stage.number, [left_out])

    def leave_out_unasked(self, stage: Stage, left_out: Iterable[LeftOut]) -> None:
        """Note offers that may not be asked now: over their rate, or a seller's ping budget."""
        self._course.eligible -= sum(len(some.offer_ids) for some in left_out)
        self._note_left_out(left_out, stage, self._plan.lineup(stage.number))

    def pass_by(self, stage: Stage, when: Condition) -> None:
        """Note that a stage is not for this lead."""
        self._chain.note(EventName.STAGE, stage=stage.number, detail=stage.method.value)
        why = f"the stage is for {when.text}"
        self.leave_out_all(stage, Reason.FILTERED, " ".join(why.split())[:DETAIL_MAX])

    def _around(
        self, floors: Floors, posted_to: frozenset[str], *, at_own_price: bool = False
    ) -> Circumstances:
        return Circumstances(
            lead=self._lead,
            facts=self._known.facts,
            currency=self._campaign.currency,
            at_us=self._stations.now_us(),
            floors=floors,
            used=self._used if self._held_of else self._stations.market.used,
            credited=self._snapshot.credited,
            bought_by=self._known.bought_by,
            posted_to=posted_to,
            at_own_price=at_own_price,
        )

    def _used(self, buyer_id: str) -> Used:
        """Return what is used of a buyer's limits, but for whom a quote holds room."""
        return {} if buyer_id in self._held_of else self._stations.market.used(buyer_id)

    def _who_may_share(
        self, contenders: Iterable[Contender], stage: Stage
    ) -> tuple[Contender, ...]:
        """Return who may have the lead beside those who have it already, each under its terms."""
        sharing = sharing_of(self._lead, stage)
        found: list[Contender] = []
        for one in contenders:
            detail = sharing.why_not(one.offer)
            if detail is None:
                one.buyers_max = sharing.buyers_max_of(one.offer) + self._lead.already_sold
                found.append(one)
            else:
                self._course.eligible -= 1
                self.leave_out(one.offer.id, Reason.SUPPRESSED, stage.number, detail)
        return tuple(found)

    # What is written down

    def _noted(
        self, screening: Screening, stage: Stage, floors: Floors, lineup: Lineup
    ) -> Screening:
        self._chain.note(
            EventName.STAGE,
            stage=stage.number,
            detail=named(stage, floors),
            floor=None if floors.rule is None else floors.rule.amount,
        )
        self._note_left_out(screening.left_out, stage, lineup)
        self._course.eligible += len(screening.eligible)
        return screening

    def _note_left_out(self, left_out: Iterable[LeftOut], stage: Stage, lineup: Lineup) -> None:
        for some in left_out:
            self._stations.observer.offers_left_out(some.reason, some.offer_ids)
            self._stations.observer.places_left_out(some.reason, lineup.offer_ids, some.places)
        note_left_out(self._chain, self._plan, stage.number, left_out)
