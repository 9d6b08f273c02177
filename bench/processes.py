"""Processes that a benchmark starts, pins and looks at: Linux's own accounts of them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
OF_THE_SCHEDULER = 2
"""Which clock of a process: what clock_getcpuclockid(3) makes of its id, as Linux defines it."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
KILL_AFTER_S = 40.0


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the block lasts, and end it as a person would."""
    process = subprocess.Popen(command, start_new_session=True, **how)  # noqa: S603 - our own
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and what it starts, on one core for as long as the block lasts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pids: Iterable[int], core: int) -> None:
    """Put every thread of these processes on one core; what they started before stays."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def children(pid: int) -> list[int]:
    """Return the processes that this one started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text("ascii").split()]


def arguments(pid: int) -> list[str]:
    """Return the command line that a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, user and system, without its children.

    Errors: ProcessLookupError where it is gone. From the scheduler's own clock of the process, in
    nanoseconds; the same figures in /proc are rounded to ticks, a hundredth of a second each.
    """
    try:
        return time.clock_gettime(~pid << 3 | OF_THE_SCHEDULER)
    except OSError as error:
        raise ProcessLookupError(pid) from error


def rss_mib(pid: int) -> float:
    """Return how much memory a process holds."""
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * PAGE_BYTES / MIB


def open_files(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def core_busy_s(core: int) -> float:
    """Return for how long a core was busy since the machine started; with nothing told, 0."""
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _, _, irq, softirq, *_ = map(int, line.split()[1:])
            return (user + nice + system + irq + softirq) / TICKS_PER_S
    return 0.0
