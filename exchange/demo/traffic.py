"""What sellers send: which source of which seller posts into which campaign, and how."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from exchange.contract.market_file import MarketFile
from exchange.demo.order import Feed, Mix


class FeedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which source of which seller posts into which campaign."""

    seller: str
    source: str
    campaign: str
    share: float = 1.0
    door: str | None = None
    also: dict[str, Any] = {}
    """What its requests say beside the lead, such as `min_price`."""
    lead: dict[str, Any] = {}
    """What all its leads have, such as a `zip`; the rest is invented."""
    asks_first: bool = False
    """Its seller pings each lead, and posts what is quoted."""


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of traffic says."""

    feed: tuple[FeedPart, ...] = ()
    mix: Mix | None = None

    def feeds(self, market: MarketFile) -> tuple[Feed, ...]:
        """Return the feeds with the fields that their campaigns ask for."""
        verticals = {vertical.id: vertical for vertical in market.vertical}
        fields = {campaign.id: verticals[campaign.vertical].fields for campaign in market.campaign}
        return tuple(
            Feed(
                seller=part.seller,
                source=part.source,
                campaign=part.campaign,
                fields=fields[part.campaign],
                share=part.share,
                door=part.door,
                also=part.also,
                lead=part.lead,
                asks_first=part.asks_first,
            )
            for part in self.feed
        )


def read_traffic(path: Path) -> Traffic:
    """Return what the sellers send. Raises OSError, ValueError where the file cannot be used."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Traffic)


def joined(traffics: Iterable[Traffic]) -> Traffic:
    """Return several files' traffic as one; the first mix that is told is that of all."""
    told = tuple(traffics)
    mixes = [one.mix for one in told if one.mix is not None]
    return Traffic(
        feed=tuple(feed for one in told for feed in one.feed), mix=mixes[0] if mixes else Mix()
    )
