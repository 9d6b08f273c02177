"""What a call to a buyer is made with."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from exchange.wire.endpoint import Endpoint


class Endpoints(Protocol):
    """Who prepares endpoints."""

    def of(self, url: str) -> Endpoint:
        """Return where the exchange's own format is spoken."""

    def speaking(self, url: str, method: str, headers: Mapping[str, str]) -> Endpoint:
        """Return where another one is."""

    def once(self, url: str, method: str, headers: Mapping[str, str] | None = None) -> Endpoint:
        """Return where one sale is asked about; None: in the exchange's own format."""


class Sending(NamedTuple):
    """One request that is about to go out."""

    endpoint: Endpoint
    request: bytes
    shown: bytes
    """As it is kept: without secrets, and in a foreign dialect without the person."""
