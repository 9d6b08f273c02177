"""What the counters of sellers should say, by the books: leads taken in, pings sent to buyers."""

from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.pilot import is_of_pilot, scope_of, scope_of_campaign
from exchange.domain.recounting import US_PER_S, Counter, Window, of_cap, windows
from exchange.domain.schedule import window_end_s
from exchange.domain.seller import UTC, Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import (
    MONEY,
    campaign_of,
    holder_of,
    holder_of_campaign,
    seller_of,
)

COUNTED = frozenset({CapKind.LEADS, CapKind.PINGS, *MONEY})


def limited(snapshot: Snapshot) -> list[str]:
    """Return the sellers that have limits, and the campaigns in a pilot, as holders."""
    sellers = (holder_of(one.id) for one in snapshot.sellers.values() if one.is_limited)
    campaigns = (holder_of_campaign(one.id) for one in snapshot.campaigns.values() if one.pilot)
    return [*sellers, *campaigns]


def counters(snapshot: Snapshot, now_us: int) -> Iterator[Counter]:
    """Yield all counters of sellers in the present windows and the last ones, of tests, too.

    And of campaigns in a pilot. Of money there are none of tests, nor of a pilot.
    """
    for seller in snapshot.sellers.values():
        for cap in caps_of(seller):
            yield from of_windows(cap, holder_of(seller.id), seller.zone, now_us)
    for campaign in snapshot.campaigns.values():
        for cap in campaign.pilot:
            yield from of_windows(cap, holder_of_campaign(campaign.id), UTC, now_us)


def of_windows(cap: Cap, holder: str, zone: ZoneInfo, now_us: int) -> Iterator[Counter]:
    """Yield the counters of one limit."""
    for began_s, until_s in windows(cap, zone, now_us):
        never_of_tests = cap.kind in MONEY or is_of_pilot(cap.scope)
        for test in (False,) if never_of_tests else (False, True):
            yield of_cap(cap, holder, Window(began_s, until_s), test=test)


def caps_of(seller: Seller) -> Iterator[Cap]:
    """Yield the limits of a seller and of its declared sources."""
    yield from seller.caps
    for source in seller.sources.values():
        yield from source.caps


def known_again(name: str, holder: str, snapshot: Snapshot) -> Counter | None:
    """Return what a seller's counter counts, though no limit asks for it (any more); or None.

    Or a campaign's.
    """
    told, kind, per, start = name.rsplit("|", 3)
    test, scope = told.startswith("test/"), told.removeprefix("test/")
    if per not in set(Per) or kind not in COUNTED:
        return None
    zone = zone_of(scope, holder, snapshot)
    if zone is None:
        return None
    until_s = window_end_s(per, int(start) * US_PER_S, zone)
    cap = Cap(scope, CapKind(kind), 0, Per(per))
    return of_cap(cap, holder, Window(int(start), until_s), test=test)


def zone_of(scope: str, holder: str, snapshot: Snapshot) -> ZoneInfo | None:
    """Return in which time zone limits of a scope count; None: it is none of this holder's."""
    campaign_id = campaign_of(holder)
    if campaign_id is not None:
        return UTC if scope == scope_of_campaign(campaign_id) else None
    seller = snapshot.sellers.get(seller_of(holder) or "")
    if seller is None:
        return None
    whole = {f"seller/{seller.id}", scope_of(seller.id)}
    is_its = scope in whole or scope.startswith(f"source/{seller.id}:")
    return seller.zone if is_its else None


class Brought(NamedTuple):
    """Which leads a counter counts: of a seller, of one source of it, or of a campaign."""

    seller: str | None
    source: str | None
    campaign: str | None


def brought_by(counter: Counter) -> Brought:
    """Return which leads a counter counts; None: of all of them."""
    campaign_id = campaign_of(counter.buyer_id)
    if campaign_id is not None:
        return Brought(None, None, campaign_id)
    kind, _, whose = counter.scope.partition("/")
    if kind != "source":
        return Brought(whose, None, None)
    seller, _, source = whose.partition(":")
    return Brought(seller, source, None)
