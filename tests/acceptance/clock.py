"""A clock that a test sets: the whole exchange lives at another moment, and time goes on there."""

import time
from datetime import datetime

import pytest

from exchange import app


class Clock:
    """The wall's time for every worker that is opened in this loop from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_us = 0
        monkeypatch.setattr(app, "now_us", self)

    def __call__(self) -> int:
        """Return microseconds since the epoch."""
        return time.time_ns() // 1000 + self.ahead_us

    def set(self, moment: datetime) -> None:
        """Let it be this moment now."""
        assert moment.tzinfo is not None, "a moment has its zone"
        self.ahead_us += int(moment.timestamp() * 1e6) - self()
