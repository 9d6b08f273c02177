"""What learning changed: `GET /v1/admin/reports/expected-value` and `…/learned-floors`."""

from collections.abc import Iterable

from aiohttp import web

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
from exchange.ledger.learning import FloorRow, FloorsRow, RankingRow
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import allow, header_key, role_of
from exchange.web.viewing import WHOLE, bad_query

DAYS = 30
DAYS_MAX = 3650


async def get_expected_value(request: web.Request) -> web.Response:
    """Return how often another came first than by price, and what that brought."""
    doors, since_us = asked(request)
    campaigns = [one for one in doors.market().campaigns.values() if one.expecting is not None]
    tracks = await doors.learning.tracks(campaigns, doors.now_us())
    rows = await doors.learning.rankings_since(since_us)
    out = tuple([expected_value(one, tracks[one.id], rows) for one in campaigns])
    return json_response(encode(ExpectedValueReport(since=utc_text(since_us), campaigns=out)))


async def get_learned_floors(request: web.Request) -> web.Response:
    """Return what leads brought under learned and drawn floors, and the floors of now."""
    doors, since_us = asked(request)
    campaigns = [one for one in doors.market().campaigns.values() if one.learn_floor is not None]
    floors = await doors.learning.floors([one.id for one in campaigns])
    rows = await doors.learning.floors_since(since_us)
    out = tuple([learned_floors(one, floors, rows) for one in campaigns])
    return json_response(encode(LearnedFloorsReport(since=utc_text(since_us), campaigns=out)))


def asked(request: web.Request) -> tuple[Doors, int]:
    """Return the doors and since when is asked; raise 401, 403 or 422."""
    doors = request.app[DOORS]
    allow(role_of(header_key(request), doors.market()), "operator", "admin")
    text = request.query.get("days", str(DAYS))
    days = int(text) if WHOLE.match(text) else 0
    if not 1 <= days <= DAYS_MAX:
        raise bad_query("days", f"must be a whole number from 1 to {DAYS_MAX}")
    return doors, doors.now_us() - days * US_PER_DAY


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
