"""The books, once traffic has stopped: what stores and buyers believe, compared to the cent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from bidders.fleet import Fleet
from exchange.clock import now_us
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.demo.reading import Reading, Sale
from exchange.demo.verdict import Court, Verdict, read_books
from exchange.domain.recounting_volume import limited
from exchange.domain.snapshot import Snapshot
from exchange.market.link import Link
from exchange.market.market import Market
from exchange.market.standing import Standing
from tests.acceptance.house import House, until

AT_REST_WITHIN_S = 20.0


async def audit(house: House, fleet: Fleet) -> list[Sale]:
    """Wait until nothing moves any more; fail for whatever is wrong; return every award.

    Each lead has one end and every sale too, the ledger sums to zero and agrees with itself and
    with every buyer, no cap is passed, counters are what the sales make them, and nothing is held.
    """
    snapshot = await snapshot_of(house)
    async with court_of(house) as court:
        verdict = await judged(court, snapshot, fleet)
        assert verdict.violations == ()
        assert verdict.in_doubt == 0
        await nothing_is_held(court, snapshot)
        return await court.reading.sales()


async def at_rest(house: House) -> list[Sale]:
    """Do the same where buyers keep no books of ours: all but the comparison with theirs."""
    snapshot = await snapshot_of(house)
    async with court_of(house) as court:
        await rest(court, snapshot)
        await nothing_is_held(court, snapshot)
        return await court.reading.sales()


async def nothing_is_held(court: Court, snapshot: Snapshot) -> None:
    """Fail where the entries do not sum to zero, or anybody's counters hold anything."""
    assert set((await court.archive.sums()).values()) <= {0}
    for buyer in snapshot.buyers:
        standing = await court.market.standing(buyer)
        assert not standing.holds
        assert not any(standing.held.values())
    for holder in limited(snapshot):
        # What a seller brought counts a moment after it was told of it.
        await until(partial(holds_nothing, court, holder), AT_REST_WITHIN_S)


async def holds_nothing(court: Court, holder: str) -> bool:
    """Tell whether nothing is held of a seller's or a campaign's limits."""
    standing = await court.market.standing(holder)
    return not standing.holds and not any(standing.held.values())


async def rest(court: Court, snapshot: Snapshot) -> None:
    """Wait until nothing moves any more."""

    async def is_still() -> bool:
        unrest = await court.unrest(snapshot)
        return not unrest.is_moving and not unrest.in_doubt

    await until(is_still, AT_REST_WITHIN_S)


async def judged(court: Court, snapshot: Snapshot, fleet: Fleet) -> Verdict:
    """Return the verdict on all that happened, once it has come to rest."""
    await rest(court, snapshot)
    books = await read_books(fleet.base_url)
    return await court.judge(snapshot, books, (), now_us())


async def standing(house: House, buyer: str) -> Standing:
    """Return what market state holds of a buyer."""
    async with market_state(house) as market:
        return await market.standing(buyer)


async def snapshot_of(house: House) -> Snapshot:
    """Return the market as every worker has it now."""
    async with house.connection() as connection:
        stored = await read_stored(connection, house.vault)
    return Compiler(house.vault.derive).snapshot(stored)


@asynccontextmanager
async def market_state(house: House, **terms: Any) -> AsyncIterator[Market]:
    """Lend market state as a worker speaks to it, on a link of its own."""
    async with (
        Link(house.urls.market_url, timeout_s=5.0) as link,
        Market(link, worker="audit", clock=now_us, **terms) as market,
    ):
        yield market


@asynccontextmanager
async def court_of(house: House) -> AsyncIterator[Court]:
    """Lend who asks the stores what came of it all."""
    async with house.ledger() as ledger, market_state(house) as market:
        yield Court(ledger, Reading(ledger.connections), market)


def by_state(sales: list[Sale]) -> dict[str, int]:
    """Return how many awards ended how."""
    counts: dict[str, int] = {}
    for sale in sales:
        word = "in doubt" if sale.state is None else str(sale.state)
        counts[word] = counts.get(word, 0) + 1
    return counts


def settled(standing: Standing, kind: str) -> int:
    """Return what is settled of the one counter of this kind (leads, spend, balance)."""
    (count,) = [n for name, n in standing.settled.items() if name.split("|")[1] == kind]
    return count


def keys_of(fleet: Fleet, buyer: str, name: str = "idempotency-key") -> list[str]:
    """Return a header of every kept post to this buyer, in order."""
    return [
        dict(request.headers)[name]
        for request in fleet.books[buyer].requests
        if request.path.endswith("/post")
    ]


def posts_of(fleet: Fleet, buyer: str) -> list[dict[str, Any]]:
    """Return the decoded body of every kept post to this buyer, in order."""
    return [
        msgspec.json.decode(request.body)
        for request in fleet.books[buyer].requests
        if request.path.endswith("/post")
    ]
