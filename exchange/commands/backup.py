"""`exchange backup` and `restore`: the whole ledger in one file, while it sells, and back again."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from cyclopts import Parameter

from exchange.commands.showing import tell
from exchange.domain.counting import counted, is_or_are
from exchange.errors import CommandError
from exchange.ledger.errors import MasterKeyError
from exchange.opening import connect, database_at, ledger_key, place_of, store_urls
from exchange.settings import Settings
from exchange.stores.binaries import postgres_program
from exchange.stores.errors import BinaryMissingError

Given = Annotated[Settings, Parameter(parse=False)]

HAS_LEDGER = "SELECT to_regclass('moment') IS NOT NULL"
FORGET_SERVER = "UPDATE market_epoch SET server = NULL"
"""Whatever market state is there was not built from this ledger: the next worker builds it anew."""
LEADS = "SELECT count(*) FROM lead"
PRIVATE = 0o600


async def backup(file: Path, /, *, settings: Given) -> None:
    """Write the whole ledger into one file, as of one moment; the exchange goes on selling.

    Parameters
    ----------
    file:
        Where to; one that is there is replaced once the new one is whole. Keep the master key
        elsewhere: without it nothing that is sealed in the file can be read.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(PRIVATE, exist_ok=False)
        async with store_urls(settings) as urls:
            await run(
                "pg_dump", urls.database_url, "--format=custom", "--no-owner", f"--file={draft}"
            )
        size = put_in_place(draft, file)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    tell(f"The ledger is in {file}, {size:,} bytes; its master key is not.")


async def restore(file: Path, /, *, settings: Given) -> None:
    """Read a ledger back into a database that has none, all of it or nothing.

    Caps, budgets, claims and keys of requests are counted anew from it by the next worker that
    starts, before it sells; leads that were under way are ended by it.

    Parameters
    ----------
    file:
        What `exchange backup` wrote.
    """
    must_exist(file)
    async with store_urls(settings) as urls:
        connection = await connect(urls.database_url)
        try:
            if await connection.fetchval(HAS_LEDGER):
                raise CommandError(
                    f"PostgreSQL at {place_of(urls.database_url)} has a ledger already: "
                    "restore into an empty database"
                )
            options = ("--single-transaction", "--exit-on-error", "--no-owner")
            await run("pg_restore", urls.database_url, *options, str(file))
            await connection.execute(FORGET_SERVER)
        finally:
            await connection.close()
        async with database_at(urls.database_url) as connection:
            leads = await connection.fetchval(LEADS)
            back = f"{counted(leads, 'lead')} {is_or_are(leads)} back"
            try:
                await ledger_key(connection, settings)
            except MasterKeyError:
                tell(f"{back}, all of the file; what is missing is its master key:")
                raise
    tell(f"{back}. Next: exchange verify, then exchange serve.")


async def run(program: str, url: str, *options: str) -> None:
    """Run one of PostgreSQL's own programs on a database. Raises CommandError with what it says."""
    address, password = without_password(url)
    process = await asyncio.create_subprocess_exec(
        found(program),
        f"--dbname={address}",
        *options,
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        raise CommandError(f"{program} failed: {lines[-1]}")


def found(program: str) -> str:
    """Return the path of a program: the one that came with the exchange, or the machine's own."""
    try:
        return str(postgres_program(program))
    except BinaryMissingError:
        path = shutil.which(program)
        if path is None:
            raise
        return path


def without_password(url: str) -> tuple[str, str | None]:
    """Return a URL as all may see it in a list of processes, and its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, None
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), parts.password


def must_exist(file: Path) -> None:
    """Raise CommandError where there is no such file."""
    if not file.is_file():
        raise CommandError(f"{file}: there is no such file")


def put_in_place(draft: Path, file: Path) -> int:
    """Give a whole draft its name, durably; return how many bytes it has."""
    sync(draft)
    draft.rename(file)
    sync(file.parent)
    return file.stat().st_size


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
