"""What learning changed: ranking by expected value, and learned floors."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from exchange.contract.learning_reports import (
    ExpectedValueOut,
    ExpectedValueReport,
    FloorGroupOut,
    LearnedFloorsOut,
    LearnedFloorsReport,
    OfferChanceOut,
    RankedOut,
    SegmentFloorOut,
)
from exchange.contract.timeline import share, utc_text
from exchange.domain.campaign import Campaign
from exchange.domain.expected import Track, estimated
from exchange.domain.experience import US_PER_DAY
from exchange.domain.money import Micros, to_decimal
from exchange.domain.snapshot import Snapshot
from exchange.ledger.learning import FloorRow, FloorsRow, RankingRow

DAYS = 30
DAYS_MAX = 3650


class Learning(Protocol):
    """What campaigns learned, and what that changed."""

    async def tracks(
        self, campaigns: Sequence[Campaign], now_us: int
    ) -> dict[str, dict[str, Track]]:
        """Return by campaign and offer what became of posts, as far back as each believes."""

    async def floors(self, campaign_ids: Sequence[str]) -> Sequence[FloorRow]:
        """Return every learned floor of these campaigns."""

    async def rankings_since(self, at_us: int) -> Sequence[RankingRow]:
        """Return what rankings by expected value brought since the day of this moment."""

    async def floors_since(self, at_us: int) -> Sequence[FloorsRow]:
        """Return what auctions under learned floors earned since the day of this moment."""


async def expected_value_report(
    market: Snapshot, learning: Learning, now_us: int, days: int
) -> ExpectedValueReport:
    """Return how often another came first than by price in these days, and what that brought.

    Of every campaign that ranks by expected value now. Errors: LedgerUnavailable.
    """
    since_us = now_us - days * US_PER_DAY
    campaigns = [one for one in market.campaigns.values() if one.expecting is not None]
    tracks = await learning.tracks(campaigns, now_us)
    rows = await learning.rankings_since(since_us)
    out = tuple([expected_value(one, tracks[one.id], rows) for one in campaigns])
    return ExpectedValueReport(since=utc_text(since_us), campaigns=out)


async def learned_floors_report(
    market: Snapshot, learning: Learning, now_us: int, days: int
) -> LearnedFloorsReport:
    """Return what leads brought under learned and drawn floors in these days, and today's floors.

    Of every campaign that learns floors now. Errors: LedgerUnavailable.
    """
    since_us = now_us - days * US_PER_DAY
    campaigns = [one for one in market.campaigns.values() if one.learn_floor is not None]
    floors = await learning.floors([one.id for one in campaigns])
    rows = await learning.floors_since(since_us)
    out = tuple([learned_floors(one, floors, rows) for one in campaigns])
    return LearnedFloorsReport(since=utc_text(since_us), campaigns=out)


def expected_value(
    campaign: Campaign, tracks: dict[str, Track], rows: Iterable[RankingRow]
) -> ExpectedValueOut:
    """Return one campaign's part of the report."""
    assert campaign.expecting is not None, "it ranks by expected value"
    chances = estimated(tracks, campaign.expecting.prior_posts)
    own = [row for row in rows if row.campaign_id == campaign.id]
    return ExpectedValueOut(
        campaign=campaign.id,
        currency=campaign.currency,
        all=ranked(own),
        changed=ranked(row for row in own if row.changed),
        offers=tuple(
            OfferChanceOut(
                offer=offer_id,
                posts=track.posts,
                taken=track.accepted,
                accepted=share(chances.of(offer_id).accepted_ppm),
                returned=share(chances.of(offer_id).returned_ppm),
            )
            for offer_id, track in sorted(tracks.items())
        ),
    )


def ranked(rows: Iterable[RankingRow]) -> RankedOut:
    """Return rows of the report together."""
    rows = list(rows)
    return RankedOut(
        leads=sum(row.leads for row in rows),
        expected=to_decimal(Micros(sum(row.expected for row in rows))),
        by_price=to_decimal(Micros(sum(row.by_price for row in rows))),
        realized=to_decimal(Micros(sum(row.realized for row in rows))),
    )


def learned_floors(
    campaign: Campaign, floors: Iterable[FloorRow], rows: Iterable[FloorsRow]
) -> LearnedFloorsOut:
    """Return one campaign's part of the report."""
    return LearnedFloorsOut(
        campaign=campaign.id,
        currency=campaign.currency,
        groups=tuple(group(row) for row in rows if row.campaign_id == campaign.id),
        floors=tuple(
            SegmentFloorOut(
                segment=row.segment.text,
                floor=to_decimal(row.floor),
                auctions=row.auctions,
                at=utc_text(row.at_us),
            )
            for row in floors
            if row.campaign_id == campaign.id
        ),
    )


def group(row: FloorsRow) -> FloorGroupOut:
    """Return auctions of one kind."""
    each = Micros(row.revenue // row.auctions) if row.auctions else Micros(0)
    return FloorGroupOut(
        model=row.model,
        auctions=row.auctions,
        sold=row.sold,
        revenue=to_decimal(row.revenue),
        revenue_per_auction=to_decimal(each),
    )
