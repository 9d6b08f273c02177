"""Turns of one lead in one stage: taken when a buyer is tried, handed on when that came to nothing.

A turn is had by whoever is offered the lead, whatever it says: who refuses has had its turn, and
the next one in order takes a turn of its own. So turns stay as equal, or as weighted, as they are
meant to be, and nobody gets more of them by refusing.
"""

from collections.abc import Sequence

import structlog

from exchange.domain.bid import Bid
from exchange.domain.campaign import Method, Stage, Weights
from exchange.domain.lead import Lead
from exchange.domain.turns import LOOK, Candidate, Turn, by_lot, turns_scope
from exchange.market.errors import MarketUnavailable
from exchange.story.stations import Market

logger = structlog.get_logger()


class Turning:
    """Asks whose turn it is."""

    def __init__(self, market: Market, lead: Lead, stage: Stage) -> None:
        """Take where turns are kept, and whose turns they are; nothing is asked yet."""
        self._market = market
        self._lead = lead
        self._stage = stage
        self._step = LOOK

    async def look(self, bids: Sequence[Bid]) -> tuple[Bid, ...]:
        """Return the bids in the order of their turns; nobody has had one by that."""
        return await self._in_order(bids, LOOK)

    async def take(
        self, bids: Sequence[Bid], *, refused: str = "", chosen: str = ""
    ) -> tuple[Bid, ...]:
        """Return the bids in the order of their turns; the first has this one.

        `refused` is the offer whose turn before ended so, `chosen` one who has this turn anyway.
        """
        self._step += 1
        return await self._in_order(bids, self._step, refused, chosen)

    async def ends_refused(self, refused: str) -> None:
        """Take note that a turn ended so where nobody is left for another one."""
        if self._stage.weights is not Weights.ACCEPTANCE:
            return
        self._step += 1
        try:
            await self._market.turn(self._turn((), self._step, refused=refused))
        except MarketUnavailable:
            logger.warning("refusal of a turn not counted", lead_id=self._lead.lead_id)

    async def _in_order(
        self, bids: Sequence[Bid], step: int, refused: str = "", chosen: str = ""
    ) -> tuple[Bid, ...]:
        if not bids or (len(bids) == 1 and step == LOOK):
            return tuple(bids)
        turn = self._turn(bids, step, refused, chosen)
        try:
            order = await self._market.turn(turn)
        except MarketUnavailable:
            # Fair on average is better than nobody; caps are still kept by holds alone.
            logger.warning("turn left to the lot", lead_id=self._lead.lead_id)
            order = by_lot(turn)
        places = {name: place for place, name in enumerate(order)}
        # An answer that was kept from before a crash may know others.
        return tuple(sorted(bids, key=lambda bid: places.get(bid.offer.id, len(places))))

    def _turn(self, bids: Sequence[Bid], step: int, refused: str = "", chosen: str = "") -> Turn:
        weighted = self._stage.method is Method.WEIGHTED
        return Turn(
            scope=turns_scope(self._lead.campaign_id, test=self._lead.test),
            stage=self._stage.number,
            lead_id=self._lead.lead_id,
            step=step,
            candidates=tuple(
                [
                    Candidate(bid.offer.id, bid.offer.weight if weighted else 1)
                    for bid in by_priority(bids)
                ]
            ),
            follows_acceptance=self._stage.weights is Weights.ACCEPTANCE,
            refused=refused,
            chosen=chosen,
        )


def by_priority(bids: Sequence[Bid]) -> list[Bid]:
    """Return the bids by the priority of their offers, lower first; equals as they stand."""
    return sorted(bids, key=lambda bid: bid.offer.priority)
