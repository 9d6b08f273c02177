"""Where the exchange's stories stood when they were killed: every `await` should come up."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exchange import story
from tests.simulation.loop import Process

FOLDER = Path(story.__file__).parent
NAMES = {str(path): path.name for path in FOLDER.glob("*.py")}
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def stood(process: Process) -> set[str]:
    """Return the places in exchange/story at which tasks of a process wait now."""
    return {
        place for task in process.tasks if not task.done() for place in places_of(task.get_coro())
    }


def places_of(coroutine: Any) -> Iterator[str]:
    """Yield the place of every frame on the way down to what is waited for."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and getattr(coroutine, "cr_running", False) is False:
            name = NAMES.get(frame.f_code.co_filename)
            if name is not None and frame.f_lasti > 0:
                yield f"{name}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "cr_await", None)


def all_places() -> set[str]:
    """Return every place in exchange/story where something is waited for."""
    return {
        f"{path.name}:{node.lineno}"
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, WAITS)
    }


def met(stood_at: set[str]) -> set[str]:
    """Return which of all places were stood at; a statement may begin lines before its `await`."""
    return all_places() & stood_at
