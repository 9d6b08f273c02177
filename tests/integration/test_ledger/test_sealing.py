"""The sealed record: whatever is changed in it by hand is found, every time, and named."""

import msgspec
import pytest

from exchange.domain.moment import MomentKind, QuoteRow
from exchange.domain.states import LeadStatus
from exchange.ledger.sealing import Sealer
from exchange.ledger.seals import SEALS
from exchange.ledger.verifying import Verifier
from tests.integration.test_ledger.conftest import MASTER_KEY, NOW_US

TABLES = (
    *("moment", "lead", "lead_end", "quote", "record", "award", "sale_end", "transfer"),
    *("capture", "link", "seal", "submission"),
)
FREE = {("lead", "worker"), ("moment", "serial")}
"""Who sells a lead may change, and says nothing of what happened to it; nor does the order in which
its moments came, which is in their numbers and times."""

OTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1",
    "smallint": "coalesce({0}, 0) + 1",
    "boolean": "NOT {0}",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
    "bytea": "coalesce({0}, '') || '\\x01'",
    "uuid": "gen_random_uuid()",
    "json": "'[{{}}]'",
}
"""Another value for each type."""


@pytest.fixture
async def sealer(make_connections, vault):
    return Sealer(await make_connections(), vault.derive(SEALS), lambda: NOW_US)


async def sealed(sealer):
    return await sealer.seal(await sealer.high())


@pytest.fixture
async def record(ledger, story, sealer, database):
    """A sold lead of two seals, one unsold, one that began as a quote, one merged; and money."""
    ids = {name: story.new_id() for name in ("sold", "unsold", "quoted", "merged", "sale")}
    assert await ledger.commit(story.received(ids["sold"]))
    assert await ledger.commit(story.awarded(ids["sold"], ids["sale"]))
    await database.execute(
        "INSERT INTO configuration (version, by, kind, digest) VALUES (1, 'test', 'market', 'd')"
    )
    await database.execute(
        "INSERT INTO market_object (version, kind, id, position, body)"
        " VALUES (1, 'seller', 'fastquotes', 1, $1)",
        b'{"id": "fastquotes"}',
    )
    await database.execute(
        "INSERT INTO transfer (kind, debit, credit, amount, currency, at)"
        " VALUES ('opening', 'cash', 'buyer/acme', 5000, 'USD', now())"
    )
    assert len(await sealed(sealer)) == 1
    assert await ledger.commit(story.sold(ids["sold"], ids["sale"]))
    assert await ledger.commit(story.received(ids["unsold"]))
    assert await ledger.commit(story.unsold(ids["unsold"]))
    quote = QuoteRow(
        seller_id="fastquotes", campaign_id="auto-us", source_id="s", vertical_id="v", test=False,
        version=7, status=LeadStatus.QUOTED, reason=None, price=1, expires_at_us=NOW_US,
    )  # fmt: skip
    moment = story.moment(ids["quoted"], 1, MomentKind.QUOTE, quote=quote, record=b"{}")
    assert await ledger.commit(moment)
    later = msgspec.structs.replace(story.received(ids["quoted"]), number=2)
    assert await ledger.commit(later)
    assert await ledger.commit(story.merged(ids["merged"], ids["sold"]))
    assert len(await sealed(sealer)) == 1
    for table in (*TABLES, "configuration", "market_object"):
        await database.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
    return ids


@pytest.fixture
def verify(database, vault):
    async def found(since_us=None, known=None):
        verifier = Verifier(database, vault.derive(SEALS), NOW_US)
        return await verifier.verify(since_us, known)

    return found


async def put_back(database, *tables):
    for table in tables:
        await database.execute(f"TRUNCATE {table} CASCADE")
        names = [
            row["column_name"]
            for row in await database.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table
            )
        ]
        some = ", ".join(f'"{name}"' for name in names)
        await database.execute(
            f"INSERT INTO {table} ({some}) OVERRIDING SYSTEM VALUE SELECT {some} FROM kept_{table}"
        )


@pytest.mark.usefixtures("record")
async def test_what_nobody_touched_is_as_it_was_sealed(verify, sealer, ledger, story):
    """Sealed twice, verified twice; what came since is counted, and sealed the next time."""
    found = await verify()
    assert (found.faults, found.seals, found.entries, found.unsealed) == ([], 2, 8, 0)
    assert await sealed(sealer) == [], "nothing came since"
    assert await ledger.commit(story.received(story.new_id()))
    assert (await verify()).unsealed == 1
    assert len(await sealed(sealer)) == 1
    found = await verify()
    assert (found.faults, found.entries, found.unsealed) == ([], 9, 0)


@pytest.mark.usefixtures("record")
async def test_whoever_looked_earlier_and_comes_later_seals_nothing(verify, sealer, ledger, story):
    """Two workers look, the later look is sealed first."""
    early = await sealer.high()
    assert await ledger.commit(story.received(story.new_id()))
    assert len(await sealed(sealer)) == 1
    assert await sealer.seal(early) == []
    assert (await verify()).faults == []


@pytest.mark.parametrize("table", TABLES)
async def test_a_changed_value_of_any_column_is_found_and_named(table, record, verify, database):
    """Each column of each row, by UPDATE: the table is named, and the lead's entry."""
    columns = await database.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1", table
    )
    assert columns
    rows = await database.fetch(f"SELECT ctid::text AS place FROM {table} ORDER BY ctid")
    tried = 0
    for column, kind in columns:
        if (table, column) in FREE:
            continue
        for row in range(len(rows)):
            places = await database.fetch(f"SELECT ctid::text FROM {table} ORDER BY ctid")
            other = OTHER[kind].format(f'"{column}"')
            if (table, column) == ("transfer", "id"):
                other = "DEFAULT"
            if column == "number":
                other = "100 + number"
            condition = " AND debit <> 'cash'" if table == "transfer" else ""
            status = await database.execute(
                f'UPDATE {table} SET "{column}" = {other} WHERE ctid = $1::text::tid{condition}',
                places[row][0],
            )
            if status == "UPDATE 0":
                continue
            tried += 1
            found = await verify()
            told = [(fault.verdict, fault.what, fault.lead_id) for fault in found.faults]
            assert told, f"{table}.{column} of row {row} was changed, and nobody saw it"
            what = found.faults[0].what
            if column == "wrapped_key":
                assert what in {"key", "capture"}, told
            elif table in {"moment", "seal", "link"}:
                assert what in {table, "link", "seal"}, (column, told)
            else:
                assert what == table, (column, told)
            if table not in {"seal", "link"} and column not in {"lead_id", "sale_id"}:
                assert found.faults[0].lead_id in set(record.values()), told
            await put_back(database, table)
    assert tried
    assert (await verify()).faults == []


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.usefixtures("record")
async def test_a_removed_row_is_found_and_named(table, verify, database):
    """Each row, by DELETE."""
    count = await database.fetchval(f"SELECT count(*) FROM {table}")
    for row in range(count):
        place = await database.fetchval(
            f"SELECT ctid::text FROM {table} ORDER BY ctid OFFSET $1 LIMIT 1", row
        )
        if table == "transfer":
            debit = await database.fetchval(
                "SELECT debit FROM transfer WHERE ctid = $1::text::tid", place
            )
            if debit == "cash":
                continue
        await database.execute(f"DELETE FROM {table} WHERE ctid = $1::text::tid", place)
        found = await verify()
        told = [(fault.verdict, fault.what) for fault in found.faults]
        if (table, row) != ("seal", count - 1):  # the last one: only who kept it elsewhere knows
            first = found.faults[0]
            assert first.verdict in {"removed", "changed"}, told
            assert first.what in ({"link", "seal"} if table == "link" else {table}), told
        await put_back(database, table)


@pytest.mark.usefixtures("record")
async def test_a_record_that_was_cut_off_is_known_by_a_seal_kept_elsewhere(verify, database):
    """Without its last minute, all of it: the seals that are left are whole."""
    kept = (await verify()).last
    assert (await verify(known=(kept.number, kept.mac.hex()[:16]))).faults == []
    await database.execute("DELETE FROM seal WHERE number = $1", kept.number)
    await database.execute("DELETE FROM link WHERE seal = $1", kept.number)
    found = await verify(known=(kept.number, kept.mac.hex()[:16]))
    assert [(fault.verdict, fault.what, fault.seal) for fault in found.faults] == [
        ("removed", "seal", kept.number)
    ]


INSERTED = {
    "moment": "INSERT INTO moment (lead_id, number, at, kind, worker, write, events, serial)"
    " OVERRIDING SYSTEM VALUE"
    " SELECT lead_id, number + 10, at, kind, worker, write, events, serial FROM moment"
    " WHERE lead_id = $1 AND number = 2",
    "lead": "INSERT INTO lead SELECT (jsonb_populate_record(lead, jsonb_build_object("
    "'lead_id', gen_random_uuid()))).* FROM lead WHERE lead_id = $1",
    "lead_end": "INSERT INTO lead_end SELECT (jsonb_populate_record(lead_end, jsonb_build_object("
    "'lead_id', gen_random_uuid()))).* FROM lead_end WHERE lead_id = $1",
    "quote": "INSERT INTO quote SELECT (jsonb_populate_record(quote, jsonb_build_object("
    "'lead_id', $1::uuid))).* FROM quote",
    "record": "INSERT INTO record SELECT lead_id, 3, sealed, wrapped_key FROM record"
    " WHERE lead_id = $1",
    "award": "INSERT INTO award SELECT (jsonb_populate_record(award, jsonb_build_object("
    "'sale_id', gen_random_uuid()))).* FROM award WHERE lead_id = $1",
    "sale_end": "INSERT INTO sale_end (sale_id, at, state, in_moment)"
    " SELECT gen_random_uuid(), now(), 'accepted', 3 WHERE $1::uuid IS NOT NULL",
    "transfer": "INSERT INTO transfer (lead_id, sale_id, kind, debit, credit, amount, currency,"
    " at, in_moment) SELECT lead_id, sale_id, 'bonus', debit, credit, 1, currency, at, in_moment"
    " FROM transfer WHERE lead_id = $1 LIMIT 1",
    "capture": "INSERT INTO capture SELECT lead_id, 2, at, expires_at, sealed, wrapped_key"
    " FROM capture WHERE lead_id = $1",
}


@pytest.mark.parametrize("table", INSERTED)
async def test_an_inserted_row_is_found_and_named(table, record, verify, database):
    """A row that looks like its neighbours, for a lead that was sealed, or for none."""
    status = await database.execute(INSERTED[table], record["sold"])
    assert status != "INSERT 0 0"
    found = await verify()
    told = [(fault.verdict, fault.what) for fault in found.faults]
    first = (told[0][0], told[0][1])
    assert first in {("inserted", table), ("changed", table)}, told


async def test_entries_in_another_order_are_found(record, verify, database):
    """Two moments that changed their numbers, and two whose times did."""
    await database.execute(
        "UPDATE moment SET number = number + 90 WHERE lead_id = $1", record["sold"]
    )
    await database.execute(
        "UPDATE moment SET number = CASE number WHEN 91 THEN 2 WHEN 92 THEN 1 ELSE 3 END"
        " WHERE lead_id = $1",
        record["sold"],
    )
    first = (await verify()).faults[0]
    told = (first.verdict, first.what, first.lead_id, first.number)
    assert told == ("changed", "moment", record["sold"], 1)


@pytest.mark.usefixtures("record")
async def test_the_market_and_money_paid_in_are_sealed_too(verify, database):
    """A version's author, an object's body, an amount: the seal says which of them."""
    for statement in (
        "UPDATE configuration SET by = 'nobody'",
        "UPDATE market_object SET body = '{}'",
        "UPDATE transfer SET amount = amount + 1 WHERE debit = 'cash'",
        "DELETE FROM market_object",
        "DELETE FROM transfer WHERE debit = 'cash'",
    ):
        await database.execute(statement)
        first = (await verify()).faults[0]
        assert (first.verdict, first.what, first.seal) == ("changed", "market", 1), statement
        await put_back(database, "transfer", "configuration", "market_object")
    assert (await verify()).faults == []


async def test_erasing_a_person_leaves_the_chain_whole(record, verify, database, ledger):
    """Erased is not changed; a key that is another one is."""
    assert await ledger.erase(record["sold"], 1, "ann")
    found = await verify()
    # the record of the lead, the post of its award, and where its buyer sends the person on
    assert (found.faults, found.erased) == ([], 3)
    await database.execute(
        "UPDATE record SET wrapped_key = 'other' WHERE lead_id = $1", record["sold"]
    )
    (fault,) = (await verify()).faults
    assert (fault.verdict, fault.what) == ("changed", "key")


@pytest.mark.usefixtures("record")
async def test_captures_that_ended_are_no_fault(verify, database, ledger, vault):
    """What is kept for a set time is gone after it; gone before, it was removed."""
    until_us = await database.fetchval("SELECT expires_at FROM capture")
    await ledger.expire_captures(until_us + 1)
    (fault,) = (await verify()).faults
    assert (fault.verdict, fault.what) == ("removed", "capture")
    found = await Verifier(database, vault.derive(SEALS), until_us + 1).verify(None)
    assert found.faults == []


async def test_a_seal_is_the_same_in_whatever_bits_it_is_made(
    verify, make_connections, vault, ledger, story
):
    """Leads that go on from one turn of the event loop to the next are one chain."""
    for _ in range(2):
        lead_id, sale_id = story.new_id(), story.new_id()
        assert await ledger.commit(story.received(lead_id))
        assert await ledger.commit(story.awarded(lead_id, sale_id))
        assert await ledger.commit(story.sold(lead_id, sale_id))
    bit_by_bit = Sealer(await make_connections(), vault.derive(SEALS), lambda: NOW_US, at_once=2)
    (seal,) = await sealed(bit_by_bit)
    assert seal.entries == 6
    found = await verify()
    assert (found.faults, found.seals, found.entries, found.unsealed) == ([], 1, 6, 0)


@pytest.mark.usefixtures("record")
async def test_nobody_without_the_key_can_make_a_seal(verify, database, ledger):
    """Whoever rewrites moment and link, and seals anew under a key of its own, is found."""
    await database.execute("UPDATE moment SET events = '[]'")
    await database.execute("TRUNCATE link, seal")
    forger = Sealer(ledger.connections, MASTER_KEY, lambda: NOW_US)
    assert await sealed(forger)
    first = (await verify()).faults[0]
    assert (first.verdict, first.what) == ("changed", "seal")


@pytest.mark.usefixtures("record")
async def test_verifying_since_a_time_looks_at_later_seals_only(verify, database):
    """What was sealed before is not read, and not told."""
    await database.execute("UPDATE seal SET at = at")
    assert (await verify(since_us=NOW_US)).seals == 2
    found = await verify(since_us=NOW_US + 1)
    assert (found.seals, found.entries, found.faults) == (0, 0, [])
