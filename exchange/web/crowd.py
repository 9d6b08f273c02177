"""How many connections each worker has, so that new ones go to whoever has fewest."""

import mmap
from typing import BinaryIO

SLOTS_MAX = 256
ABSENT = -1
"""What stands for a worker that takes no new connections, or that is not there."""
BYTES_EACH = 4


class Crowd:
    """One number for every worker, in memory that all of them and their supervisor share.

    Each changes its own alone. What is read of the others may be a moment old: it decides who
    waits a little, never who is served.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Share the memory of a file, which is as large as `size_bytes`."""
        self.memory = mmap.mmap(file.fileno(), self.size_bytes)
        self.counts = memoryview(self.memory).cast("i")

    size_bytes = SLOTS_MAX * BYTES_EACH

    @classmethod
    def of_nobody(cls, file: BinaryIO) -> "Crowd":
        """Return a new crowd in an empty file."""
        file.truncate(cls.size_bytes)
        crowd = cls(file)
        for slot in range(SLOTS_MAX):
            crowd.leave(slot)
        return crowd

    def join(self, slot: int) -> None:
        """Take connections from now on."""
        self.counts[slot] = 0

    def leave(self, slot: int) -> None:
        """Take none any more; what is open does not count."""
        self.counts[slot] = ABSENT

    def add(self, slot: int, change: int) -> None:
        """Count a connection that came (1) or went (-1)."""
        if self.counts[slot] != ABSENT:
            self.counts[slot] += change

    def is_ahead(self, slot: int) -> bool:
        """Tell whether somebody else has fewer connections than this one."""
        own = self.counts[slot]
        return any(ABSENT < count < own for count in self.counts)
