"""Ends a process that hangs: one that sells alone, and any that does not come to its end.

Of several workers the supervisor sees which one is silent. One alone is watched by a small process
of its own, which a call that never lets go of the interpreter cannot hold up, too. And whoever was
told to end ends within a time that follows from its settings, whatever it still waits for: what it
leaves open lapses with its lease, and is finished by another worker or by the next one.
"""

import faulthandler
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import structlog

from exchange.settings import Settings
from exchange.supervision import brief as briefs
from exchange.supervision.roster import LOOK_EVERY_S

logger = structlog.get_logger(__name__)

LAST_WRITES_S = 8.0
"""Beside the grace, and what the ledger may take: to write the last answers, and to disconnect."""
LEDGER_CALLS = 2
"""Those that follow each other at the end, each with its whole time: a flush, and the lease."""
STACKS = signal.SIGUSR2
"""Has a watched process write where each of its threads stands: files, lines, names, no values."""
STACKS_WITHIN_S = 0.5
MS = 0.001


def watched(silent_max_s: float) -> socket.socket:
    """Have this process watched from the first word on that it says into the returned line.

    Call it before a loop or a thread begins, for it forks. The watchdog goes with this process.
    """
    ours, theirs = socket.socketpair()
    faulthandler.register(STACKS, file=sys.stderr, all_threads=True)
    worker = os.getpid()
    if os.fork():
        theirs.close()
        ours.setblocking(False)
        return ours
    ours.close()
    # What is said to all that a terminal runs is not said to a watchdog.
    os.setsid()
    try:
        if is_silent(theirs, silent_max_s):
            kill(worker)
    finally:
        os._exit(0)


def is_silent(line: socket.socket, silent_max_s: float) -> bool:
    """Return once its other side said nothing for so long; False where it is gone.

    Counted in looks of ours, as the supervisor does: where the machine stood still, we did too.
    """
    looks: int | None = None
    while looks is None or looks * LOOK_EVERY_S < silent_max_s:
        said, _, _ = select.select([line], [], [], LOOK_EVERY_S)
        if said:
            if not line.recv(briefs.READ_BYTES):
                return False
            looks = 0
        elif looks is not None:
            looks += 1
    return True


def kill(worker: int) -> None:
    """End the process that hangs, once it wrote where."""
    logger.warning("worker killed", pid=worker, why="silent")
    try:
        os.kill(worker, STACKS)
        time.sleep(STACKS_WITHIN_S)
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:  # it ended meanwhile
        return


def closing_max_s(settings: Settings) -> float:
    """Return how long a worker may take to its end from when it was told to stop."""
    ledger_s = LEDGER_CALLS * settings.database_timeout_ms * MS
    return settings.shutdown_grace_s + LAST_WRITES_S + ledger_s


def end_within(seconds: float, end: Callable[[int], object] = os._exit) -> threading.Timer:
    """Have this process end with status 1 unless it has ended by itself within this time."""

    def over() -> None:
        logger.error("not closed in time", seconds=seconds)
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        end(1)

    timer = threading.Timer(seconds, over)
    timer.daemon = True  # it holds up nobody who ends in time
    timer.start()
    return timer
