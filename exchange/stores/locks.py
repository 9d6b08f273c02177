"""Locks that the kernel drops with their last holder, however it ends.

A lock belongs to an open file and all who inherited it: `kill -9` frees it, a process number that
was given to another process cannot keep it, and a server that holds its own lock is alive.
"""

import fcntl
import os
import time
from pathlib import Path

RETRY_S = 0.01


class Lock:
    """A lock file, open until `close`; the lock still holds when the file has been deleted."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Let go of it, unless someone inherited it."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Return the open file, to be inherited."""
        return self._descriptor

    def try_take(self, *, shared: bool = False) -> bool:
        """Hold the lock, alone or with other sharers; False if another holder is in the way."""
        try:
            fcntl.flock(
                self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
            )
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Hold it no more."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def take(self, timeout_s: float) -> bool:
        """Hold the lock alone as soon as it is free; False if it was not free in time."""
        give_up_at = time.monotonic() + timeout_s
        while not self.try_take():
            if time.monotonic() > give_up_at:
                return False
            time.sleep(RETRY_S)
        return True

    def is_taken(self) -> bool:
        """Tell whether someone else holds it; the caller keeps all others from trying meanwhile."""
        if self.try_take():
            self.release()
            return False
        return True

    def holder(self) -> int | None:
        """Return the process id that the holder wrote into it, None if there is none."""
        text = os.pread(self._descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
