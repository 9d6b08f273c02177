"""Seeds run in processes of their own: in order told, so many at once, none lost in silence."""

import multiprocessing
import os
import signal

import pytest

from tests.simulation.apart import LostError, each_apart


def test_what_comes_of_tasks_is_told_in_their_order_each_from_a_process_of_its_own():
    """Whoever is ready first waits to be told of."""
    found = list(each_apart(lambda task: (task, os.getpid()), range(7), jobs=3))
    assert [task for task, _ in found] == list(range(7))
    assert len({pid for _, pid in found} | {os.getpid()}) == 8


def test_a_process_that_dies_is_not_passed_over():
    """What it would have found may be a violation."""

    def run(task):
        if task == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    told = each_apart(run, range(3), jobs=1)
    assert next(told) == 0
    with pytest.raises(LostError, match="-9"):
        next(told)


def test_who_stops_asking_leaves_nobody_running():
    """The first violation may be enough."""
    receiver, sender = os.pipe()

    def run(task):
        if task:
            os.read(receiver, 1)  # for ever: nobody writes
        return task

    told = each_apart(run, range(3), jobs=2)
    assert next(told) == 0
    told.close()
    assert not multiprocessing.active_children()
    os.close(receiver)
    os.close(sender)
