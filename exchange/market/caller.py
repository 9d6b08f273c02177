"""How this package calls market state: over a link, or in a simulation."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from exchange.market.function import Function, Part

Taken = TypeVar("Taken")


class Caller(Protocol):
    """What the rest of this package needs of a link; a simulation has one of its own."""

    generation: int
    server: str

    @property
    def is_up(self) -> bool:
        """See Link."""

    @property
    def waiting_ms(self) -> float:
        """See Link."""

    def call(
        self,
        function: Function,
        keys: Sequence[str],
        arguments: Iterable[Part] = (),
        take: Callable[[Any], Taken] = ...,
    ) -> asyncio.Future[Taken]:
        """See Link."""

    def call_each(
        self, function: Function, packed: bytes, replies: int, take: Callable[[Any], None]
    ) -> asyncio.Future[None]:
        """See Link."""

    def listen(self, channel: str, hear: Callable[[bytes | None], None]) -> None:
        """See Link."""
