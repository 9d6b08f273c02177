"""Who is to be told, as the market is now: by the names under which messages are kept."""

from exchange.domain.message import Webhook, offer_recipient, seller_recipient
from exchange.domain.snapshot import Snapshot


class Recipients:
    """Knows everybody who asks to be told; worked out once for each market."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._market: Snapshot | None = None
        self._known: dict[str, Webhook] = {}

    def of(self, market: Snapshot) -> dict[str, Webhook]:
        """Return them with where they are told, and of what."""
        if market is not self._market:
            self._market, self._known = market, known(market)
        return self._known


def known(market: Snapshot) -> dict[str, Webhook]:
    """Return where each is told of what."""
    sellers = {
        seller_recipient(seller.id): seller.webhook
        for seller in market.sellers.values()
        if seller.webhook is not None
    }
    offers = {
        offer_recipient(offer.id): Webhook(offer.notices.url, frozenset(), offer.secret)
        for offer in map(market.offers.__getitem__, market.noticed)
        if offer.notices is not None
    }
    return {**sellers, **offers}
