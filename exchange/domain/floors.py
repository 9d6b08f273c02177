"""The least that a buyer may pay: the stage's floor, raised by source, offer and seller's wish."""

from exchange.domain.campaign import Margin, Stage
from exchange.domain.lead import Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.pricing import least_price


class Floors:
    """The floors of one lead in one stage; what does not depend on the offer is computed once."""

    __slots__ = ("common", "promise")

    def __init__(self, lead: Lead, stage: Stage, margin: Margin, promised: Micros) -> None:
        """Take what the seller must get at least: its `min_price`, or what a quote promised."""
        self.promise = least_price(promised, margin)
        """The price that keeps the seller's least payout; above it a loss is excluded, too."""
        self.common = Micros(max(stage.floor, lead.source.floor, self.promise))
        """The least that any offer may pay."""

    def of(self, offer: Offer) -> Micros:
        """Return the least price that this offer may pay."""
        floor, common = offer.floor, self.common
        return max(common, floor)
