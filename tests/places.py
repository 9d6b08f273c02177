"""Where tests keep their stores: in memory where there is room, for a disk is slow and shared."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

IN_MEMORY = Path("/dev/shm")
"""Where a database is cloned five times as fast as on a disk, where there is such a place."""

ROOM_BYTES = 1 << 30
"""What it must have free: one run needs a quarter."""

PREFIX = "exchange-tests-"


@contextmanager
def store_folder() -> Iterator[Path]:
    """A new folder with a short path, removed with all that is in it at the end."""
    has_room = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES
    if has_room:
        clear_after_killed_runs()
    place = IN_MEMORY if has_room else None
    with TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=place) as folder:
        yield Path(folder)


def clear_after_killed_runs() -> None:
    """Give back the memory that runs without an end left taken."""
    for folder in IN_MEMORY.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
