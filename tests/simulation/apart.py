"""Every seed in a process of its own, so many at once: what it leaves behind ends with it.

A world is full of circles. To let a collector find them takes a tenth of the time that the world
itself took; a process that ends gives everything back at once, and begins none the wiser.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

Task = TypeVar("Task")
Found = TypeVar("Found")


class LostError(Exception):
    """A process ended without saying what it found."""


def each_apart(run: Callable[[Task], Found], tasks: Sequence[Task], jobs: int) -> Iterator[Found]:
    """Yield what comes of every task, in their order; whatever was imported is there for all.

    Errors: LostError where one ends without a result; its own traceback is on standard error.
    """
    gc.collect()
    gc.freeze()  # the children's memory is shared with ours for as long as nobody writes to it
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    found: dict[int, Found] = {}
    try:
        for place in range(len(tasks)):
            while place not in found:
                while waiting and len(running) < jobs:
                    begin(run, *waiting.pop(), running)
                for receiver in wait(list(running)):
                    assert isinstance(receiver, Connection), "nothing else is waited for"
                    told, process = running.pop(receiver)
                    found[told] = result_of(receiver, process)
            yield found.pop(place)
    finally:
        for receiver, (_, process) in running.items():
            process.kill()
            process.join()
            receiver.close()
        gc.unfreeze()


def begin(run: Callable[[Any], Any], place: int, task: Any, running: dict[Connection, Any]) -> None:
    """Let a process begin with a task."""
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(run, task, sender))
    process.start()
    sender.close()
    running[receiver] = place, process


def tell(run: Callable[[Any], Any], task: Any, sender: "Connection[Any, Any]") -> None:
    """Do a task and send what came of it: the whole life of a process."""
    sender.send(run(task))


def result_of(receiver: "Connection[Any, Any]", process: BaseProcess) -> Any:
    """Return what a process found, and see it off."""
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        raise LostError(f"a seed's process ended with {process.exitcode}") from None
    finally:
        process.join()
        receiver.close()
