"""A process that hangs is ended, and says where it stood."""

import asyncio
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from exchange.settings import load_settings
from exchange.supervision import brief as briefs
from exchange.supervision import watchdog

HUNG = """
import re
from exchange.supervision import watchdog
from exchange.supervision.waiting import say
watchdog.LOOK_EVERY_S = 0.05
line = watchdog.watched(0.2)
say(line, b"alive\\n")
def for_ever():
    re.match("(a|a)*b", "a" * 99)  # it never lets go of the interpreter
for_ever()
"""
OPEN_END = """
import threading
from exchange.supervision.watchdog import end_within
end_within(0.2)
def for_ever():
    threading.Event().wait()
for_ever()
"""
IN_TIME = """
from exchange.supervision import watchdog
watchdog.watched(60)
watchdog.end_within(60)
"""


async def ended(code):
    """The status and the last words of a process that runs this code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_process_that_hangs_in_a_call_is_killed_and_says_where():
    """Also where the call holds the interpreter, so that nothing in the process can end it."""
    status, said = await ended(HUNG)
    assert status == -signal.SIGKILL
    assert "worker killed" in said
    assert "in for_ever" in said


async def test_a_process_that_does_not_come_to_its_end_ends_all_the_same():
    """Status 1, and where it still waited."""
    status, said = await ended(OPEN_END)
    assert status == 1
    assert "not closed in time" in said
    assert "in for_ever" in said


async def test_who_ends_in_time_is_held_up_by_nobody():
    """Neither the watchdog nor the timer stays, or makes it wait."""
    assert await ended(IN_TIME) == (0, "")


@pytest.fixture
def line(monkeypatch):
    """Both ends of a line on which is looked a hundred times a second."""
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_silence_counts_from_the_first_word_on(line):
    """Who has not spoken yet may take its time; who spoke and says nothing more is silent."""
    ours, theirs = line
    with ThreadPoolExecutor(1) as beside:
        looking = beside.submit(watchdog.is_silent, theirs, 0.05)
        with pytest.raises(TimeoutError):
            looking.result(0.3)
        ours.send(briefs.ALIVE)
        assert looking.result() is True


def test_a_line_that_ends_is_no_silence(line):
    """Its process is gone: there is nobody to kill."""
    ours, theirs = line
    ours.send(briefs.ALIVE)
    ours.close()
    assert watchdog.is_silent(theirs, 60) is False


def test_the_end_has_its_time_from_the_settings():
    """What the leads under way may take, and what the ledger may take after them."""
    settings = msgspec.structs.replace(
        load_settings(None, {}), shutdown_grace_s=30.0, database_timeout_ms=1000.0
    )
    assert watchdog.closing_max_s(settings) == 30 + 8 + 2
