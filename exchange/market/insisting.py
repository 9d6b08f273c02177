"""Asked with the epoch that is known, so that nothing is told of data that were lost."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from exchange.market.caller import Taken


class Insist(Protocol):
    """Asks with the epoch that is known, again where that is just being rebuilt."""

    def __call__(self, ask: Callable[[str], Awaitable[Taken]], /) -> Awaitable[Taken]:
        """Return what is answered; raise MarketStale where it was not rebuilt in time."""


def any_epoch(ask: Callable[[str], Awaitable[Taken]], /) -> Awaitable[Taken]:
    """Ask once, of whatever epoch the state is."""
    return ask("")
