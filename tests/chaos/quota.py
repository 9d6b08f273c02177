"""A data folder with a quota that can be used up: a small file system, or a limit on file sizes."""

import ctypes
import errno
import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.places import store_folder

SIZE_MIB = 384
"""Room for a new database, its log and a round's leads."""

BALLAST = "ballast"
PIECE = b"\0" * (1 << 20)
LAZY = 2


@contextmanager
def data_folder() -> Iterator["DataFolder"]:
    """Lend a new data folder, on a file system of its own where one may be mounted."""
    with store_folder() as folder:
        data = folder / "data"
        data.mkdir(mode=0o755)
        mounted = mount(data)
        try:
            yield DataFolder(data, mounted)
        finally:
            if mounted:
                unmount(data)


class DataFolder:
    """Where the stores keep everything, and how to leave them no room."""

    def __init__(self, path: Path, mounted: bool) -> None:
        self.path = path
        self.mounted = mounted
        """False: not allowed here; then their files may not grow, by RLIMIT_FSIZE."""
        self.limited: list[int] = []

    @property
    def how(self) -> str:
        """How the quota is kept, for the report."""
        return f"tmpfs of {SIZE_MIB} MiB" if self.mounted else "RLIMIT_FSIZE on the stores"

    def fill(self, pids: Iterable[int]) -> None:
        """Leave no byte, or let no file of these processes grow."""
        if not self.mounted:
            self.limited = list(pids)
            for pid in self.limited:
                limit(pid, 0)
            return
        with (self.path / BALLAST).open("ab", buffering=0) as ballast:
            piece = PIECE
            while piece:
                try:
                    ballast.write(piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    piece = piece[: len(piece) // 2]

    def free(self) -> None:
        """Give the room back."""
        (self.path / BALLAST).unlink(missing_ok=True)
        for pid in self.limited:
            limit(pid, resource.RLIM_INFINITY)
        self.limited = []


def limit(pid: int, size: int) -> None:
    """Let no file of a process grow beyond this size; one that ended needs no limit."""
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def mount(folder: Path) -> bool:
    """Put a small file system in memory there; False where that is not allowed."""
    options = f"size={SIZE_MIB}m,mode=755".encode()
    done: int = libc().mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options)
    return done == 0


def unmount(folder: Path) -> None:
    """Take it away, as soon as nobody uses it."""
    libc().umount2(os.fsencode(folder), LAZY)


def libc() -> ctypes.CDLL:
    """Return the C library, whose calls Python does not have."""
    return ctypes.CDLL(None, use_errno=True)
