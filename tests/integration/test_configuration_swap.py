"""A worker's snapshot follows what is applied, at once, and stays good when that is not."""

import asyncio
import time
import uuid
from functools import partial

import asyncpg
import pytest
import structlog.testing

from exchange.configuration.holder import SnapshotHolder
from exchange.configuration.keys import KeyRole, create_key, digest_of
from exchange.configuration.snapshots import InvalidConfigurationError
from exchange.configuration.store import apply
from exchange.configuration.swapping import wait_until_swapped
from exchange.domain.snapshot import Role
from exchange.ledger.connections import connect as ledger_connect
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.vault import Vault
from tests.market_files import read

MARKET = """
[[vertical]]
id = "auto"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
[[seller]]
id = "fast"
[[buyer]]
id = "acme"
billing = { mode = "prepaid", opening_balance = 50.00 }
[[buyer.offer]]
id = "acme-1"
vertical = "auto"
where = 'state == "TX"'
price = 9.00
[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = ["fast"]
"""


def market(text=MARKET):
    return read(text).market


class Swaps:
    """What a holder swapped to, for whoever waits for it."""

    def __init__(self):
        self.seen = []
        self._more = asyncio.Event()

    def __call__(self, snapshot):
        self.seen.append(snapshot)
        self._more.set()

    async def until(self, version):
        async with asyncio.timeout(10):
            while not self.seen or self.seen[-1].version < version:
                self._more.clear()
                await self._more.wait()
        return self.seen[-1]


async def a_worker(connection, lease_s=60):
    worker = str(uuid.uuid4())
    await connection.execute(
        "INSERT INTO worker (id, lease_until, open_since, version, addresses)"
        " VALUES ($1, now() + make_interval(secs => $2), now(), '0', '{127.0.0.1:8080}')",
        worker,
        lease_s,
    )
    return worker


async def test_an_empty_market_is_a_snapshot_too(database_url, vault):
    """A worker starts before anything was applied."""
    holder = SnapshotHolder(partial(asyncpg.connect, database_url), vault)
    snapshot = await holder.start()
    assert (snapshot.version, snapshot.offers) == (0, {})
    await holder.close()


async def test_a_holder_swaps_within_a_second_of_an_apply(database_url, connection, vault):
    """Whole, compiled, with what buyers paid in; who held the old one keeps it unchanged."""
    swaps = Swaps()
    holder = SnapshotHolder(partial(asyncpg.connect, database_url), vault, on_swap=swaps)
    before = await holder.start()
    started = time.monotonic()
    await apply(connection, market(), "eve@desk")
    snapshot = await swaps.until(1)
    assert time.monotonic() - started < 1
    assert holder.snapshot is snapshot
    assert snapshot.offers["acme-1"].where.holds({"state": "TX"})
    assert snapshot.credited == {"acme": 50_000_000}
    assert before.offers == {}
    await holder.close()


async def test_a_new_key_and_a_new_secret_are_in_the_next_snapshot(database_url, connection, vault):
    """Keys by digest, the signing secret decoded, hashes keyed with it."""
    await apply(connection, market(), "eve@desk")
    swaps = Swaps()
    holder = SnapshotHolder(partial(asyncpg.connect, database_url), vault, on_swap=swaps)
    offer = (await holder.start()).offers["acme-1"]
    assert (offer.secret, offer.hash_key) == (None, vault.derive("hash/acme"))
    key = await create_key(connection, vault, KeyRole.SELLER, "fast", "eve@desk")
    secret = await create_key(connection, vault, KeyRole.SIGNING, "acme", "eve@desk")
    snapshot = await swaps.until(secret.version)
    assert snapshot.keys == {digest_of(key.key): Role("seller", "fast")}
    offer = snapshot.offers["acme-1"]
    assert offer.secret == offer.hash_key
    assert len(offer.secret) == 32
    await holder.close()


async def test_who_applied_waits_for_every_live_worker(database_url, connection, vault):
    """A worker acknowledges in its row; a dead one is not waited for; a lagging one is named."""
    await a_worker(connection, lease_s=-1)
    worker = await a_worker(connection)
    silent = await a_worker(connection)
    holder = SnapshotHolder(partial(asyncpg.connect, database_url), vault, worker)
    await holder.start()
    applied = await apply(connection, market(), "eve@desk")
    lagging = await wait_until_swapped(connection, applied.version, timeout_s=0.3)
    assert [(each.worker_id, each.version) for each in lagging] == [(silent, None)]
    assert lagging[0].addresses == ("127.0.0.1:8080",)
    await connection.execute("DELETE FROM worker WHERE id = $1", silent)
    started = time.monotonic()
    assert await wait_until_swapped(connection, applied.version) == ()
    again = await apply(connection, market(MARKET.replace("9.00", "8.00")), "eve@desk")
    assert await wait_until_swapped(connection, again.version) == ()
    assert time.monotonic() - started < 2
    assert holder.snapshot.version == again.version
    await holder.close()


async def test_a_worker_that_dies_is_not_waited_for_any_longer(connection):
    """Its lease runs out while somebody waits: the wait ends."""
    await a_worker(connection, lease_s=0.7)
    started = time.monotonic()
    assert await wait_until_swapped(connection, 1, timeout_s=30) == ()
    assert 0.3 < time.monotonic() - started < 5


async def test_what_cannot_be_compiled_never_replaces_what_can(database_url, connection, vault):
    """It is logged loudly and once; the next good version is taken."""
    await apply(connection, market(), "eve@desk")
    swaps = Swaps()
    holder = SnapshotHolder(partial(asyncpg.connect, database_url), vault, on_swap=swaps)
    good = await holder.start()
    refused = []
    told = asyncio.Event()

    def heard(_logger, _method, entry):
        if entry["event"] == "configuration refused":
            refused.append(entry)
            told.set()
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.stdlib.add_log_level, heard])
    try:
        # As if a newer exchange had written what this one does not understand.
        await connection.execute(
            """
            WITH made AS (
                INSERT INTO configuration (version, by, kind, digest)
                VALUES (2, 'newer', 'market', '') RETURNING version
            )
            INSERT INTO market_object (version, kind, id, position, body)
            SELECT version, 'offer', 'acme-1', 9, $1 FROM made
            """,
            '{"id": "acme-1", "buyer": "acme", "vertical": "auto", "where": "statee > 3"}',
        )
        await connection.execute("SELECT pg_notify('configuration', '2')")
        async with asyncio.timeout(5):
            await told.wait()
    finally:
        structlog.reset_defaults()
    [entry] = refused
    assert entry["level"] == "error"
    assert 'offer "acme-1": "statee" is no field' in entry["problem"]
    assert holder.snapshot is good
    await apply(connection, market(MARKET.replace("9.00", "7.00")), "eve@desk")
    assert (await swaps.until(3)).offers["acme-1"].static_price({}) == 7_000_000
    await holder.close()


async def test_a_worker_does_not_start_on_a_configuration_that_cannot_be(
    database_url, connection, vault
):
    """Without a good snapshot there is nothing to sell under."""
    await apply(connection, market(), "eve@desk")
    await create_key(connection, vault, KeyRole.SIGNING, "acme", "eve@desk")
    other = SnapshotHolder(partial(asyncpg.connect, database_url), Vault(bytes(32)))
    with pytest.raises(InvalidConfigurationError, match="EXCHANGE_MASTER_KEY"):
        await other.start()


async def test_a_holder_that_lost_its_connection_comes_back_to_the_latest(
    database_url, connection, vault
):
    """The last snapshot stays while nobody answers; what was missed is made up for.

    On connections as the ledger makes them, which hand out JSON as bytes.
    """
    swaps = Swaps()
    pids, refusals = [], []

    async def connect():
        if refusals:
            raise refusals.pop()
        made = await ledger_connect(database_url, 1.0)
        pids.append(made.get_server_pid())
        return made

    holder = SnapshotHolder(connect, vault, on_swap=swaps)
    await holder.start()
    refusals.append(LedgerUnavailable())
    await connection.execute("SELECT pg_terminate_backend($1)", pids[0])
    await apply(connection, market(), "eve@desk")
    snapshot = await swaps.until(1)
    assert (len(pids), refusals) == (2, [])
    assert holder.snapshot is snapshot
    await holder.close()
