"""What counters should say, by the books: which there are, when each counts, what a sale moves.

Every accepted sale of a window counts in every limit that its offer and buyer have now, whenever
that limit was written: a cap of a day that is applied at noon counts the morning, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.caps import Hold, account_scope, balance_counter, hold_lines
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import BillingMode, Buyer, Cap, CapKind, Offer, Per
from exchange.domain.pilot import OFFER_SCOPE, limits_of
from exchange.domain.pilot import scope_of as pilot_scope
from exchange.domain.schedule import NEVER_S, window_end_s, window_start_s
from exchange.domain.snapshot import Snapshot
from exchange.domain.trials import Taken, trials_of

US_PER_S = 1_000_000
AHEAD_S = 600
"""How far the clock of another worker may be ahead of this one's."""


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """One number of market state, and which sales it counts."""

    name: str
    buyer_id: str
    """Who holds: a buyer, a seller as `seller:fastquotes`, a campaign as `campaign:auto-us`."""
    scope: str
    """`offer/acme-tx`, `account/acme:dallas`, `buyer/acme`, `source/fast:fb-1`, `seller/fast`;
    `pilot/acme`, `offer-pilot/acme-tx`, `campaign-pilot/auto-us`."""
    offer_ids: tuple[str, ...] = ()
    """Of an account: the offers that belong to it now."""
    counts_money: bool
    counts_pings: bool = False
    began_s: int
    until_s: int
    test: bool


class Window(NamedTuple):
    """When a counter counts, and of an account which offers."""

    began_s: int
    until_s: int
    offer_ids: tuple[str, ...] = ()


class OpenSale(msgspec.Struct, frozen=True, kw_only=True):
    """An award without an end: it is held."""

    sale_id: SaleId
    lead_id: LeadId
    offer_id: str
    buyer_id: str
    seller_id: str
    campaign_id: str
    price: Micros
    payout: Micros
    held_at_us: int
    test: bool


def counters(snapshot: Snapshot, now_us: int) -> list[Counter]:
    """Return all counters of sales that were settled, in the present windows and the last ones."""
    found: dict[tuple[str, str], Counter] = {}
    members = members_of(snapshot)
    for offer in snapshot.offers.values():
        for cap in limits_of(offer.caps, test=offer.test):
            for began_s, until_s in windows(cap, offer.buyer.zone, now_us):
                window = Window(began_s, until_s, members.get(cap.scope, ()))
                one = of_cap(cap, offer.buyer.id, window, test=offer.test)
                found[one.buyer_id, one.name] = one
    for buyer in snapshot.buyers.values():
        if buyer.billing.mode is not BillingMode.OPEN:
            one = of_balance(buyer.id)
            found[one.buyer_id, one.name] = one
    return list(found.values())


def members_of(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Return by scope the offers of each account."""
    found: dict[str, list[str]] = {}
    for offer in snapshot.offers.values():
        if offer.account is not None:
            found.setdefault(account_scope(offer.buyer.id, offer.account), []).append(offer.id)
    return {scope: tuple(offer_ids) for scope, offer_ids in found.items()}


def windows(cap: Cap, zone: ZoneInfo, now_us: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the window of this moment, and of the one before.

    And of the next one where it is about to begin: by the clock of another worker it has begun. Of
    what is held at once nothing settles: it has none.
    """
    if cap.per is None:
        return
    start_s = window_start_s(cap.per, now_us, zone)
    end_s = window_end_s(cap.per, now_us, zone)
    yield start_s, end_s
    if (end_s - AHEAD_S) * US_PER_S <= now_us:
        yield end_s, window_end_s(cap.per, end_s * US_PER_S, zone)
    if cap.per is not Per.TOTAL:
        before_s = window_start_s(cap.per, (start_s - 1) * US_PER_S, zone)
        yield before_s, start_s


def of_cap(cap: Cap, buyer_id: str, window: Window, *, test: bool) -> Counter:
    """Return the counter of a cap in one window."""
    name = f"{'test/' if test else ''}{cap.scope}|{cap.kind!s}|{cap.per!s}|{window.began_s}"
    return Counter(
        name=name,
        buyer_id=buyer_id,
        scope=cap.scope,
        offer_ids=window.offer_ids,
        counts_money=cap.kind in {CapKind.SPEND, CapKind.PAYOUT},
        counts_pings=cap.kind is CapKind.PINGS,
        began_s=window.began_s,
        until_s=window.until_s,
        test=test,
    )


def of_balance(buyer_id: str) -> Counter:
    """Return the counter of all that a buyer was ever charged."""
    return Counter(
        name=balance_counter(buyer_id),
        buyer_id=buyer_id,
        scope=f"buyer/{buyer_id}",
        counts_money=True,
        began_s=0,
        until_s=NEVER_S,
        test=False,
    )


def known_again(name: str, buyer: Buyer, snapshot: Snapshot) -> Counter | None:
    """Return what a counter that market state has counts, though no limit asks for it (any more).

    None where that cannot be told: nothing settles in it, or its offer is not in the market.
    """
    told, kind, per, start = name.rsplit("|", 3)
    test, scope = told.startswith("test/"), told.removeprefix("test/")
    if name == balance_counter(buyer.id):
        return of_balance(buyer.id)
    owner, _, whose = scope.partition("/")
    is_offers = f"{owner}/" in {"offer/", OFFER_SCOPE}
    offer = snapshot.offers.get(whose) if is_offers else None
    members = members_of(snapshot).get(scope, ()) if owner == "account" else ()
    is_ours = scope in {f"buyer/{buyer.id}", pilot_scope(buyer.id)} or is_of(offer, buyer)
    if owner == "account":
        is_ours = whose.partition(":")[0] == buyer.id and bool(members)
    if per not in set(Per) or not is_ours:
        return None
    cap = Cap(scope, CapKind(kind), 0, Per(per))
    until_s = window_end_s(per, int(start) * US_PER_S, buyer.zone)
    return of_cap(cap, buyer.id, Window(int(start), until_s, members), test=test)


def is_of(offer: Offer | None, buyer: Buyer) -> bool:
    """Tell whether there is such an offer, and it is this buyer's."""
    return offer is not None and offer.buyer.id == buyer.id


def holds_of(sale: OpenSale, snapshot: Snapshot) -> Iterator[Hold]:
    """Yield what an open sale holds: of its buyer's limits, of its seller's and campaign's pilots.

    Nothing of whom nobody knows any more.
    """
    hold = hold_of(sale, snapshot)
    if hold is not None:
        yield hold
    seller = snapshot.sellers.get(sale.seller_id)
    campaign = snapshot.campaigns.get(sale.campaign_id)
    yield from trials_of(seller, campaign, test=sale.test).holds(
        Taken(
            sale_id=sale.sale_id,
            lead_id=sale.lead_id,
            price=sale.price,
            payout=sale.payout,
            held_at_us=sale.held_at_us,
        )
    )


def hold_of(sale: OpenSale, snapshot: Snapshot) -> Hold | None:
    """Return what an open sale holds of its buyer's limits; None: nothing, or nobody knows."""
    offer = snapshot.offers.get(sale.offer_id)
    if offer is None or offer.buyer.id != sale.buyer_id:
        return None
    # The limit is not asked: what was awarded is held.
    lines = hold_lines(offer, sale.price, sale.held_at_us, credited=Micros(0), test=sale.test)
    if not lines:
        return None
    return Hold(
        sale_id=sale.sale_id,
        lead_id=sale.lead_id,
        buyer_id=sale.buyer_id,
        held_at_us=sale.held_at_us,
        lines=lines,
    )


def tags(snapshot: Snapshot) -> Iterator[str]:
    """Yield every part of market state that this market sells by, as its keys are tagged."""
    yield from (f"buyer:{name}" for name in snapshot.buyers)
    yield from (f"seller:{name}" for name in snapshot.sellers)
    for kind, names in (("campaign", snapshot.campaigns), ("vertical", snapshot.verticals)):
        for name in names:
            yield f"{kind}:{name}"
            yield f"{kind}:{name}:test"


def by_buyer(found: Iterable[Counter]) -> Mapping[str, list[Counter]]:
    """Return the counters of each buyer."""
    sorted_out: dict[str, list[Counter]] = {}
    for one in found:
        sorted_out.setdefault(one.buyer_id, []).append(one)
    return sorted_out
