"""What market state should be, buyer by buyer and claim by claim: read from the books, no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec

from exchange.domain import recounting_volume
from exchange.domain.campaign import Against
from exchange.domain.exclusivity import person_keys, unpacked
from exchange.domain.ids import SaleId
from exchange.domain.recounting import (
    Counter,
    OpenSale,
    by_buyer,
    counters,
    holds_of,
    known_again,
)
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import is_buyer
from exchange.ledger.recount import ClaimRow, Recount
from exchange.market.once import OnceKey
from exchange.market.restoring import Asked, Kept, Restored
from exchange.market.standing import Standing
from exchange.market.windows import is_past
from exchange.story.record import read

US_PER_S = 1_000_000
US_PER_MS = 1000
OPEN = "open"
SOLD = "sold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who recounts, and how long market state keeps what the books know."""

    worker_id: str | None
    """None: a command that holds and awards nothing."""
    once_s: int
    claim_secret: bytes
    now_us: Callable[[], int]
    entropy: Callable[[int], bytes]


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say of the buyers of a market, as of one moment."""

    counters: Mapping[str, Sequence[Counter]]
    """By buyer."""
    limited: frozenset[tuple[str, str]]
    """Of these, by buyer and name, those that a limit of the market counts in. The others are of
    limits that were taken away; nothing moves them, and they are counted anew with a new one."""
    settled: Mapping[tuple[str, str], int]
    """By buyer and counter."""
    open_sales: Sequence[OpenSale]
    states: Mapping[SaleId, str]
    """Of the sales that market state holds: how they ended, or `open`; others were not awarded.
    Of what is held of sellers' limits: `counted` where it is written."""


class Purchase(msgspec.Struct, frozen=True):
    """That a buyer bought a person, until when it counts."""

    person_keys: tuple[str, ...]
    buyer_id: str
    until_us: int


async def read_books(
    recount: Recount, snapshot: Snapshot, standings: Mapping[str, Standing], now_us: int
) -> Books:
    """Return what the books say of all these buyers, and of what market state holds of them."""
    all_of_them = chain(counters(snapshot, now_us), recounting_volume.counters(snapshot, now_us))
    wanted = {(one.buyer_id, one.name): one for one in all_of_them}
    wanted = {key: one for key, one in wanted.items() if one.buyer_id in standings}
    limited = frozenset(wanted)
    for buyer_id, standing in standings.items():
        for name in standing.settled:
            known = known_anew(name, buyer_id, snapshot)
            if known is not None and not is_past(name, now_us):
                wanted.setdefault((buyer_id, name), known)
    held = [sale_id for standing in standings.values() for sale_id in standing.holds]
    brought_ids = [
        sale_id
        for holder, standing in standings.items()
        for sale_id in standing.holds
        if not is_buyer(holder)
    ]
    sold = [one for one in wanted.values() if is_buyer(one.buyer_id)]
    brought = [one for one in wanted.values() if not is_buyer(one.buyer_id)]
    async with recount.as_of_one_moment():
        settled = {**await recount.settled(sold), **await recount.volume(brought)}
        open_sales = await recount.open_sales()
        states = {**await recount.states(held), **await recount.counted(brought_ids)}
    return Books(
        counters=by_buyer(wanted.values()),
        limited=limited,
        settled=settled,
        open_sales=open_sales,
        states=states,
    )


def known_anew(name: str, holder: str, snapshot: Snapshot) -> Counter | None:
    """Return what a counter of market state counts; None where that cannot be told."""
    if not is_buyer(holder):
        return recounting_volume.known_again(name, holder, snapshot)
    return known_again(name, snapshot.buyers[holder], snapshot)


def restored(buyer_id: str, books: Books, standing: Standing, snapshot: Snapshot) -> Restored:
    """Return what a buyer's part of market state should be, while it is closed.

    What is held of no award stays: it is being awarded, or the sweeper looks into it.
    """
    holds = (
        hold
        for sale in books.open_sales
        if sale.sale_id not in standing.holds
        for hold in holds_of(sale, snapshot)
        if hold.buyer_id == buyer_id
    )
    return Restored(
        buyer_id=buyer_id,
        settled={
            name: amount
            for (whose, name), amount in books.settled.items()
            if whose == buyer_id and (amount or name in standing.settled)
        },
        holds=list(holds),
        gone=[one for one in standing.holds if books.states.get(one, OPEN) != OPEN],
    )


async def read_claims(recount: Recount, snapshot: Snapshot, now_us: int) -> list[Kept]:
    """Return every claim that should stand, with how long it still does."""
    rules = [one.duplicates for one in snapshot.campaigns.values() if one.duplicates]
    if not rules:
        return []
    longest_s = max(rule.window_s for rule in rules)
    keeps_all = any(rule.against is Against.ALL for rule in rules)
    rows = await recount.claims(now_us - longest_s * US_PER_S)
    kept = (kept_of(row, now_us, keeps_all=keeps_all) for row in rows)
    return [one for one in kept if one is not None]


def kept_of(row: ClaimRow, now_us: int, *, keeps_all: bool) -> Kept | None:
    """Return a claim as it should stand now, None where it should not."""
    claim = unpacked(row.packed)
    if row.status not in {None, SOLD} and (claim.until_end or not keeps_all):
        return None
    left_us = row.since_us + claim.window_s * US_PER_S - now_us
    return Kept(claim, left_us // US_PER_MS) if left_us > 0 else None


async def read_requests(recount: Recount, terms: Terms, now_us: int) -> list[Asked]:
    """Return every request that should be known again, with how long it still is."""
    kept_us = terms.once_s * US_PER_S
    rows = await recount.requests(now_us - kept_us)
    return [
        Asked(
            OnceKey(f"seller:{row.seller_id}", row.digest),
            row.lead_id,
            row.worker_id,
            (row.received_at_us + kept_us - now_us) // US_PER_MS,
            row.has_ended,
        )
        for row in rows
        if row.received_at_us + kept_us - now_us > US_PER_MS
    ]


async def read_purchases(
    recount: Recount, snapshot: Snapshot, terms: Terms, now_us: int
) -> list[Purchase]:
    """Return every purchase that still counts as a buyer's own duplicate, but of the erased."""
    windows_s = {
        buyer.id: buyer.duplicate_window_s
        for buyer in snapshot.buyers.values()
        if buyer.duplicate_window_s
    }
    if not windows_s:
        return []
    rows = await recount.purchases(list(windows_s), now_us - max(windows_s.values()) * US_PER_S)
    found = (
        Purchase(
            person_keys(read(row.record).fingerprint, terms.claim_secret),
            row.buyer_id,
            row.at_us + windows_s[row.buyer_id] * US_PER_S,
        )
        for row in rows
    )
    return [one for one in found if one.person_keys and one.until_us > now_us]


Present = Callable[[], Snapshot]
"""Returns the market as it is now."""
