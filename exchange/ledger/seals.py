"""Seals, links and entries as rows of the ledger."""

from collections.abc import Sequence
from typing import Any

from exchange.domain import sealing
from exchange.domain.sealing import Entry, Seal
from exchange.ledger import sql

STATEMENTS = sql.read("seal.sql")
SEALS = "seals"
"""The name of the key that heads and seals are made with."""
NOTHING = Seal(
    number=0,
    at_us=0,
    first=0,
    last=0,
    entries=0,
    root=b"",
    versions=0,
    paid_in=0,
    market=b"",
    mac=sealing.NO_HEAD,
)
"""Before the first seal."""


async def heads_before(connection: Any, entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the last head of each lead before the first of these entries of it."""
    firsts: dict[str, int] = {}
    for entry in entries:
        firsts.setdefault(entry.lead_id, entry.number)
    rows = await connection.fetch(STATEMENTS["heads"], list(firsts), list(firsts.values()))
    return {str(row["lead_id"]): row["head"] for row in rows}


async def market_digest(connection: Any, before: Seal, versions: int, paid_in: int) -> bytes:
    """Return one digest of the market's versions and the money paid in since a seal."""
    digest: bytes = await connection.fetchval(
        STATEMENTS["market"], before.versions, versions, before.paid_in, paid_in
    )
    return digest


def entry_of(row: Any) -> Entry:
    """Return an entry's digests from a row."""
    return Entry(
        lead_id=str(row["lead_id"]),
        number=row["number"],
        parts=row["parts"],
        keys=row["keys"],
        capture=row["capture"],
        capture_until_us=row["capture_until"],
    )


def link_row(seal: int, entry: Entry, head: bytes) -> tuple[Any, ...]:
    """Return a row of `link`."""
    return (
        entry.lead_id,
        entry.number,
        seal,
        entry.parts,
        entry.keys,
        entry.capture,
        entry.capture_until_us,
        head,
    )


def seal_row(seal: Seal) -> tuple[Any, ...]:
    """Return what `add_seal` takes."""
    return (
        seal.number,
        seal.at_us,
        seal.first,
        seal.last,
        seal.entries,
        seal.root,
        seal.versions,
        seal.paid_in,
        seal.market,
        seal.mac,
    )


def seal_of(row: Any) -> Seal | None:
    """Return the seal of a row, None where there is none."""
    if row is None:
        return None
    told = {name: row[name] for name in ("number", "first", "last", "entries", "root")}
    market = {name: row[name] for name in ("versions", "paid_in", "market", "mac")}
    return Seal(at_us=row["at"], **told, **market)
