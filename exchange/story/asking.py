"""Asking about one sale in doubt, at its buyer's status URL."""

from collections.abc import Coroutine, Iterable
from typing import Any

from exchange.delivery.asking import Question
from exchange.delivery.delivery import Delivered
from exchange.domain.asking import REFERENCE, filled, named
from exchange.domain.dialect import StatusView
from exchange.domain.events import Event
from exchange.domain.ids import SaleId
from exchange.domain.moment import AwardRow
from exchange.domain.offer import Offer, StatusTerms
from exchange.story.stations import Stations


class Asking:
    """Knows where the buyer of one sale is asked, and its own reference once it named one."""

    def __init__(
        self, stations: Stations, offer: Offer, terms: StatusTerms, award: AwardRow, *, test: bool
    ) -> None:
        """Take the sale; nothing is asked yet."""
        self._stations = stations
        self._offer = offer
        self._url = terms.url
        self._award = award
        self._test = test
        self.reference: str | None = None
        self.by_reference = REFERENCE in named(terms.url)
        """Without the buyer's reference it cannot be asked."""

    @property
    def is_possible(self) -> bool:
        """Everything that the URL names is known."""
        return filled(self._url, self._view()) is not None

    def ask(self) -> Coroutine[Any, Any, Delivered]:
        """Ask once."""
        return self._stations.delivery.ask(Question(self._offer, self._view()))

    def _view(self) -> StatusView:
        award = self._award
        return StatusView(
            sale_id=award.sale_id,
            ping_id=award.ping_id,
            bid_id=award.bid_id,
            reference=self.reference,
            price=award.price,
            currency=award.currency,
            vertical_id=self._offer.vertical_id,
            test=self._test,
            at_us=self._stations.now_us(),
        )


def asking_of(stations: Stations, offer: Offer, award: AwardRow, *, test: bool) -> Asking | None:
    """Return how the buyer is asked about this sale; None where it has no status URL."""
    if offer.post is None or offer.post.status is None:
        return None
    return Asking(stations, offer, offer.post.status, award, test=test)


def reference_told(events: Iterable[Event], sale_id: SaleId) -> str | None:
    """Return the reference that a buyer last named for a sale, of all that was written of it."""
    told = [one.reference for one in events if one.sale_id == sale_id and one.reference]
    return told[-1] if told else None
