"""A stage of the routing plan: who may compete, what they bid, and who stands how."""

from collections.abc import Iterable, Sequence

from exchange.auction.auction import AuctionResult, Tender
from exchange.auction.ping import Showing, showing_under
from exchange.domain import anonymize
from exchange.domain.bid import Bid, Contender, above
from exchange.domain.campaign import Campaign, Method, Stage
from exchange.domain.choice import Worth, at_price, sharing_of
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
from exchange.domain.reason import Reason
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.chain import Chain
from exchange.story.ending import Course
from exchange.story.floor_learning import floor_event, floor_for
from exchange.story.leaving_out import note_left_out
from exchange.story.stations import Stations

US_PER_MS = 1000


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
    ) -> None:
        """Take the lead with its score, and the least that its seller must get."""
        self._stations = stations
        self._snapshot = snapshot
        self._submission = submission
        self._chain = chain
        self._course = course
        self._bought_by = bought_by
        self._payout_wanted = payout_wanted
        self._lead = submission.lead
        self._campaign: Campaign = snapshot.campaigns[self._lead.campaign_id]
        self._vertical = snapshot.verticals[self._campaign.vertical_id]
        self._plan = snapshot.plans[self._campaign.id]
        self.score = score
        """What the lead was scored."""
        self._terms: Terms | None = None
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

    async def compete(self, stage: Stage, posted_to: frozenset[str]) -> tuple[Bid, ...]:
        """Return the bids that stand in this stage, best first; note a result for every offer."""
        floored = floor_for(self._stations, self._campaign, stage, self._submission)
        screening, floors = self._screen(stage, posted_to, floored=floored)
        contenders = self._contenders(screening.eligible, floors)
        if stage.max_buyers > 1:
            contenders = self._who_may_share(contenders, stage)
        if stage.method is Method.WATERFALL:
            return self._in_turn(contenders)
        valuing = self._stations.lessons().valuing(self._campaign, stage)
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
                    at_us=now_us,
                    timeout_ms=left_ms,
                    by=None if valuing is None else valuing.worth,
                )
            )
        if floored is not None:
            self._chain.add(floor_event(floored, floors, stage, now_us))
        self._note_auction(result, now_us, valuing)
        return result.ranked

    def stand_again(
        self, bids: tuple[Bid, ...], stage: Stage, quoted: RuledFloor | None
    ) -> tuple[Bid, ...]:
        """Return which bids of a quote still stand, now that the whole lead is known."""
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
        self._note_ranking(standing)
        return tuple(standing)

    def leave_out(self, offer_id: str, why: Reason, stage: int) -> None:
        """Note why an offer is not tried any more."""
        self._chain.note(EventName.OFFER_LEFT_OUT, offer=offer_id, reason=why, stage=stage)

    def leave_out_all(self, stage: Stage, why: Reason, detail: str | None = None) -> None:
        """Note one reason for all offers of a stage that is not reached."""
        lineup = self._plan.lineup(stage.number)
        if lineup.offers:
            note_left_out(
                self._chain,
                self._plan,
                stage.number,
                [lineup.left_out(lineup.everyone, why, detail)],
            )

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
            used=self._stations.market.used,
            credited=self._snapshot.credited,
            bought_by=self._bought_by,
            posted_to=posted_to,
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

    def _in_turn(self, contenders: Iterable[Contender]) -> tuple[Bid, ...]:
        """Return the static prices that reach their floors, lower priority numbers first."""
        standing: list[Bid] = []
        for contender in sorted(contenders, key=lambda one: one.offer.priority):
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
        self._note_ranking(standing)
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
        for one in sorted(result.results, key=lambda one: one.ms or 0.0):
            self._note_result(one, began_us + int((one.ms or 0.0) * US_PER_MS))
        self._chain.captured(*result.exchanged)
        self._course.above_floor += len(result.ranked)
        self._note_ranking(result.ranked, valuing)

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
                ms=one.ms,
                detail=alone_of(one.bid),
            )
        )

    def _note_ranking(self, standing: Sequence[Bid], valuing: Valuing | None = None) -> None:
        order = tuple(bid.offer.id for bid in standing)
        if order:
            expected = None if valuing is None else tuple(map(valuing.expected, standing))
            self._chain.note(EventName.RANKED, offers=order, expected=expected)


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
