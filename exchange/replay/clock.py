"""An event loop whose time is not the wall's: it jumps to whatever is waited for."""

import asyncio
import selectors
from typing import Any


class NobodyGoesOnError(Exception):
    """All wait for something that never comes."""


class Jumping(selectors.SelectSelector):
    """Waits for nothing: the time that would be waited has passed already."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass, and return what is ready all the same."""
        if timeout is None:
            ready = super().select(0)
            if not ready:
                raise NobodyGoesOnError
            return ready
        self.passed_s += max(0.0, timeout)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Runs what real loops run; a second costs nothing, and two runs are alike, digit by digit."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return how many seconds have passed."""
        return self._jumping.passed_s
