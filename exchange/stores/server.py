"""One server process that outlives its starter and is never found by its number alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exchange.stores import launch
from exchange.stores.errors import SilentError, StartError, StopError
from exchange.stores.folder import open_log
from exchange.stores.identity import Identity
from exchange.stores.locks import Lock

POLL_S = 0.005
TAIL_BYTES = 2000
RUN_TIMEOUT_S = 120.0
PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""All that a server sees of the environment: no PG… variable, no secret of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A command, the lock that it holds while any process of it lives, and how to stop it.

    Called by one process at a time, under the lock of the data folder: asking who holds a lock
    takes it for a moment.
    """

    name: str
    command: tuple[str, ...]
    lock: Lock
    lock_path: Path
    log: Path
    signals: tuple[tuple[signal.Signals, float], ...]
    """What to stop it with, one after the other, and how many seconds to wait after each."""
    answers: Callable[[], bool]
    """Whether it answers right now; must return within a second or so."""

    def is_alive(self) -> bool:
        """Tell whether a process of it still runs; asked of the kernel, not of a file."""
        return self.lock.is_taken()

    def launch(self, identity: Identity, folder: Path) -> None:
        """Start it, detached, in a folder; returns at once, long before it answers."""
        self._run(identity, folder, launch.DETACHED, self.command)

    def run_first(self, identity: Identity, folder: Path, command: tuple[str, ...]) -> None:
        """Run a program that makes it ready to start, to its end. Errors: StartError.

        It holds the same lock, so that it still counts as this server when we are killed.
        """
        if self._run(identity, folder, launch.ATTACHED, command) != 0:
            raise StartError(name=Path(command[0]).name, log=self.log, tail=self.tail())

    def wait_until_it_answers(self, timeout_s: float) -> None:
        """Return when it serves. Errors: StartError when it ended, SilentError."""
        give_up_at = time.monotonic() + timeout_s
        while not self.answers():
            if not self.is_alive():
                raise StartError(name=self.name, log=self.log, tail=self.tail())
            if time.monotonic() > give_up_at:
                raise SilentError(name=self.name, seconds=timeout_s, log=self.log, tail=self.tail())
            time.sleep(POLL_S)

    def wait_until_it_answers_or_ends(self, timeout_s: float) -> bool:
        """Wait for one that is still starting, or dying; tell whether it serves."""
        try:
            self.wait_until_it_answers(timeout_s)
        except StartError:
            return False
        return True

    def stop(self) -> None:
        """Stop it and return when the last process of it has gone. Errors: StopError."""
        for number, wait_s in self.signals:
            if not self.is_alive():
                return
            self._signal(number)
            give_up_at = time.monotonic() + wait_s
            while self.is_alive() and time.monotonic() < give_up_at:
                time.sleep(POLL_S)
        if self.is_alive():
            raise StopError(name=self.name, log=self.log, tail=self.tail())

    def tail(self) -> str:
        """Return the end of its log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                return log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _run(self, identity: Identity, folder: Path, how: str, command: tuple[str, ...]) -> int:
        lock = Lock(self.lock_path)
        try:
            assert lock.try_take(), f"{self.name} is started only where it does not run"
            with open_log(self.log) as log:
                return subprocess.run(  # noqa: S603 - our own launcher, no shell
                    identity.launches(lock.fileno(), how, *command),
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=server_environment(),
                    pass_fds=(lock.fileno(),),
                    start_new_session=True,  # the terminal's Ctrl-C is for us, who leave in order
                    timeout=RUN_TIMEOUT_S,
                ).returncode
        finally:
            lock.close()

    def _signal(self, number: signal.Signals) -> None:
        # The lock is taken, so the number in it is of a process that lives, or whose children do.
        if (holder := self.lock.holder()) is None:
            return
        try:
            os.kill(holder, number)
        except ProcessLookupError:
            return


def server_environment() -> dict[str, str]:
    """Return the environment of a server: the same on every machine but for where things lie."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"LANG": "C", "LC_ALL": "C", "TZ": "UTC"}
