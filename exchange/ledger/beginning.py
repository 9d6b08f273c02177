"""Under which master key a ledger was begun: one key for good, whoever comes later."""

from typing import Any

from exchange.ledger.errors import MasterKeyError
from exchange.ledger.vault import key_id

HAS_TABLE = "SELECT to_regclass('master_key') IS NOT NULL"
BEGUN_UNDER = "SELECT id FROM master_key"
BEGIN = "INSERT INTO master_key (id) VALUES ($1) ON CONFLICT DO NOTHING"


async def begun_under(connection: Any) -> bytes | None:
    """Return the id of the key under which this ledger was begun; None: it was not begun yet."""
    if not await connection.fetchval(HAS_TABLE):
        return None
    found: bytes | None = await connection.fetchval(BEGUN_UNDER)
    return found


async def begin(connection: Any, master_key: bytes) -> None:
    """Begin the ledger under this key, or make sure that it was. Errors: MasterKeyError.

    Of all who begin it at once, one key stands, and whoever has another one is told.
    """
    ours = key_id(master_key)
    found = await begun_under(connection)
    if found is None:
        await connection.execute(BEGIN, ours)
        found = await begun_under(connection)
    assert found is not None, "whoever begins a ledger brings its tables up to date first"
    if found != ours:
        raise MasterKeyError(sealed_under=found.hex(), known=ours.hex())
