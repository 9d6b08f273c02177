"""The tables come from numbered files, each applied once."""

import asyncio
import shutil

import pytest

from exchange.ledger.errors import MigrationError
from exchange.ledger.migrations import FOLDER, migrate

NEW = "CREATE TABLE extra (id integer PRIMARY KEY);\nCREATE INDEX extra_id ON extra (id);\n"


@pytest.fixture
def folder(tmp_path):
    """The shipped migrations and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER, folder)
    (folder / "900_extra.sql").write_text(NEW)
    return folder


async def test_processes_that_start_at_once_agree(database_url, database, folder):
    """Every file is applied once, whoever comes first."""
    await asyncio.gather(*(migrate(database_url, folder) for _ in range(5)))

    rows = await database.fetch("SELECT number, count(*) FROM schema_migration GROUP BY number")
    assert {row["number"]: row["count"] for row in rows}[900] == 1
    assert await database.fetchval("SELECT count(*) FROM extra") == 0


async def test_a_file_that_was_changed_after_it_was_applied_is_an_error(database_url, folder):
    """The past is not rewritten; the file is named."""
    await migrate(database_url, folder)
    (folder / "900_extra.sql").write_text(NEW + "-- changed")

    with pytest.raises(MigrationError, match="900_extra"):
        await migrate(database_url, folder)


async def test_a_file_that_fails_leaves_nothing_behind(database_url, database, folder):
    """All new files or none."""
    (folder / "901_broken.sql").write_text("SELECT 1 / 0;")

    with pytest.raises(Exception, match="division by zero"):
        await migrate(database_url, folder)

    assert await database.fetchval("SELECT to_regclass('extra')") is None
