"""Both servers of one data folder and all who use them: the rules of joining and leaving.

Three kinds of lock files, dropped by the kernel when their holder ends, decide everything:
`stores.lock` is held while someone starts or stops anything; `users.lock` is shared by all users;
each server holds its own as long as any process of it lives.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.stores import postgres, valkey
from exchange.stores.binaries import postgres_program
from exchange.stores.errors import BusyError
from exchange.stores.folder import DataFolder
from exchange.stores.identity import choose_identity, oneself
from exchange.stores.locks import Lock
from exchange.stores.server import Server

ANSWER_TIMEOUT_S = 60.0
"""How long a start may take: after a crash, PostgreSQL replays its log and Valkey loads its own."""

TURN_TIMEOUT_S = 150.0
"""How long to wait for others who start or stop: both starts and a stop."""

CODE_FOLDER = Path(__file__).parents[2]


class Pair:
    """PostgreSQL, Valkey and the keeper of one data folder, as seen by one process."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.turn = Lock(folder.lock("stores"))
        self.users = Lock(folder.lock("users"))
        self.postgres = postgres.postgres_server(folder)
        self.valkey = valkey.valkey_server(folder)
        self.keeper = keeper(folder)

    def close(self) -> None:
        """Let go of all locks of this process."""
        for lock in (self.users, self.turn, *(server.lock for server in self._servers)):
            lock.close()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Keep all others from starting or stopping anything meanwhile. Errors: BusyError."""
        if not self.turn.take(TURN_TIMEOUT_S):
            raise BusyError(folder=self.folder.path, seconds=TURN_TIMEOUT_S)
        try:
            yield
        finally:
            self.turn.release()

    def is_used(self) -> bool:
        """Tell whether any process but this one uses the stores; called in turn."""
        return self.users.is_taken()

    def start(self) -> None:
        """Start whatever does not run and return when both answer; called in turn."""
        # First, so that it stops whatever we started if we are killed in the middle.
        if not self.keeper.is_alive():
            self.keeper.launch(oneself(), CODE_FOLDER)
        starting = [server for server in (self.valkey, self.postgres) if not serves(server)]
        if starting:
            identity = choose_identity(
                self.folder.path, self.folder.sockets, postgres_program("postgres")
            )
            self.folder.hand_over(identity)
            if self.valkey in starting:
                self.valkey.launch(identity, self.folder.valkey)
            if self.postgres in starting:
                postgres.prepare(self.postgres, self.folder, identity)
                self.postgres.launch(identity, self.folder.postgres)
            for server in starting:
                server.wait_until_it_answers(ANSWER_TIMEOUT_S)

    def stop(self) -> None:
        """Stop what runs, in order, and return when it has gone; called in turn."""
        for server in self._servers:
            server.stop()

    @property
    def _servers(self) -> tuple[Server, ...]:
        return (self.keeper, self.valkey, self.postgres)


def serves(server: Server) -> bool:
    """Tell whether a server needs no start; waits for one that is still starting or dying."""
    return server.is_alive() and server.wait_until_it_answers_or_ends(ANSWER_TIMEOUT_S)


def keeper(folder: DataFolder) -> Server:
    """Return the process that watches over the servers of a data folder."""
    return Server(
        name="The keeper of the stores",
        command=(sys.executable, "-m", "exchange.stores.keeper", str(folder.path)),
        lock=Lock(folder.lock("keeper")),
        lock_path=folder.lock("keeper"),
        log=folder.log("keeper"),
        signals=((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)),
        answers=lambda: True,
    )
