"""What each contender of a stage came to, as it is written down and counted."""

from collections.abc import Iterable, Sequence

from exchange.auction.tender import AuctionResult, ClosedEarly
from exchange.domain.bid import Bid, Contender
from exchange.domain.events import Event, EventName
from exchange.domain.expected import Valuing
from exchange.domain.money import Micros, to_text
from exchange.domain.person import Person, masked
from exchange.domain.reason import Reason
from exchange.domain.repeating import without_anybody
from exchange.story.chain import Chain
from exchange.story.ending import Course
from exchange.story.stations import Stations

US_PER_MS = 1000


class Results:
    """Notes one result for every contender, at the moment when it was known."""

    def __init__(
        self,
        stations: Stations,
        chain: Chain,
        course: Course,
        *,
        campaign_id: str,
        person: Person,
    ) -> None:
        """Take where results are noted, and what is met on the lead's way.

        Of a ping nothing is known of the `person` any more.
        """
        self._stations = stations
        self._chain = chain
        self._course = course
        self._campaign_id = campaign_id
        self._person = person

    def of_auction(self, result: AuctionResult, began_us: int, valuing: Valuing | None) -> None:
        """Note what came of all who were asked, and of those who competed unasked beside them."""
        for one in sorted(result.results, key=lambda one: one.ms or 0.0):
            self.of(one, began_us + int((one.ms or 0.0) * US_PER_MS))
        if result.early is not None:
            self._closed_early(result.early, began_us)
        self._chain.captured(*result.exchanged)
        if self._chain.noticing is not None:
            self._chain.noticing.asked(result.results)
        self._course.above_floor += len(result.ranked)
        self.ranking(result.ranked, valuing)

    def of(self, one: Contender, at_us: int) -> None:
        """Note what one who was asked came to."""
        word = "bid" if one.reason is None else one.reason.word
        if one.pinged:
            self._stations.observer.offer_answered(one.offer.id, word, one.ms)
        if one.bid is not None:
            self._course.below_floor += one.reason is Reason.BELOW_FLOOR
            self._bid(one, one.bid.price, at_us)
            return
        name = EventName.NO_BID
        if not one.pinged and one.reason is not None and one.reason is not Reason.NO_BID:
            name = EventName.OFFER_LEFT_OUT
            self._course.too_late += one.reason is Reason.TOO_LATE_TO_PING
            self._stations.observer.offer_left_out(one.offer.id, one.reason)
        detail = without_anybody(masked(one.detail, self._person))
        self._chain.note(
            name, offer=one.offer.id, reason=one.reason, detail=detail, ms=one.ms, at_us=at_us
        )

    def static_bids(self, contenders: Iterable[Contender]) -> tuple[Bid, ...]:
        """Return the static prices that reach their floors, in this order; note all of them."""
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
            self._bid(contender, price, self._stations.now_us())
        self._course.above_floor += len(standing)
        return tuple(standing)

    def ranking(self, standing: Sequence[Bid], valuing: Valuing | None = None) -> None:
        """Note in which order bids stand, and what each is worth where that is not its price."""
        order = tuple(bid.offer.id for bid in standing)
        if order:
            expected = None if valuing is None else tuple(map(valuing.expected, standing))
            self._chain.note(EventName.RANKED, offers=order, expected=expected)

    def _closed_early(self, early: ClosedEarly, began_us: int) -> None:
        self._stations.observer.auction_closed_early(self._campaign_id, early.left_ms)
        self._chain.note(
            EventName.CLOSED_EARLY,
            at_us=began_us + int(early.ms * US_PER_MS),
            ms=early.ms,
            detail=f"{early.decided.words}; up to {early.left_ms:.0f} ms saved",
        )

    def _bid(self, one: Contender, price: Micros, at_us: int) -> None:
        self._chain.add(
            Event(
                at_us=at_us,
                event=EventName.BID,
                offer=one.offer.id,
                price=price,
                floor=one.floor,
                reason=one.reason,
                detail=one.detail or alone_of(one.bid),
                ms=one.ms,
            )
        )


def alone_of(bid: Bid | None) -> str | None:
    """Return in words what a bid pays for being the only one."""
    if bid is None or bid.exclusive_price is None:
        return None
    return f"{to_text(bid.exclusive_price)} for it alone"
