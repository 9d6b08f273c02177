"""A ledger that was backed up while it sold is restored, verified, counted anew, and sold on."""

import base64
from contextlib import AsyncExitStack

import msgspec
import pytest
import redis.asyncio

from bidders.fleet import Fleet
from exchange.clock import now_us
from exchange.commands.backup import backup, restore, without_password
from exchange.commands.verify import BROKEN, verify
from exchange.errors import CommandError
from exchange.ledger.errors import MasterKeyError
from exchange.ledger.sealing import Sealer
from exchange.ledger.seals import SEALS
from exchange.stores.embedded import StoreUrls
from tests.acceptance.audit import settled, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import MASTER_KEY, a_house, person
from tests.acceptance.market import buyer, campaign, market
from tests.conftest import execute, named

CAPS = 'caps = [ { leads = 3, per = "day" } ]'
RULE = "duplicates = { window_hours = 24 }\nauction_deadline_ms = 20000"
KEY = {"Idempotency-Key": "before the fire"}
UNHURRIED = {"loop_lag_target_ms": 9000.0, "loop_lag_max_ms": 9000.0}


def settings_of(house):
    """As the command line would have them."""
    return msgspec.structs.replace(
        house.settings,
        database_url=house.urls.database_url,
        market_url=house.urls.market_url,
        master_key=base64.b64encode(MASTER_KEY).decode(),
    )


@pytest.fixture
async def elsewhere(stores, market_url, tmp_path, tables):
    """A house on an empty database, and a Valkey that has what another time left there."""
    await execute(stores.database_url, "CREATE DATABASE restored")
    urls = StoreUrls(named(stores.database_url, "restored"), market_url)
    async with AsyncExitStack() as stack:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        yield await stack.enter_async_context(a_house(urls, folder, tables))
    await execute(stores.database_url, "DROP DATABASE restored WITH (FORCE)")


async def test_a_ledger_is_restored_elsewhere_and_sold_on(house, elsewhere, tmp_path, capsys):
    """Two of three sold before; elsewhere one more, and everything that was known is known."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        one = buyer("acme", fleet.base_url, offer=CAPS, ping_ms=20_000, post_ms=20_000)
        await house.apply(market(one, campaign(lines=RULE)))
        worker = await house.open(**UNHURRIED)
        first = await house.post(person(1), headers=KEY)
        file = tmp_path / "ledger.backup"
        assert (await house.post(person(2))).body["status"] == "sold"
        ledger = worker._books.ledger
        sealer = Sealer(ledger.connections, house.vault.derive(SEALS), now_us)
        assert await sealer.seal(await sealer.high())
        await backup(file, settings=settings_of(house))
        assert file.stat().st_mode & 0o077 == 0, "for nobody else's eyes"
        assert (await house.post(person(3))).body["status"] == "sold", "after the backup"
        assert (await house.post(person(4))).body["status"] == "unsold"

        await restore(file, settings=settings_of(elsewhere))
        capsys.readouterr()
        assert await verify(as_json=True, settings=settings_of(elsewhere)) == 0
        told = msgspec.json.decode(capsys.readouterr().out)
        assert (told["ok"], told["faults"], told["unsealed"]) == (True, [], 0)
        elsewhere.keys |= house.keys
        await elsewhere.open(**UNHURRIED)
        again = await elsewhere.post(person(1), headers=KEY)
        assert again.body["lead_id"] == first.body["lead_id"]
        assert (await elsewhere.post(person(2))).body["status"] == "duplicate"
        assert (await elsewhere.post(person(5))).body["status"] == "sold"
        assert (await elsewhere.post(person(6))).body["status"] == "unsold"
        assert settled(await standing(elsewhere, "acme"), "leads") == 3

        await execute(elsewhere.urls.database_url, "UPDATE award SET price = price + 1")
        assert await verify(settings=settings_of(elsewhere)) == BROKEN
        assert f"changed award of lead {first.body['lead_id']}" in capsys.readouterr().out


async def test_a_ledger_whose_key_is_missing_is_back_all_the_same(
    house, elsewhere, capsys, tmp_path
):
    """Its key is put beside it, and nothing is restored twice."""
    await house.apply(market(buyer("acme", offer="price = 1.00"), campaign()))
    await house.open()
    await house.post(person(1))
    file = tmp_path / "ledger.backup"
    await backup(file, settings=settings_of(house))
    keyless = msgspec.structs.replace(
        settings_of(elsewhere), master_key=None, data_dir=tmp_path / "elsewhere"
    )
    with pytest.raises(MasterKeyError):
        await restore(file, settings=keyless)
    assert "1 lead is back, all of the file; what is missing" in capsys.readouterr().err
    assert await verify(settings=settings_of(elsewhere)) == 0


async def test_a_ledger_is_never_restored_over_another(house, tmp_path):
    """Nor from a file that is none; what is there stays."""
    file = tmp_path / "none.backup"
    with pytest.raises(CommandError, match="no such file"):
        await restore(file, settings=settings_of(house))
    file.write_text("no backup")
    with pytest.raises(CommandError, match="has a ledger already"):
        await restore(file, settings=settings_of(house))


async def test_a_file_that_is_no_backup_leaves_nothing_behind(elsewhere, tmp_path):
    """What PostgreSQL's own program says is passed on."""
    file = tmp_path / "broken.backup"
    file.write_text("no backup")
    with pytest.raises(CommandError, match="pg_restore failed"):
        await restore(file, settings=settings_of(elsewhere))
    async with redis.asyncio.from_url(elsewhere.urls.market_url) as client:
        assert await client.dbsize() == 0


def test_a_password_is_in_no_list_of_processes():
    """It goes by the environment."""
    told = without_password("postgresql://me:secret@db.example:5432/leads?sslmode=require")
    assert told == ("postgresql://me@db.example:5432/leads?sslmode=require", "secret")
    assert without_password("postgresql:///leads") == ("postgresql:///leads", None)
