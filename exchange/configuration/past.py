"""The market as it was: whose filters a lead met, though they were changed since."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from exchange.configuration.compiling.buyers import buyer_of
from exchange.configuration.compiling.campaigns import campaign_of
from exchange.configuration.compiling.margins import offer_margins
from exchange.configuration.compiling.offers import Means, offer_of
from exchange.configuration.compiling.plans import plans_of
from exchange.configuration.compiling.sellers import seller_of
from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.objects import market_of
from exchange.configuration.sandbox import offers_of as sandbox_offers
from exchange.configuration.sandbox import opened as opened_sandbox
from exchange.configuration.store import NoVersionError, read_present
from exchange.contract.market_file import MarketFile
from exchange.domain.condition import Clause, Condition, ConditionError, compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.offer import Buyer, Offer
from exchange.domain.snapshot import Snapshot
from exchange.domain.vertical import Vertical

KEPT_MAX = 4
"""Versions that are kept compiled, the latest that were asked for."""

UNREADABLE = (msgspec.ValidationError, ConditionError, KeyError, ValueError, NoVersionError)
"""What this program may meet in a version that another one wrote."""

logger = structlog.get_logger(__name__)

Use = Callable[[], AbstractAsyncContextManager[Any]]
"""Lends a connection to the database."""


class Past:
    """Every version of the market, to explain by; nothing can be sold under what it returns."""

    def __init__(self, use: Use, present: Callable[[], Snapshot]) -> None:
        """Take where versions are read, and the present one, which need not be."""
        self._use = use
        self._present = present
        self._kept: dict[int, Snapshot] = {}

    async def at(self, version: int) -> Snapshot | None:
        """Return the market of this version, None where it cannot be read any more."""
        present = self._present()
        if present.version == version:
            return present
        found = self._kept.pop(version, None) or await self._read(version)
        if found is not None:
            self._kept[version] = found
            for oldest in list(self._kept)[:-KEPT_MAX]:
                del self._kept[oldest]
        return found

    async def _read(self, version: int) -> Snapshot | None:
        try:
            async with self._use() as connection:
                objects = (await read_present(connection, version)).objects
            return as_it_was(version, market_of(objects))
        except UNREADABLE as error:
            logger.warning("market not read", version=version, error=type(error).__name__)
            return None


def as_it_was(version: int, market: MarketFile, hash_key: bytes = b"") -> Snapshot:
    """Return a market without keys, secrets, balances, dialects and doors: none is called.

    And without the pilots of sellers and campaigns: what they had left then nobody wrote down.

    `hash_key` stands for every buyer's own, where pings are made that nobody gets.
    """
    verticals = {part.id: vertical_of(part) for part in market.vertical}
    readers = {name: reader(vertical) for name, vertical in verticals.items()}
    buyers: dict[str, Buyer] = {}
    offers: dict[str, Offer] = {}
    for part in market.buyer:
        buyers[part.id] = buyer_of(part)
        for offer in part.offer:
            vertical, read = verticals[offer.vertical], readers[offer.vertical]
            means = Means(None, hash_key)
            offers[offer.id] = offer_of(offer, buyers[part.id], vertical, read, means)
    margins = offer_margins(market.buyer)
    campaigns = {
        part.id: campaign_of(
            part, offers, readers[part.vertical], verticals[part.vertical], margins
        )
        for part in (replace(each, pilot=None) for each in market.campaign)
    }
    plans = plans_of(version, campaigns.values(), offers, verticals)
    tried = []
    for one in market.campaign:
        if one.sandbox:
            campaign, read = campaigns[one.id], readers[one.vertical]
            made = sandbox_offers(campaign, verticals[one.vertical], read, hash_key)
            tried.append(opened_sandbox(campaign, made))
            offers |= made
    return Snapshot(
        version=version,
        verticals=verticals,
        sellers={part.id: seller_of(replace(part, pilot=None)) for part in market.seller},
        buyers=buyers,
        offers=offers,
        campaigns=campaigns,
        keys={},
        credited={},
        plans=plans,
        test_campaigns={one.id: one for one in tried},
        test_plans=plans_of(version, tried, offers, verticals),
    )


def reader(vertical: Vertical) -> Callable[[str], Condition]:
    """Return what compiles conditions about leads of this vertical."""
    names, known = names_of(vertical), dict[str, Clause]()
    return lambda text: compile_condition(text, names, known)
