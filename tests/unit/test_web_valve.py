"""What a valve looks at."""

import os

import pytest

from exchange.web.valve import Worked


def test_what_a_valve_reads_its_waiting_from_is_closed_with_it():
    """A worker keeps it open for as long as it has the valve."""
    worked = Worked()
    figures = worked.figures
    if figures is None:  # not on Linux
        assert worked.waited_s() == 0
        return
    assert os.fstat(figures)
    assert worked.waited_s() >= 0
    del worked
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(figures)
