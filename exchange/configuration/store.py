"""The configuration in PostgreSQL: what is there, and how a market takes its place."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from exchange.configuration.compiling.limits import money_of
from exchange.configuration.difference import (
    Difference,
    Present,
    conflicts,
    difference,
)
from exchange.configuration.objects import (
    Key,
    Object,
    decode,
    encode,
    market_of,
    parts_of,
    positions,
    same,
)
from exchange.configuration.problem import Problem
from exchange.configuration.queries import SQL
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market_file import MarketFile
from exchange.contract.parts import Part

NAMED = "named/"
"""Before a secret's own name: what mappings call `{secret:NAME}`."""
ACCOUNT = "buyer/"
"""Before a buyer's id: the account that is its money."""


class ConflictError(Exception):
    """A market that cannot take the place of the present one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class Applied(msgspec.Struct, frozen=True):
    """What an apply did; `version` is the present one where it had nothing to do."""

    version: int
    difference: Difference


class NoVersionError(Exception):
    """There is no version {version} of the configuration; the latest is {latest}."""

    def __init__(self, version: int, latest: int) -> None:
        super().__init__((self.__doc__ or "").format(version=version, latest=latest))


async def read_present(connection: Any, version: int | None = None) -> Present:
    """Return the market as it is, or was at a version. Raises NoVersionError."""
    latest = await connection.fetchval(SQL["version"])
    at = latest if version is None else version
    if not 0 <= at <= latest:
        raise NoVersionError(at, latest)
    rows = await connection.fetch(SQL["present"], at)
    retired = [row for row in rows if row["body"] is None]
    secrets = await connection.fetch(SQL["secret_names"], NAMED)
    opened = await connection.fetch(SQL["opened"])
    return Present(
        version=at,
        objects={
            (row["kind"], row["id"]): Object(row["position"], decode(row["kind"], row["body"]))
            for row in rows
            if row["body"] is not None
        },
        retired=await _before(connection, [(row["kind"], row["id"]) for row in retired], at),
        secrets=frozenset(row["name"].removeprefix(NAMED) for row in secrets),
        opened=frozenset(row["account"].removeprefix(ACCOUNT) for row in opened),
    )


async def _before(connection: Any, keys: list[Key], version: int) -> dict[Key, Part]:
    if not keys:
        return {}
    kinds, names = zip(*keys, strict=True)
    rows = await connection.fetch(SQL["last_bodies"], list(kinds), list(names), version)
    return {(row["kind"], row["id"]): decode(row["kind"], row["body"]) for row in rows}


async def read_market(connection: Any, version: int | None = None) -> MarketFile:
    """Return the market as a file would hold it. Raises NoVersionError."""
    return market_of((await read_present(connection, version)).objects)


async def plan(connection: Any, market: MarketFile) -> Difference:
    """Return what an apply would do now. Raises ConflictError."""
    present = await read_present(connection)
    return checked_difference(present, market)


def checked_difference(present: Present, market: MarketFile) -> Difference:
    """Return the difference; raise ConflictError where it cannot be made true."""
    problems = tuple(conflicts(present, market))
    if problems:
        raise ConflictError(problems)
    return difference(present, market)


async def apply(connection: Any, market: MarketFile, by: str) -> Applied:
    """Make this market the present one, in one transaction, or leave everything as it was.

    Others who apply at once wait their turn; one that changes nothing makes no version. What is
    omitted is retired. Raises ConflictError.
    """
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        present = await read_present(connection)
        change = checked_difference(present, market)
        if not change:
            return Applied(present.version, change)
        rows = list(rows_of(present, market))
        digest = hashlib.sha256(msgspec.json.encode(rows)).digest()
        version = await begin_version(connection, by, "market", digest)
        await connection.executemany(SQL["add_object"], [(version, *row) for row in rows])
        await _open_accounts(connection, market, present)
        await connection.execute(SQL["announce"], str(version))
    return Applied(version, change)


async def begin_version(connection: Any, by: str, kind: str, digest: bytes) -> int:
    """Return the number of a new version; called inside the transaction that makes it."""
    version: int = await connection.fetchval(SQL["begin_version"], by, kind, digest)
    return version


def rows_of(present: Present, market: MarketFile) -> Iterator[tuple[str, str, int, str | None]]:
    """Return kind, id, position and body of every object that this market writes anew."""
    wanted = parts_of(market)
    places = positions(wanted, {key: entry.position for key, entry in present.objects.items()})
    for key, part in wanted.items():
        old = present.objects.get(key)
        if old is None or old.position != places[key] or not same(old.part, part):
            yield (*key, places[key], encode(part))
    for key, entry in present.objects.items():
        if key not in wanted:
            yield (*key, entry.position, None)


async def _open_accounts(connection: Any, market: MarketFile, present: Present) -> None:
    """Book the opening balances that are not booked yet, whenever their buyers were made."""
    for buyer in market.buyer:
        amount = opening_balance(buyer)
        if amount and buyer.id not in present.opened:
            account = f"{ACCOUNT}{buyer.id}"
            await connection.execute(SQL["open_account"], account, amount, buyer.currency)


def opening_balance(buyer: BuyerPart) -> int:
    """Return what a buyer paid in at first, in micros."""
    return money_of(buyer.billing.opening_balance) if buyer.billing else 0
