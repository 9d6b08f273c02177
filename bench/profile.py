"""Where an exchange's CPU goes, part by part, seen from outside by a sampling profiler (py-spy).

Each sample is a stack; the first of its functions, from the innermost on, that belongs to a part
of the exchange or to the library that it alone uses says which part the moment was spent in.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.processes import pinned
from bench.serving import OTHER_CORE

SAMPLES_PER_S = 200
LOOP = "event loop"
PLACES = (
    ("answer", r"exchange/web/(answers|voice|xml_answers|problems)|finish_response|http_writer"),
    ("intake", r"exchange/(intake|web)/|/aiohttp/|/multipart/|/phonenumbers/"),
    ("screening", r"exchange/domain/(eligibility|condition|caps)"),
    ("fan-out and posts", r"exchange/(auction|wire|delivery|dialect)/|/httptools/"),
    ("market", r"exchange/market/|/redis/|/hiredis/"),
    ("ledger", r"exchange/ledger/|/asyncpg/"),
    ("metrics and logs", r"exchange/telemetry/|/prometheus_client/|/structlog/"),
    ("the story between them", r"exchange/story/"),
)
"""A part's name, and what the place of its functions looks like."""

PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in PLACES)
NOT_WORKING = re.compile(r"_worker \(\S*concurrent/futures/thread\.py:\d+\)$")
"""A thread that waits for work: some systems cannot tell that it sleeps."""


class NoProfilerError(Exception):
    """py-spy is not there, or may not look."""


class Profile(msgspec.Struct, frozen=True):
    """What was seen."""

    shares: dict[str, float]
    """Of all samples, the largest first; together 1."""
    samples: int

    @property
    def told(self) -> str:
        """How it was measured, for people."""
        return (
            f"shares of {self.samples} samples by py-spy, {SAMPLES_PER_S} a second, of stacks by "
            "the innermost part of the exchange in them, times the CPU measured without it"
        )


class Looking:
    """A profiler at work."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self.process = process
        self.path = path

    def found(self) -> Profile:
        """Return what was seen, once it has ended. Errors: NoProfilerError."""
        _, told = self.process.communicate()
        if self.process.returncode or not self.path.exists():
            words = told.decode(errors="replace").strip().splitlines()
            raise NoProfilerError(f"py-spy: {words[-1] if words else 'no samples'}")
        return profile_of(self.path.read_text(encoding="utf-8").splitlines())


@contextmanager
def profile(pid: int, seconds: float) -> Iterator[Looking]:
    """Look at a process for so long; the block asks what was seen."""
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        raise NoProfilerError("py-spy is not installed (pip install py-spy)")
    with tempfile.TemporaryDirectory() as folder, pinned(OTHER_CORE):
        path = Path(folder) / "stacks"
        command = [program, "record", "--pid", str(pid), "--duration", str(max(1, int(seconds)))]
        command += ["--rate", str(SAMPLES_PER_S), "--format", "raw", "--full-filenames"]
        command += ["--output", str(path)]
        process = subprocess.Popen(  # noqa: S603 - found where this interpreter's programs are
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            yield Looking(process, path)
        finally:
            process.kill()
            process.wait()


def profile_of(lines: Iterable[str]) -> Profile:
    """Return the parts of stacks, each a line of frames from the outermost on and a count."""
    seen: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not NOT_WORKING.search(stack):
            seen[part_of(stack.split(";"))] += int(count)
    total = seen.total()
    return Profile({name: count / total for name, count in seen.most_common()}, total)


def part_of(stack: list[str]) -> str:
    """Return in which part of the exchange a moment was spent."""
    for frame in reversed(stack):
        for name, pattern in PATTERNS:
            if pattern.search(frame):
                return name
    return LOOP
