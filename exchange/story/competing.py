"""A stage of the routing plan: who may compete, what they bid, and who stands how."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from exchange.auction.ping import showing_under
from exchange.auction.tender import AuctionResult, ClosedEarly, Tender
from exchange.domain import anonymize, ranking
from exchange.domain.bid import Bid, Contender, above
from exchange.domain.campaign import ASKING, IN_TURNS, Campaign, Method, Stage
from exchange.domain.choice import Worth, at_price
from exchange.domain.deadline import asking_left_ms
from exchange.domain.events import EventName
from exchange.domain.exclusivity import person_keys
from exchange.domain.expected import Valuing
from exchange.domain.floor_table import RuledFloor
from exchange.domain.floors import Floors, floors_in
from exchange.domain.lead import Facts
from exchange.domain.learned_floors import Floored
from exchange.domain.money import Micros
from exchange.domain.paying import Terms
from exchange.domain.pricing import split
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.anonymity import note_anonymity
from exchange.story.chain import Chain
from exchange.story.ending import Course
from exchange.story.entering import Entering, Known
from exchange.story.floor_learning import floor_event, floor_for
from exchange.story.rationing import rationing_of
from exchange.story.results import Results
from exchange.story.stations import Stations
from exchange.story.succession import InTurn, Joined, Succession
from exchange.story.tendering import closing_of, fitting, showing_of
from exchange.story.turning import Turning


class Competing:
    """Lets offers compete for one lead, stage by stage; every offer has one result in each."""

    def __init__(  # noqa: PLR0913 - a lead, where it stands, and what it is told with
        self,
        stations: Stations,
        snapshot: Snapshot,
        submission: Submission,
        chain: Chain,
        course: Course,
        *,
        score: int,
        bought_by: frozenset[str],
        payout_wanted: Micros,
        only_asks: bool = False,
    ) -> None:
        """Take the lead with its score, and the least that its seller must get.

        `only_asks`: for a quote, by which nobody has had a turn.
        """
        self._stations = stations
        self._submission = submission
        self._chain = chain
        self._course = course
        self._payout_wanted = payout_wanted
        self._only_asks = only_asks
        self._lead = submission.lead
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self._vertical = snapshot.verticals[self._campaign.vertical_id]
        self._early: ClosedEarly | None = None
        """How the last auction ended, if before its time."""
        self._by: ranking.Worth | None = None
        self._valuing: Valuing | None = None
        """What its bids were ranked by, and what they were worth."""
        self._rationing = rationing_of(stations, snapshot, self._lead, chain)
        self.score = score
        """What the lead was scored."""
        self._terms: Terms | None = None
        self.worth: Worth = at_price
        """What a bid of the stage that was put up last is expected to bring."""
        self._facts: Facts = {**submission.facts(), "score": score}
        self._results = Results(
            stations, chain, course, campaign_id=self._campaign.id, person=submission.person
        )
        known = Known(self._facts, bought_by)
        self._entering = Entering(stations, snapshot, self._lead, known, chain, course)
        self.leave_out = self._entering.leave_out
        """Note why an offer does not compete, or is not tried any more."""
        self.leave_out_all = self._entering.leave_out_all
        """Note one reason for all offers of a stage that is not reached, or not for this lead."""
        self._showing = showing_of(submission, self._campaign, self._vertical, score)

    @property
    def terms(self) -> Terms:
        """On what the lead is sold in the stage that was put up last."""
        assert self._terms is not None, "a stage has been put up"
        return self._terms

    def wants(self, payout: Micros) -> None:
        """Let the seller get at least this from now on."""
        self._payout_wanted = payout

    def payout_of(self, bid: Bid) -> Micros:
        """Return what the seller gets of a bid that pays all it bid."""
        terms = self.terms
        return split(bid.price, terms.seller.margin_of(bid.offer.id), terms.wanted).payout

    # A stage is put up

    async def compete(self, stage: Stage, posted_to: frozenset[str]) -> tuple[Bid, ...]:
        """Return the bids that stand in this stage, best first; note a result for every offer."""
        self._early = None
        if stage.when is not None and not stage.when.holds(self._facts):
            self._entering.pass_by(stage, stage.when)
            return ()
        floored = floor_for(self._stations, self._campaign, stage, self._submission)
        floors = self._floors(stage, floored=floored)
        screening = self._entering.screened(stage, floors, posted_to)
        contenders = self._entering.contenders(screening.eligible, stage, floors)
        if stage.method not in ASKING:
            return await self._unasked(stage, contenders)
        return await self._asked(stage, contenders, posted_to, floored)

    def _floors(
        self, stage: Stage, quoted: RuledFloor | None = None, floored: Floored | None = None
    ) -> Floors:
        """Return the floors of a stage; on them, its price rule and the seller it is sold now."""
        wanted = self._payout_wanted
        floors = floors_in(self._lead, self._facts, self._campaign, stage, wanted, quoted)
        if floored is not None:
            floors.raise_to(floored.floor)
        seller = self._campaign.sellers[self._lead.seller_id]
        self._terms = Terms(stage.price_rule, seller, floors, wanted)
        return floors

    async def _asked(
        self,
        stage: Stage,
        contenders: tuple[Contender, ...],
        posted_to: frozenset[str],
        floored: Floored | None,
    ) -> tuple[Bid, ...]:
        """Ask all at once; return the bids that reach their floors, best first."""
        began_us = self._stations.now_us()
        if self._rationing is not None:
            contenders = await self._rationing.admitted(
                contenders, began_us, partial(self._entering.leave_out_unasked, stage)
            )
        self._valuing, self._by = self._ranking(stage, contenders)
        self.worth = at_price if self._valuing is None else self._valuing.brings
        now_us = self._stations.now_us()
        left_ms = asking_left_ms(self._lead, self._campaign, stage, now_us, awarded=bool(posted_to))
        is_first = not posted_to
        with self._stations.timed("auction"):
            result = await self._stations.auction.run(
                Tender(
                    auction_id=f"{self._lead.lead_id}/{stage.number}",
                    showing=showing_under(stage.price_rule, self._showing),
                    fingerprint=self._submission.fingerprint,
                    hashed=anonymize.hashed_fields(self._vertical),
                    seller_id=self._lead.seller_id,
                    source_id=self._lead.source.id,
                    contenders=contenders,
                    at_us=began_us,
                    timeout_ms=left_ms,
                    by=self._by,
                    closing=closing_of(
                        stage, self._lead, contenders, self.worth, is_first=is_first
                    ),
                )
            )
        if floored is not None:
            self._chain.add(floor_event(floored, self.terms.floors, stage, now_us))
        self._note_pings(result, began_us)
        self._results.of_auction(result, began_us, self._valuing)
        self._early = result.early
        return result.ranked

    def _ranking(
        self, stage: Stage, contenders: Iterable[Contender]
    ) -> tuple[Valuing | None, ranking.Worth | None]:
        """Return what bids are worth here, if that is more than they pay, and what ranks them."""
        if stage.method is Method.BEST_MATCH:
            return None, fitting(contenders, self._facts)
        valuing = self._stations.lessons().valuing(self._campaign, stage)
        return valuing, None if valuing is None else valuing.worth

    def _note_pings(self, result: AuctionResult, began_us: int) -> None:
        pinged = tuple([one.offer.id for one in result.results if one.pinged])
        if pinged:
            self._chain.note(EventName.PINGED, offers=pinged, at_us=began_us)
            if self._vertical.anonymity_window_s:
                note_anonymity(self._stations, self._chain, self._submission, self._vertical)
        if self._rationing is not None:
            self._rationing.pinged(len(pinged), began_us)

    async def _unasked(self, stage: Stage, contenders: Iterable[Contender]) -> tuple[Bid, ...]:
        """Return the static prices that reach their floors, in the order of the stage's method.

        Whose turn it is shows when it is taken, unless this is but a question.
        """
        if stage.method is not Method.RULE:
            contenders = sorted(contenders, key=lambda one: one.offer.priority)
        standing = self._results.static_bids(contenders)
        if stage.method in IN_TURNS and not self._only_asks:
            return standing
        if stage.method in IN_TURNS:
            standing = await Turning(self._stations.market, self._lead, stage).look(standing)
        self._results.ranking(standing)
        return standing

    # Who is tried after whom

    def in_order(
        self,
        stage: Stage,
        bids: tuple[Bid, ...],
        posted_to: Collection[str],
        *,
        is_promised: bool = False,
    ) -> Succession:
        """Return the bids that stand in a stage, in the order in which they are to be tried.

        `posted_to` is looked at when the next one is asked for; `is_promised`: by a quote.
        """
        if stage.method in IN_TURNS:
            turning = Turning(self._stations.market, self._lead, stage)
            told = self._results.ranking
            return InTurn(bids, turning, self._course, posted_to, told, is_promised=is_promised)
        if self._early is not None and self._early.decided.bid is not None:
            return Joined(bids, self._with_late, self._early.rest.heard_out)
        return Succession(bids)

    def joined(self, left: list[Bid]) -> list[Bid]:
        """Return the bids that are left, with those of who was cut off and answered since."""
        return left if self._early is None else self._with_late(left)

    async def heard_out(self) -> bool:
        """Wait until nobody who was cut off is silent any more; tell whether that brought news."""
        if self._early is None or self._early.decided.bid is None:
            return False
        await self._early.rest.heard_out()
        return self._early.rest.has_news

    def _with_late(self, left: Sequence[Bid]) -> list[Bid]:
        """Return the bids that are left and those that came after an early end, best first."""
        assert self._early is not None, "who joins late was cut off"
        standing = list(left)
        for late in self._early.rest.take():
            self._chain.captured(late.captured)
            self._results.of(late.contender, self._stations.now_us())
            if late.bid is not None:
                standing.append(late.bid)
        new = len(standing) - len(left)
        self._course.above_floor += new
        ranked = ranking.rank(standing, self._lead.lead_id, self._by)
        if new:
            self._results.ranking(ranked, self._valuing)
        return ranked

    # The bids of a quote

    def stand_again(
        self,
        bids: tuple[Bid, ...],
        stage: Stage,
        quoted: RuledFloor | None,
        held_of: frozenset[str] = frozenset(),
    ) -> tuple[Bid, ...]:
        """Return which bids of a quote still stand, now that the whole lead is known.

        `held_of` are offers for which the quote holds room: their buyers are not full by it.
        """
        self._entering.holds_for(held_of)
        floors = self._floors(stage, quoted)
        only = [bid.offer.id for bid in bids]
        screening = self._entering.screened_again(only, stage, floors)
        eligible = {offer.id for offer in screening.eligible}
        standing: list[Bid] = []
        for bid in bids:
            if bid.offer.id not in eligible:
                continue
            part = above(bid, floors.of(bid.offer))
            if part is not None:
                standing.append(part)
            else:
                self._course.below_floor += 1
                self._chain.note(
                    EventName.OFFER_LEFT_OUT, offer=bid.offer.id, reason=Reason.QUOTE_PROMISE
                )
        self._course.above_floor += len(standing)
        self._results.ranking(standing)
        return tuple(standing)


async def bought_by(
    stations: Stations, snapshot: Snapshot, submission: Submission
) -> frozenset[str]:
    """Return the buyers who bought this person inside their own window, if any has one."""
    if not snapshot.plans[submission.lead.campaign_id].remembers:
        return frozenset()
    keys = person_keys(submission.fingerprint, stations.claim_secret)
    return await stations.market.bought_by(keys) if keys else frozenset()
