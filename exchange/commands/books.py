"""Both stores, as a command needs them that compares them while the exchange may be selling."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from exchange.clock import now_us
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.domain.snapshot import Snapshot
from exchange.ledger.connections import Connections, Limits, prepare
from exchange.ledger.recount import recounting
from exchange.ledger.vault import Vault
from exchange.market.link import Link
from exchange.market.market import Market
from exchange.market.restoring import Restoring
from exchange.opening import connect, database_at, ledger_key, store_urls
from exchange.settings import Settings
from exchange.story.rebuilding import Rebuilding
from exchange.story.reconciling import Reconciling
from exchange.story.recounting import Terms

S_PER_HOUR = 3600
TIMEOUT_S = 10.0
NAME = "reconcile"


@dataclass(frozen=True, slots=True)
class Both:
    """Who looks at market state beside the books, and who builds it anew."""

    reconciling: Reconciling
    rebuilding: Rebuilding


@asynccontextmanager
async def both_stores(settings: Settings) -> AsyncIterator[Both]:
    """Lend market state and the books. Errors: CommandError, MasterKeyError and of the stores."""
    async with store_urls(settings) as urls:
        async with database_at(urls.database_url) as connection:
            vault = Vault(await ledger_key(connection, settings))
        snapshot = await present_market(urls.database_url, vault)
        connections = Connections(urls.database_url, Limits(timeout_s=TIMEOUT_S))
        await connections.open()
        try:
            async with Link(urls.market_url, timeout_s=TIMEOUT_S) as link:
                market = Market(link, worker=NAME, clock=now_us)
                terms = Terms(
                    worker_id=None,
                    once_s=settings.idempotency_hours * S_PER_HOUR,
                    claim_secret=vault.derive("claims"),
                    now_us=now_us,
                    entropy=os.urandom,
                )
                parts = (
                    market,
                    Restoring(link, lease_s=int(settings.hold_lease_s)),
                    recounting(connections, vault),
                    lambda: snapshot,
                    terms,
                )
                rebuilding = Rebuilding(*parts)
                market.epoch = ""
                yield Both(Reconciling(*parts), rebuilding)
        finally:
            await connections.close()


async def present_market(url: str, vault: Vault) -> Snapshot:
    """Return the market as it is now, compiled."""
    connection = await connect(url)
    try:
        await prepare(connection)
        return Compiler(vault.derive).snapshot(await read_stored(connection, vault))
    finally:
        await connection.close()
