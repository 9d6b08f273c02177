"""Where everything lies: one data folder, and its sockets where their paths are short enough."""

import hashlib
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from exchange.stores.errors import DataFolderError, SocketFolderError
from exchange.stores.identity import Identity

SOCKET_PATH_MAX_BYTES = 107 if sys.platform == "linux" else 103
"""What fits into a `sockaddr_un` with its closing NUL."""

LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
SHORT_PARENT = Path("/tmp")  # noqa: S108 - must be the same for all processes, whatever their TMPDIR; 0700 below
PRIVATE = 0o700
MAY_PASS = 0o011


def open_log(path: Path) -> BinaryIO:
    """Open a log file to append to, for its owner's eyes only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


class DataFolder:
    """The paths in one data folder, made absolute, so that all who name it differently agree."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            self.path = path.resolve(strict=True)
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(f"not writable by user {os.geteuid()}")
        except OSError as error:
            raise DataFolderError(folder=path, problem=error.strerror or error) from error
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.sockets = self._sockets()

    def lock(self, name: str) -> Path:
        """Return the path of a lock file."""
        return self.path / f"{name}.lock"

    def log(self, name: str) -> Path:
        """Return the path of a log file."""
        return self.path / f"{name}.log"

    def hand_over(self, identity: Identity) -> None:
        """Make the folders that the servers write to, and give them to the user who runs them."""
        if self.sockets.parent == SHORT_PARENT:
            _make_private(self.sockets, self.path, identity)
        if identity.uid != os.geteuid():
            self.path.chmod(stat.S_IMODE(self.path.stat().st_mode) | MAY_PASS)
        for folder in (self.sockets, self.valkey, self.postgres):
            if folder in (self.sockets, self.valkey):
                folder.mkdir(exist_ok=True, mode=PRIVATE)
            if folder.exists():
                give(folder, identity)

    def new_postgres(self, identity: Identity) -> Path:
        """Return a fresh empty folder to be filled, then renamed to `postgres` when it is whole."""
        folder = self.path / "postgres.new"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=PRIVATE)
        give(folder, identity)
        return folder

    def _sockets(self) -> Path:
        folder = self.path / "sockets"
        if len(os.fsencode(folder / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES:
            return folder
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return SHORT_PARENT / f"exchange-{digest}"


def _make_private(short: Path, folder: Path, identity: Identity) -> None:
    """Make a folder beside strangers' ones; whoever may enter it may do anything to the stores."""
    short.mkdir(exist_ok=True, mode=PRIVATE)
    found = short.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or stat.S_IMODE(found.st_mode) != PRIVATE
        or found.st_uid not in {os.geteuid(), identity.uid}
    ):
        raise SocketFolderError(folder=folder, short=short)


def give(folder: Path, identity: Identity) -> None:
    """Make all of a folder belong to who runs the servers; only root can and need do so."""
    if os.geteuid() != 0 or folder.stat().st_uid == identity.uid:
        return
    for parent, _, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):  # noqa: PTH118 - as os.walk gives them
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
