"""Gathers for one lead what its bidders are told, where any of them asks for notices."""

from collections.abc import Callable, Iterable

from exchange.domain.bid import Bid, Contender
from exchange.domain.events import EventName
from exchange.domain.moment import Moment
from exchange.domain.notice import Course, Notice, carried, notices
from exchange.domain.snapshot import Snapshot

LET_GO = {EventName.REFUSED, EventName.VOIDED}
"""How a post ends without a sale; one that never arrived is written down as refused, too."""

Push = Callable[[str, Notice], None]
"""Takes a notice for an offer; returns at once, whatever becomes of it."""


class Noticing:
    """Sees what was asked and what was written, and pushes notices once the end is durable."""

    def __init__(self, wanted: frozenset[str], push: Push, *, test: bool) -> None:
        """Take which offers ask for notices, and where they go."""
        self._wanted = wanted
        self._push = push
        self._test = test
        self._asked: list[Contender] = []
        self._course = Course(sold={}, full=set(), let_go=set())

    def asked(self, results: Iterable[Contender]) -> None:
        """Keep the results of those who want to know."""
        self._asked += [one for one in results if one.offer.id in self._wanted]

    def stand_again(self, bids: Iterable[Bid]) -> None:
        """Keep the bids of a quote that is posted; the others heard when it was pinged."""
        self.asked(map(carried, bids))

    def written(self, moment: Moment) -> None:
        """Read what became durable; at the end of a lead, or of a ping, tell everybody."""
        for event in moment.events:
            if event.event is EventName.ACCEPTED and event.offer and event.price is not None:
                self._course.sold[event.offer] = event.price
            elif event.event is EventName.HOLD_FAILED and event.offer:
                self._course.full.add(event.offer)
            elif event.event in LET_GO and event.offer:
                self._course.let_go.add(event.offer)
        if moment.lead_end is None and moment.quote is None:
            return
        for offer_id, notice in notices(self._asked, self._course, moment.at_us, test=self._test):
            self._push(offer_id, notice)
        self._asked.clear()


def noticing(snapshot: Snapshot, push: Push | None, *, test: bool) -> Noticing | None:
    """Return what gathers a lead's notices; None where nobody in the market asks for any."""
    if push is None or not snapshot.noticed:
        return None
    return Noticing(snapshot.noticed, push, test=test)
