"""What `exchange feed` shows: a bar for who watches a terminal, bad rows and totals for all."""

import os
import sys
from typing import BinaryIO, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from exchange.commands.feed_sending import Course
from exchange.commands.showing import tell
from exchange.contract.feeds import FeedRow, FeedTotals
from exchange.domain.counting import counted

FAULTS_SHOWN_MAX = 10


class Bar:
    """How far it is, for who watches a terminal; bad rows are named for everybody."""

    def __init__(self, file: BinaryIO) -> None:
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        size = os.fstat(file.fileno()).st_size
        self.task = self.progress.add_task(told(FeedTotals()), total=size or None)
        self.totals = FeedTotals()

    def has_read(self, size: int) -> None:
        """Move on."""
        self.progress.advance(self.task, size)

    def ended(self, row: FeedRow) -> None:
        """Count a row; say what is wrong with the first bad ones."""
        self.totals = self.totals.with_row(row)
        self.progress.update(self.task, description=told(self.totals))
        if row.problem is not None and self.totals.failed <= FAULTS_SHOWN_MAX:
            self.console.print(fault(row), markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def told(totals: FeedTotals) -> str:
    """Return the totals in a few words: those that there are."""
    counts = msgspec.structs.asdict(totals)
    rows = counts.pop("rows")
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join([counted(rows, "row"), *parts])


def fault(row: FeedRow) -> str:
    """Return what is wrong with a row and what would be right: never a value."""
    problem = row.problem
    assert problem is not None, "only those with a problem are told"
    fields = [f"{error.field} {error.message}" for error in problem.errors]
    what = "; ".join(fields) or problem.detail or problem.title
    return f"row {row.row} (line {row.line}): {what}"


def show(course: Course, *, as_json: bool) -> None:
    """Print the totals, and what is left to do."""
    if as_json:
        counts = msgspec.structs.asdict(course.totals)
        whole = {**counts, "skipped": course.skipped, "stopped": course.stopped}
        sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
    skipped = f", {course.skipped} left out that had ended before" if course.skipped else ""
    untold = course.totals.failed - FAULTS_SHOWN_MAX
    if untold > 0:
        tell(f"… and {untold} more that failed; --results FILE has them all")
    tell(f"{told(course.totals)}{skipped}")
    if course.totals.pending:
        tell("pending rows may be sold yet: run it again with --resume to hear how they ended")
    if course.stopped is not None:
        tell(f"exchange: stopped, the rest was not begun: {course.stopped}")
