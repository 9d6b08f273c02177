"""How far a benchmark is, on standard error where a person is looking."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Tick = Callable[[], None]


@contextmanager
def progress() -> Iterator["Bars"]:
    """Show bars for as long as the block lasts; where no person is looking, a line for each."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        yield Bars(shown)


class Bars:
    """The bars of one benchmark, one after the other."""

    def __init__(self, shown: Progress) -> None:
        self.shown = shown

    def timed(self, what: str, seconds: float) -> Tick:
        """Begin something that takes so long; return what moves its bar."""
        begun = time.perf_counter()
        task = self.shown.add_task(what, total=max(seconds, 0.001))
        if self.shown.disable:
            self.shown.console.print(what, markup=False, highlight=False)

        def tick() -> None:
            self.shown.update(task, completed=min(seconds, time.perf_counter() - begun))

        return tick

    def counted(self, what: str, numbers: range) -> Tick:
        """Begin so many steps; return what tells of one that is done."""
        task = self.shown.add_task(what, total=len(numbers))
        return lambda: self.shown.advance(task)

    def say(self, what: str) -> None:
        """Tell something that a person may want to know at once."""
        self.shown.console.print(what, markup=False, highlight=False)
