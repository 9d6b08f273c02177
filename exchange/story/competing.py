"""A stage of the routing plan: who may compete, what they bid, and who stands how."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from exchange.auction.ping import Showing, showing_under
from exchange.auction.tender import AuctionResult, ClosedEarly, Tender
from exchange.domain import anonymize, ranking
from exchange.domain.bid import Bid, Contender, above
from exchange.domain.campaign import ASKING, IN_TURNS, Campaign, Method, Stage
from exchange.domain.caps import Used
from exchange.domain.choice import Worth, at_price, sharing_of
from exchange.domain.closing import Closing
from exchange.domain.condition import Condition
from exchange.domain.deadline import asking_left_ms
from exchange.domain.eligibility import Circumstances, LeftOut, Screening, screen
from exchange.domain.events import Event, EventName
from exchange.domain.exclusivity import person_keys
from exchange.domain.expected import Valuing
from exchange.domain.floor_table import RuledFloor
from exchange.domain.floors import Floors, floors_in, named
from exchange.domain.lead import Facts
from exchange.domain.learned_floors import Floored
from exchange.domain.lineup import Lineup
from exchange.domain.money import Micros, to_text
from exchange.domain.offer import Offer
from exchange.domain.paying import Terms
from exchange.domain.pricing import split
from exchange.domain.reason import Reason
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.anonymity import note_anonymity
from exchange.story.chain import Chain
from exchange.story.ending import Course
from exchange.story.floor_learning import floor_event, floor_for
from exchange.story.leaving_out import note_left_out
from exchange.story.rationing import rationing_of
from exchange.story.stations import Stations
from exchange.story.succession import InTurn, Joined, Succession
from exchange.story.turning import Turning

US_PER_MS = 1000
DETAIL_MAX = 200


class Competing:
    """Lets offers compete for one lead, stage by stage, and notes one result for each."""

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
        self._snapshot = snapshot
        self._submission = submission
        self._chain = chain
        self._course = course
        self._bought_by = bought_by
        self._payout_wanted = payout_wanted
        self._only_asks = only_asks
        self._lead = submission.lead
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self._vertical = snapshot.verticals[self._campaign.vertical_id]
        self._plan = snapshot.plan(self._campaign.id, test=self._lead.test)
        self._early: ClosedEarly | None = None
        """How the last auction ended, if before its time."""
        self._by: ranking.Worth | None = None
        self._valuing: Valuing | None = None
        """What its bids were ranked by, and what they were worth."""
        self._rationing = rationing_of(stations, snapshot, self._lead, chain)
        self.score = score
        """What the lead was scored."""
        self._terms: Terms | None = None
        self._held_of: frozenset[str] = frozenset()
        self.worth: Worth = at_price
        """What a bid of the stage that was put up last is expected to bring."""
        self._facts: Facts = {**submission.facts(), "score": score}
        repeats = repeating(submission.person.identity, self._lead.fields, self._vertical)
        shown = anonymize.shown(self._lead, self._vertical, repeats)
        self._showing = Showing(
            vertical_id=self._vertical.id,
            test=self._lead.test,
            fields={**shown, "score": score},
            consent=marks_without(submission.person.identity, self._lead.consent, self._vertical),
            currency=self._campaign.currency,
            channel=self._lead.source.channel,
        )

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

    async def compete(self, stage: Stage, posted_to: frozenset[str]) -> tuple[Bid, ...]:
        """Return the bids that stand in this stage, best first; note a result for every offer."""
        self._early = None
        if stage.when is not None and not stage.when.holds(self._facts):
            self._pass_by(stage, stage.when)
            return ()
        floored = floor_for(self._stations, self._campaign, stage, self._submission)
        screening, floors = self._screen(stage, posted_to, floored=floored)
        contenders = self._contenders(screening.eligible, floors)
        if stage.max_buyers > 1:
            contenders = self._who_may_share(contenders, stage)
        if stage.method not in ASKING:
            return await self._unasked(stage, contenders)
        began_us = self._stations.now_us()
        if self._rationing is not None:
            contenders = await self._rationing.admitted(
                contenders, began_us, partial(self._leave_out_unasked, stage)
            )
        valuing, by = self._ranking(stage, contenders)
        self.worth = at_price if valuing is None else valuing.brings
        now_us = self._stations.now_us()
        left_ms = asking_left_ms(self._lead, self._campaign, stage, now_us, awarded=bool(posted_to))
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
                    by=by,
                    closing=self._closing(stage, contenders, posted_to),
                )
            )
        if floored is not None:
            self._chain.add(floor_event(floored, floors, stage, now_us))
        self._note_auction(result, began_us, valuing)
        self._early = result.early
        self._by, self._valuing = by, valuing
        return result.ranked

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
            told = self._note_ranking
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
        offers = self._snapshot.offers
        self._held_of = frozenset(offers[name].buyer.id for name in held_of if name in offers)
        only = [bid.offer.id for bid in bids]
        screening, floors = self._screen(stage, frozenset(), only, quoted)
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
        if self._chain.noticing is not None:
            self._chain.noticing.stand_again(bids)
        self._note_ranking(standing)
        return tuple(standing)

    def _with_late(self, left: Sequence[Bid]) -> list[Bid]:
        """Return the bids that are left and those that came after an early end, best first."""
        assert self._early is not None, "who joins late was cut off"
        standing = list(left)
        for late in self._early.rest.take():
            self._chain.captured(late.captured)
            self._note_result(late.contender, self._stations.now_us())
            if late.bid is not None:
                standing.append(late.bid)
        new = len(standing) - len(left)
        self._course.above_floor += new
        ranked = ranking.rank(standing, self._lead.lead_id, self._by)
        if new:
            self._note_ranking(ranked, self._valuing)
        return ranked

    def leave_out(self, offer_id: str, why: Reason, stage: int) -> None:
        """Note why an offer is not tried any more."""
        self._chain.note(EventName.OFFER_LEFT_OUT, offer=offer_id, reason=why, stage=stage)

    def leave_out_all(self, stage: Stage, why: Reason, detail: str | None = None) -> None:
        """Note one reason for all offers of a stage that is not reached, or not for this lead."""
        lineup = self._plan.lineup(stage.number)
        if lineup.offers:
            left_out = lineup.left_out(lineup.everyone, why, detail)
            note_left_out(self._chain, self._plan, stage.number, [left_out])

    def _pass_by(self, stage: Stage, when: Condition) -> None:
        """Note that a stage is not for this lead."""
        self._chain.note(EventName.STAGE, stage=stage.number, detail=stage.method.value)
        why = f"the stage is for {when.text}"
        self.leave_out_all(stage, Reason.FILTERED, " ".join(why.split())[:DETAIL_MAX])

    # Who may compete

    def _screen(
        self,
        stage: Stage,
        posted_to: frozenset[str],
        only: Iterable[str] | None = None,
        quoted: RuledFloor | None = None,
        *,
        floored: Floored | None = None,
    ) -> tuple[Screening, Floors]:
        campaign, wanted = self._campaign, self._payout_wanted
        floors = floors_in(self._lead, self._facts, campaign, stage, wanted, quoted)
        if floored is not None:
            floors.raise_to(floored.floor)
        seller = campaign.sellers[self._lead.seller_id]
        self._terms = Terms(stage.price_rule, seller, floors, wanted)
        offers = self._snapshot.offers
        around = Circumstances(
            lead=self._lead,
            facts=self._facts,
            currency=self._campaign.currency,
            at_us=self._stations.now_us(),
            floors=floors,
            used=self._used if self._held_of else self._stations.market.used,
            credited=self._snapshot.credited,
            bought_by=self._bought_by,
            posted_to=posted_to,
            at_own_price=only is None and stage.method not in ASKING,
        )
        lineup = self._plan.lineup(stage.number)
        with self._stations.timed("eligibility"):
            if only is None:
                screening = lineup.screen(around)
            else:
                screening = screen([offers[name] for name in only if name in offers], around)
        self._chain.note(
            EventName.STAGE,
            stage=stage.number,
            detail=named(stage, floors),
            floor=None if floors.rule is None else floors.rule.amount,
        )
        self._note_left_out(screening.left_out, stage, lineup)
        self._course.eligible += len(screening.eligible)
        return screening, floors

    def _leave_out_unasked(self, stage: Stage, left_out: Iterable[LeftOut]) -> None:
        """Note offers that may not be asked now: over their rate, or a seller's ping budget."""
        self._course.eligible -= sum(len(some.offer_ids) for some in left_out)
        self._note_left_out(left_out, stage, self._plan.lineup(stage.number))

    def _used(self, buyer_id: str) -> Used:
        """Return what is used of a buyer's limits, but for whom a quote holds room."""
        return {} if buyer_id in self._held_of else self._stations.market.used(buyer_id)

    def _contenders(self, eligible: Iterable[Offer], floors: Floors) -> tuple[Contender, ...]:
        facts = self._facts
        return tuple(
            [Contender(offer, floors.of(offer), offer.static_price(facts)) for offer in eligible]
        )

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
                self._chain.note(
                    EventName.OFFER_LEFT_OUT,
                    offer=one.offer.id,
                    reason=Reason.SUPPRESSED,
                    detail=detail,
                    stage=stage.number,
                )
        return tuple(found)

    def _ranking(
        self, stage: Stage, contenders: Iterable[Contender]
    ) -> tuple[Valuing | None, ranking.Worth | None]:
        """Return what bids are worth here, if that is more than they pay, and what ranks them."""
        if stage.method is Method.BEST_MATCH:
            return None, self._fitting(contenders)
        valuing = self._stations.lessons().valuing(self._campaign, stage)
        return valuing, None if valuing is None else valuing.worth

    def _closing(
        self, stage: Stage, contenders: Iterable[Contender], posted_to: frozenset[str]
    ) -> Closing | None:
        """Return what may end a stage's auction early, or None where nothing may."""
        if not stage.early_close and stage.method is not Method.FIRST_ACCEPT:
            return None
        buy_now = buy_now_of(stage, contenders)
        if stage.max_buyers == 1:
            return Closing(by_bounds=stage.early_close, buy_now=buy_now)
        if posted_to:
            return None  # on what terms those have the lead who got it before is not known here
        sharing = sharing_of(self._lead, stage)
        return Closing(by_bounds=True, sharing=sharing, value=self.worth)

    def _fitting(self, contenders: Iterable[Contender]) -> ranking.Worth:
        """Return what bids are compared by where the best fit wins; note how well each fits."""
        fits = {}
        for one in contenders:
            fit = fits[one.offer.id] = one.offer.fit_of(self._facts)
            one.detail = f"fit {fit}"
        return ranking.fitting(fits)

    async def _unasked(self, stage: Stage, contenders: Iterable[Contender]) -> tuple[Bid, ...]:
        """Return the static prices that reach their floors, in the order of the stage's method.

        Whose turn it is shows when it is taken, unless this is but a question.
        """
        if stage.method is not Method.RULE:
            contenders = sorted(contenders, key=lambda one: one.offer.priority)
        standing = self._static_bids(contenders)
        if stage.method in IN_TURNS and not self._only_asks:
            return standing
        if stage.method in IN_TURNS:
            standing = await Turning(self._stations.market, self._lead, stage).look(standing)
        self._note_ranking(standing)
        return standing

    def _static_bids(self, contenders: Iterable[Contender]) -> tuple[Bid, ...]:
        standing: list[Bid] = []
        for contender in contenders:
            offer, price = contender.offer, contender.static_price
            if price is None:
                self._chain.note(EventName.NO_BID, offer=offer.id, reason=Reason.NO_BID)
                continue
            if price < contender.floor:
                self._course.below_floor += 1
                contender.reason = Reason.BELOW_FLOOR
            else:
                standing.append(Bid(offer=offer, price=price))
            self._note_bid(contender, price)
        self._course.above_floor += len(standing)
        return tuple(standing)

    # What is written down

    def _note_left_out(self, left_out: Iterable[LeftOut], stage: Stage, lineup: Lineup) -> None:
        for some in left_out:
            self._stations.observer.offers_left_out(some.reason, some.offer_ids)
            self._stations.observer.places_left_out(some.reason, lineup.offer_ids, some.places)
        note_left_out(self._chain, self._plan, stage.number, left_out)

    def _note_auction(self, result: AuctionResult, began_us: int, valuing: Valuing | None) -> None:
        """Note every contender's result at the moment when it was known."""
        pinged = tuple([one.offer.id for one in result.results if one.pinged])
        if pinged:
            self._chain.note(EventName.PINGED, offers=pinged, at_us=began_us)
            if self._vertical.anonymity_window_s:
                note_anonymity(self._stations, self._chain, self._submission, self._vertical)
        if self._rationing is not None:
            self._rationing.pinged(len(pinged), began_us)
        for one in sorted(result.results, key=lambda one: one.ms or 0.0):
            self._note_result(one, began_us + int((one.ms or 0.0) * US_PER_MS))
        if result.early is not None:
            self._note_early(result.early, began_us)
        self._chain.captured(*result.exchanged)
        if self._chain.noticing is not None:
            self._chain.noticing.asked(result.results)
        self._course.above_floor += len(result.ranked)
        self._note_ranking(result.ranked, valuing)

    def _note_early(self, early: ClosedEarly, began_us: int) -> None:
        self._stations.observer.auction_closed_early(self._campaign.id, early.left_ms)
        self._chain.note(
            EventName.CLOSED_EARLY,
            at_us=began_us + int(early.ms * US_PER_MS),
            ms=early.ms,
            detail=f"{early.decided.words}; up to {early.left_ms:.0f} ms saved",
        )

    def _note_result(self, one: Contender, at_us: int) -> None:
        word = "bid" if one.reason is None else one.reason.word
        if one.pinged:
            self._stations.observer.offer_answered(one.offer.id, word, one.ms)
        if one.bid is not None:
            self._course.below_floor += one.reason is Reason.BELOW_FLOOR
            self._note_bid(one, one.bid.price, at_us)
            return
        name = EventName.NO_BID
        if not one.pinged and one.reason is not None and one.reason is not Reason.NO_BID:
            name = EventName.OFFER_LEFT_OUT
            self._course.too_late += one.reason is Reason.TOO_LATE_TO_PING
            self._stations.observer.offer_left_out(one.offer.id, one.reason)
        self._chain.note(
            name, offer=one.offer.id, reason=one.reason, detail=one.detail, ms=one.ms, at_us=at_us
        )

    def _note_bid(self, one: Contender, price: Micros, at_us: int | None = None) -> None:
        self._chain.add(
            Event(
                at_us=self._stations.now_us() if at_us is None else at_us,
                event=EventName.BID,
                offer=one.offer.id,
                price=price,
                floor=one.floor,
                reason=one.reason,
                detail=one.detail or alone_of(one.bid),
                ms=one.ms,
            )
        )

    def _note_ranking(self, standing: Sequence[Bid], valuing: Valuing | None = None) -> None:
        order = tuple(bid.offer.id for bid in standing)
        if order:
            expected = None if valuing is None else tuple(map(valuing.expected, standing))
            self._chain.note(EventName.RANKED, offers=order, expected=expected)


def buy_now_of(stage: Stage, contenders: Iterable[Contender]) -> dict[str, Micros]:
    """Return the prices at which offers get the lead at once, by offer."""
    if stage.method is not Method.FIRST_ACCEPT:
        return {}
    prices = {
        one.offer.id: stage.buy_now if one.offer.buy_now is None else one.offer.buy_now
        for one in contenders
    }
    return {name: price for name, price in prices.items() if price is not None}


async def bought_by(
    stations: Stations, snapshot: Snapshot, submission: Submission
) -> frozenset[str]:
    """Return the buyers who bought this person inside their own window, if any has one."""
    if not snapshot.plans[submission.lead.campaign_id].remembers:
        return frozenset()
    keys = person_keys(submission.fingerprint, stations.claim_secret)
    return await stations.market.bought_by(keys) if keys else frozenset()


def alone_of(bid: Bid | None) -> str | None:
    """Return in words what a bid pays for being the only one."""
    if bid is None or bid.exclusive_price is None:
        return None
    return f"{to_text(bid.exclusive_price)} for it alone"
