"""The tables come from numbered .sql files, each applied once, by one process at a time."""

import hashlib
from pathlib import Path
from typing import Any

import asyncpg

from exchange.ledger.errors import MigrationError

FOLDER = Path(__file__).parent / "migrations"

LOCK = 0x6C65_6467_6572
"""The advisory lock of all that migrate one database."""

APPLIED = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name   text NOT NULL,
    digest bytea NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate(dsn: str, folder: Path = FOLDER) -> None:
    """Bring the database up to date, all new files or none; processes that start at once agree.

    Raises MigrationError where a file was changed after it had been applied.
    """
    files = migration_files(folder)
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await connection.execute(APPLIED)
            await apply_new(connection, files)
    finally:
        await connection.close()


def migration_files(folder: Path) -> list[tuple[int, str, bytes]]:
    """Return number, name and text of all migrations, in order."""
    paths = sorted(folder.glob("[0-9][0-9][0-9]_*.sql"))
    return [(int(path.name[:3]), path.name, path.read_bytes()) for path in paths]


async def apply_new(connection: Any, files: list[tuple[int, str, bytes]]) -> None:
    """Apply, in order, the files that this database has not seen."""
    applied = dict(await connection.fetch("SELECT number, digest FROM schema_migration"))
    for number, name, text in files:
        digest = hashlib.sha256(text).digest()
        if number not in applied:
            await connection.execute(text.decode())
            await connection.execute(
                "INSERT INTO schema_migration (number, name, digest) VALUES ($1, $2, $3)",
                number,
                name,
                digest,
            )
        elif applied[number] != digest:
            raise MigrationError(name=name)
