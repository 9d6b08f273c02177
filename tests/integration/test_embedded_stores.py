"""The embedded stores are started once, shared, stopped by the last user, and survive kill -9."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from exchange.stores import launch
from exchange.stores.embedded import EmbeddedStores
from exchange.stores.errors import DataFolderError, NoUserError, SocketFolderError, StartError
from exchange.stores.folder import DataFolder
from exchange.stores.identity import Identity, choose_identity
from exchange.stores.pair import Pair
from exchange.stores.postgres import postgres_program

USE = """
import sys
from pathlib import Path
from exchange.stores.embedded import EmbeddedStores
with EmbeddedStores(Path(sys.argv[1])) as urls:
    print(urls.database_url, flush=True)
    sys.stdin.read()
"""
WAIT_S = 15


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder that was used once, with one row and one counter in it."""
    folder = tmp_path_factory.mktemp("made") / "data"
    with EmbeddedStores(folder) as urls:
        asyncio.run(write(urls))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, so that not every test pays for initdb; nothing runs in it afterwards."""
    path = tmp_path / "data"
    shutil.copytree(made, path, symlinks=True)
    yield path
    assert running(path) == {}


class User:
    """Another process that uses the stores until it is told to leave, or killed."""

    def __init__(self, folder):
        command = [sys.executable, "-c", USE, str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def has_joined(self):
        return self.process.stdout.readline().startswith("postgresql://")

    def leave(self):
        self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode in {0, -signal.SIGKILL}


async def write(urls):
    connection = await asyncpg.connect(urls.database_url)
    await connection.execute("CREATE TABLE sale (name text); INSERT INTO sale VALUES ('é')")
    await connection.close()
    async with redis.asyncio.from_url(urls.market_url) as market:
        await market.set("counter", 41)


async def read(urls):
    connection = await asyncpg.connect(urls.database_url)
    names = await connection.fetch("SELECT name FROM sale")
    await connection.close()
    async with redis.asyncio.from_url(urls.market_url) as market:
        return [row["name"] for row in names], int(await market.get("counter"))


async def read_as_soon_as_it_can_be(urls):
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return await read(urls)
            except (OSError, asyncpg.PostgresError, redis.exceptions.RedisError):
                await asyncio.sleep(0.05)


def running(folder):
    """The processes of a data folder that live, by name."""
    pair = Pair(DataFolder(folder))
    try:
        with pair.in_turn():
            servers = (pair.postgres, pair.valkey)
            return {server.name: server.lock.holder() for server in servers if server.is_alive()}
    finally:
        pair.close()


def everyone_left(folder):
    """Wait until no process of a store holds its lock any more."""
    pair = Pair(DataFolder(folder))
    try:
        return all(server.lock.take(WAIT_S) for server in (pair.postgres, pair.valkey))
    finally:
        pair.close()


def appears(path):
    """Wait for a file of another process."""
    give_up_at = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < give_up_at:
        time.sleep(0.001)
    return path.exists()


def environment_of(pid):
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {entry.partition("=")[0] for entry in entries}


def owner_of(pid):
    return Path(f"/proc/{pid}").stat().st_uid


async def test_from_nothing_both_stores_answer_and_keep_what_they_were_told(tmp_path):
    """A folder that does not exist yet becomes stores whose data outlive them."""
    folder = tmp_path / "new" / "data"
    async with EmbeddedStores(folder) as urls:
        await write(urls)
    assert running(folder) == {}
    async with EmbeddedStores(folder) as urls:
        assert await read(urls) == (["é"], 41)
        connection = await asyncpg.connect(urls.database_url)
        shown = [
            await connection.fetchval(f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "server_encoding", "listen_addresses")
        ]
        await connection.close()
        assert shown == ["on", "on", "UTF8", ""]
        async with redis.asyncio.from_url(urls.market_url) as market:
            shown = await market.config_get("appendonly", "appendfsync", "save", "maxmemory-policy")
        assert shown == {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }


async def test_the_last_of_several_users_stops_them(folder):
    """Who leaves earlier, even the one who started them, takes nothing from the others."""
    with User(folder) as first:
        assert first.has_joined()
        before = running(folder)
        async with EmbeddedStores(folder) as urls:
            with EmbeddedStores(folder):
                first.leave()
            assert running(folder) == before
            assert await read(urls) == (["é"], 41)
    assert running(folder) == {}


def test_processes_that_start_at_once_share_one_pair(tmp_path):
    """Three processes on a folder that does not exist yet: one initdb, one of each server."""
    folder = tmp_path / "data"
    with User(folder) as one, User(folder) as two, User(folder) as three:
        assert all(user.has_joined() for user in (one, two, three))
        assert len(running(folder)) == 2
        assert (folder / "postgres.log").read_text().count("starting PostgreSQL") == 1
    assert running(folder) == {}


@pytest.mark.parametrize("name", ["PostgreSQL", "Valkey"])
async def test_a_killed_store_is_started_again_by_the_next_user(folder, name):
    """What was committed is still there, and the other store was left alone."""
    async with EmbeddedStores(folder):
        before = running(folder)
        os.kill(before[name], signal.SIGKILL)
        async with EmbeddedStores(folder) as urls:
            assert await read(urls) == (["é"], 41)
            after = running(folder)
            assert {n for n in before if before[n] != after[n]} == {name}


@pytest.mark.parametrize("name", ["PostgreSQL", "Valkey"])
async def test_a_killed_store_comes_back_under_those_who_use_it(folder, name):
    """Nobody new joins: the keeper sees it."""
    async with EmbeddedStores(folder) as urls:
        os.kill(running(folder)[name], signal.SIGKILL)
        assert await read_as_soon_as_it_can_be(urls) == (["é"], 41)
    log = (folder / "keeper.log").read_text()
    assert f"{name} died: starting again" in log


async def test_a_keeper_whose_log_takes_no_line_goes_on(folder):
    """Its log lies on the disk that may be full: it starts the dead store again all the same."""
    log = folder / "keeper.log"
    log.unlink(missing_ok=True)
    log.symlink_to("/dev/full")
    async with EmbeddedStores(folder) as urls:
        for _ in range(2):
            os.kill(running(folder)["Valkey"], signal.SIGKILL)
            assert await read_as_soon_as_it_can_be(urls) == (["é"], 41)
    log.unlink()


async def test_a_killed_user_does_not_keep_the_others_waiting(folder):
    """It counts as having left: the others go on, and the last one stops the stores."""
    with User(folder) as victim:
        assert victim.has_joined()
        async with EmbeddedStores(folder) as urls:
            victim.process.kill()
            victim.leave()
            assert await read(urls) == (["é"], 41)
    assert running(folder) == {}


def test_the_stores_of_a_killed_last_user_stop_by_themselves(folder):
    """The keeper stops what nobody uses any more."""
    with User(folder) as victim:
        assert victim.has_joined()
        victim.process.kill()
    assert everyone_left(folder)
    assert "database system is shut down" in (folder / "postgres.log").read_text()[-200:]


async def test_a_user_killed_while_it_makes_the_database_leaves_nothing(tmp_path):
    """Its initdb is stopped, and the next user begins anew."""
    folder = tmp_path / "data"
    with User(folder) as victim:
        assert appears(folder / "postgres.new" / "base")
        victim.process.kill()
    assert everyone_left(folder)
    async with EmbeddedStores(folder) as urls:
        await write(urls)


async def test_a_terminal_cannot_interrupt_them(folder):
    """They belong to other sessions, so that Ctrl-C stops the exchange first."""
    async with EmbeddedStores(folder):
        sessions = {os.getsid(pid) for pid in running(folder).values()}
        assert os.getsid(0) not in sessions


async def test_they_see_no_secret_of_ours(folder, monkeypatch):
    """Their environment holds neither our settings nor PG… variables meant for clients."""
    monkeypatch.setenv("EXCHANGE_MASTER_KEY", "canary")
    monkeypatch.setenv("PGPORT", "1")
    async with EmbeddedStores(folder) as urls:
        assert await read(urls) == (["é"], 41)
        for pid in running(folder).values():
            assert environment_of(pid).isdisjoint({"EXCHANGE_MASTER_KEY", "PGPORT"})


async def test_a_private_parent_stays_private(folder):
    """Below a folder that only its owner may enter, they run without changing any permission."""
    private = folder.parent / "private"
    private.mkdir(mode=0o700)
    folder.rename(private / "data")
    parents = [private, *private.parents]
    before = [path.stat().st_mode for path in parents]
    async with EmbeddedStores(private / "data") as urls:
        assert await read(urls) == (["é"], 41)
    assert [path.stat().st_mode for path in parents] == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    (private / "data").rename(folder)


async def test_a_path_too_long_for_a_socket_is_no_obstacle(folder):
    """The sockets then lie in a short folder of their own, for our eyes only."""
    long = folder.parent / ("long-" * 20) / "data"
    long.parent.mkdir()
    folder.rename(long)
    async with EmbeddedStores(long) as urls:
        sockets = DataFolder(long).sockets
        assert len(str(sockets)) < 40
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert await read(urls) == (["é"], 41)
        with User(long) as other:
            assert other.has_joined()
    sockets.rmdir()
    long.rename(folder)


async def test_a_short_socket_folder_of_someone_else_is_not_trusted(folder):
    """Whoever made it could have answered in the stores' place."""
    long = folder.parent / ("long-" * 20)
    long.mkdir()
    sockets = DataFolder(long).sockets
    sockets.symlink_to(folder.parent)
    try:
        with pytest.raises(SocketFolderError, match="EXCHANGE_DATA_DIR"):
            EmbeddedStores(long).__enter__()
    finally:
        sockets.unlink()
    assert running(long) == {}


async def test_a_pid_file_that_names_another_process_is_no_obstacle(folder):
    """After a power cut its number may belong to anyone, such as this test."""
    lines = [os.getpid(), folder / "postgres", 1, 5432, folder / "sockets", "", "1 1", "ready"]
    (folder / "postgres" / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
    (folder / "sockets" / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    async with EmbeddedStores(folder) as urls:
        assert await read(urls) == (["é"], 41)


async def test_a_making_cut_short_is_begun_anew(tmp_path):
    """What initdb left half-way is never taken for a database."""
    folder = tmp_path / "data"
    (folder / "postgres.new" / "base").mkdir(parents=True)
    async with EmbeddedStores(folder) as urls:
        await write(urls)
    assert not (folder / "postgres.new").exists()


def test_a_store_that_cannot_start_says_why(folder):
    """The error holds the end of the server's own log, and nothing stays behind."""
    (folder / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StartError, match=r"PostgreSQL stopped[^$]*files are incompatible"):
        EmbeddedStores(folder).__enter__()


async def test_entering_may_be_cancelled(folder):
    """Whoever gave up waiting is no user; nothing stays behind."""
    entering = asyncio.create_task(EmbeddedStores(folder).__aenter__())
    await asyncio.sleep(0)  # it has begun
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert running(folder) == {}


def test_a_data_folder_that_cannot_be_is_named(tmp_path):
    """The error says which setting helps."""
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="EXCHANGE_DATA_DIR"):
        EmbeddedStores(tmp_path / "file" / "data").__enter__()


if os.geteuid() == 0:  # nobody else can become nobody

    @pytest.fixture
    def open_folder(folder):
        """The folder where every parent may be entered, and its files belong to nobody."""
        parent = Path(tempfile.mkdtemp())
        parent.chmod(0o755)
        folder.rename(parent / "data")
        owner = Identity("65534:65534", 65534, 65534)
        DataFolder(parent / "data").hand_over(owner)
        yield parent / "data"
        (parent / "data").rename(folder)
        parent.rmdir()

    async def test_where_nobody_owns_the_files_nobody_runs_the_stores(open_folder):
        """What was begun without user namespaces goes on so."""
        async with EmbeddedStores(open_folder) as urls:
            assert await read(urls) == (["é"], 41)
            assert {owner_of(pid) for pid in running(open_folder).values()} == {65534}

    def test_where_nobody_can_enter_the_error_says_so(open_folder):
        """No parent's permissions are changed to make it work."""
        open_folder.parent.chmod(0o700)
        with pytest.raises(NoUserError, match="EXCHANGE_DATA_DIR"):
            EmbeddedStores(open_folder).__enter__()
        assert stat.S_IMODE(open_folder.parent.stat().st_mode) == 0o700

    def test_root_without_namespaces_becomes_nobody(open_folder, monkeypatch):
        """Where the kernel refuses a user namespace, the next way is taken."""
        monkeypatch.setattr(launch, "NAMESPACE", "65534:no such group")
        nowhere = open_folder / "none"
        identity = choose_identity(open_folder, nowhere, postgres_program("postgres"))
        assert identity.uid == 65534
