"""The configuration in a real PostgreSQL: versions, what is booked, who waits for whom."""

import asyncio

import asyncpg
import pytest

from exchange.configuration.difference import Action
from exchange.configuration.keys import AccountError, KeyRole, create_key, digest_of
from exchange.configuration.store import (
    ConflictError,
    NoVersionError,
    apply,
    plan,
    read_market,
    read_present,
)
from exchange.configuration.writing import write_market
from tests.market_files import read

MARKET = """
[[vertical]]
id = "auto"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
[[seller]]
id = "fast"
[[door]]
id = "crm"
sellers = ["fast"]
key = "secret"
[door.fields]
phone = { path = "tel", filter = "digits" }
zip = "code"
[door.answer.sold]
body = { ok = true, paid = 1.50 }
[[door.call]]
path = "in"
does = "post"
[[buyer]]
id = "acme"
billing = { mode = "prepaid", opening_balance = 5000.000001 }
[[buyer.offer]]
id = "acme-1"
vertical = "auto"
where = 'state == "TX"'
price = 9.00
[[buyer]]
id = "zeta"
[[buyer.offer]]
id = "zeta-1"
vertical = "auto"
price = 3.00
[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = ["fast"]
"""
WITHOUT_ZETA = (
    MARKET[: MARKET.index('[[buyer]]\nid = "zeta"')] + MARKET[MARKET.index("[[campaign]]") :]
)


def market(text=MARKET):
    return read(text).market


async def transfers(connection):
    rows = await connection.fetch("SELECT kind, debit, credit, amount, currency FROM transfer")
    return [tuple(row) for row in rows]


async def versions(connection):
    rows = await connection.fetch("SELECT version, by, kind FROM configuration ORDER BY version")
    return [tuple(row) for row in rows]


async def test_an_applied_market_plans_to_nothing_and_is_written_back_whole(connection):
    """Round trip: file → tables → file; the second plan is empty."""
    assert len((await plan(connection, market())).changes) == 8
    applied = await apply(connection, market(), "eve@desk")
    assert applied.version == 1
    assert not await plan(connection, market())
    text = write_market(await read_market(connection))
    assert market(text) == market()
    assert not await plan(connection, market(text))


async def test_an_apply_that_changes_nothing_makes_no_version(connection):
    """Who applies the same files every night leaves no trace of it."""
    await apply(connection, market(), "eve@desk")
    again = await apply(connection, market(), "adam@desk")
    assert (again.version, bool(again.difference)) == (1, False)
    assert await versions(connection) == [(1, "eve@desk", "market")]


async def test_each_version_can_be_read_back(connection):
    """Retired, revived, changed: every version stays as it was."""
    cheaper = MARKET.replace("price = 3.00", "price = 2.00")
    for text in (MARKET, WITHOUT_ZETA, cheaper):
        await apply(connection, market(text), "eve@desk")
    assert [await read_market(connection, at) for at in (1, 2, 3)] == [
        market(text) for text in (MARKET, WITHOUT_ZETA, cheaper)
    ]
    assert (await read_market(connection, 0)).buyer == ()
    with pytest.raises(NoVersionError, match="no version 4"):
        await read_market(connection, 4)
    rows = await connection.fetch("SELECT version, kind, id, body IS NULL FROM market_object")
    assert {tuple(row) for row in rows if row[0] > 1} == {
        (2, "buyer", "zeta", True),
        (2, "offer", "zeta-1", True),
        (3, "buyer", "zeta", False),
        (3, "offer", "zeta-1", False),
    }


async def test_what_was_retired_comes_back_as_revived(connection):
    """The plan says so, and knows what it was."""
    for text in (MARKET, WITHOUT_ZETA):
        await apply(connection, market(text), "eve@desk")
    assert ("buyer", "zeta") in (await read_present(connection)).retired
    change = await plan(connection, market())
    assert {(each.action, each.id) for each in change.changes} == {
        (Action.REVIVE, "zeta"),
        (Action.REVIVE, "zeta-1"),
    }


async def test_an_opening_balance_is_booked_once_when_its_buyer_is_made(connection):
    """Not at the next apply, not when it changes, not when the buyer comes back."""
    for text in (
        MARKET,
        MARKET.replace("5000.000001", "9000"),
        MARKET.replace("acme", "acne"),
        MARKET,
    ):
        await apply(connection, market(text), "eve@desk")
    assert await transfers(connection) == [
        ("opening", "cash", "buyer/acme", 5_000_000_001, "USD"),
        ("opening", "cash", "buyer/acne", 5_000_000_001, "USD"),
    ]


async def test_who_becomes_prepaid_later_is_booked_its_opening_balance_then(connection):
    """Made without an account of money, it would else never be able to buy again."""
    billing = 'billing = { mode = "prepaid", opening_balance = 5000.000001 }'
    assert billing in MARKET
    for text in (MARKET.replace(billing, ""), MARKET, MARKET.replace(billing, ""), MARKET):
        await apply(connection, market(text), "eve@desk")
    assert await transfers(connection) == [
        ("opening", "cash", "buyer/acme", 5_000_000_001, "USD"),
    ]
    assert (await read_present(connection)).opened == {"acme"}


async def test_what_cannot_be_changed_changes_nothing(connection):
    """A conflict is told with its place; nothing is written."""
    await apply(connection, market(), "eve@desk")
    moved = market(MARKET.replace('id = "acme"', 'id = "acme"\ncurrency = "CAD"'))
    for attempt in (plan(connection, moved), apply(connection, moved, "eve@desk")):
        with pytest.raises(ConflictError) as caught:
            await attempt
        assert [problem.path for problem in caught.value.problems] == [("buyer", 0, "currency")]
    assert len(await versions(connection)) == 1


async def test_two_applies_at_once_are_two_versions_one_after_the_other(database_url, connection):
    """Neither is lost, neither is mixed with the other, and balances are booked once."""
    texts = [MARKET.replace("price = 9.00", f"price = {price}.00") for price in range(10, 18)]

    async def one(text):
        own = await asyncpg.connect(database_url)
        try:
            return await apply(own, market(text), "eve@desk")
        finally:
            await own.close()

    applied = await asyncio.gather(*(one(text) for text in texts))
    assert sorted(each.version for each in applied) == list(range(1, 9))
    for each, text in zip(applied, texts, strict=True):
        assert await read_market(connection, each.version) == market(text)
    assert len(await transfers(connection)) == 1


async def test_an_apply_that_fails_half_way_leaves_everything_as_it_was(connection):
    """A broken statement in the middle takes the whole version with it."""
    await apply(connection, market(WITHOUT_ZETA), "eve@desk")
    await connection.execute(
        "ALTER TABLE market_object ADD CONSTRAINT no_zeta CHECK (id <> 'zeta-1')"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await apply(connection, market(), "eve@desk")
    assert await read_market(connection) == market(WITHOUT_ZETA)
    assert len(await versions(connection)) == 1


async def test_a_key_is_known_by_its_digest_alone(connection, vault):
    """The key itself, shown once, is nowhere in the database."""
    await apply(connection, market(), "eve@desk")
    made = await create_key(connection, vault, KeyRole.SELLER, "fast", "eve@desk")
    assert made.key.startswith("pk_seller_")
    assert len(made.key) == len("pk_seller_") + 43
    assert made.version == 2
    assert made.key not in repr(made)
    [row] = await connection.fetch("SELECT * FROM api_key")
    assert (row["digest"], row["role"], row["account"]) == (digest_of(made.key), "seller", "fast")
    assert made.key.startswith(row["hint"])
    assert not any(made.key in str(value) for value in row.values())


async def test_two_keys_are_valid_at_a_time(connection, vault):
    """The third retires the oldest, of its own account and role only."""
    await apply(connection, market(), "eve@desk")
    other = await create_key(connection, vault, KeyRole.BUYER, "acme", "eve@desk")
    made = [
        await create_key(connection, vault, KeyRole.SELLER, "fast", "eve@desk") for _ in range(3)
    ]
    assert [len(each.retired) for each in made] == [0, 0, 1]
    assert made[0].key.startswith(made[2].retired[0])
    rows = await connection.fetch("SELECT digest FROM api_key WHERE revoked IS NULL")
    valid = {row["digest"] for row in rows}
    assert valid == {digest_of(key.key) for key in (other, *made[1:])}


@pytest.mark.parametrize(
    ("role", "account", "says"),
    [
        (KeyRole.SELLER, "fasd", 'no seller "fasd" in the market; did you mean "fast"'),
        (KeyRole.SELLER, "acme", 'no seller "acme"'),
        (KeyRole.BUYER, "fast", 'no buyer "fast"'),
        (KeyRole.SIGNING, "acne", 'did you mean "acme"'),
        (KeyRole.ADMIN, "Eve!", "malformed"),
        (KeyRole.BUYER, "zeta", 'no buyer "zeta"'),
    ],
)
async def test_nobody_gets_a_key_who_is_not_in_the_market(connection, vault, role, account, says):
    """Unknown, of another kind, retired or malformed: an error, and no key."""
    for text in (MARKET, WITHOUT_ZETA):
        await apply(connection, market(text), "eve@desk")
    with pytest.raises(AccountError, match=says):
        await create_key(connection, vault, role, account, "eve@desk")
    assert await connection.fetchval("SELECT count(*) FROM api_key") == 0
    assert len(await versions(connection)) == 2


async def test_operators_need_no_account_in_the_market(connection, vault):
    """The first key of all is made before there is a market."""
    made = await create_key(connection, vault, KeyRole.ADMIN, "eve", "eve@desk")
    assert made.key.startswith("pk_admin_")
    assert await versions(connection) == [(1, "eve@desk", "key")]


async def test_a_signing_secret_is_stored_sealed_and_replaced_by_the_next(connection, vault):
    """Neither its bytes nor its text are in the table."""
    await apply(connection, market(), "eve@desk")
    first = await create_key(connection, vault, KeyRole.SIGNING, "acme", "eve@desk")
    second = await create_key(connection, vault, KeyRole.SIGNING, "acme", "eve@desk")
    assert first.key.startswith("whsec_")
    assert first.key != second.key
    [row] = await connection.fetch("SELECT * FROM secret")
    assert row["name"] == "signing/acme"
    from standardwebhooks import Webhook

    bytes_of_it = Webhook(second.key)._whsecret
    assert len(bytes_of_it) == 32
    assert bytes_of_it not in row["sealed"]
