"""What a call of the client asks of the outside, and what it hears: all that a transport knows."""

from collections.abc import Generator, Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """One request to send, and how long its answer may take."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_s: float

    def __repr__(self) -> str:
        """Show no header, no body and no id: they hold a key and a person."""
        return f"Send({self.method}, …)"


class Pause(msgspec.Struct, frozen=True):
    """So long nothing is to be sent."""

    seconds: float


class Response(msgspec.Struct, frozen=True):
    """An answer that came whole; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Show only the status."""
        return f"Response({self.status}, …)"


class Broken(msgspec.Struct, frozen=True):
    """No whole answer came; unless `unsent`, the exchange may have read the request."""

    why: str
    """A few words for people, without any value."""
    final: bool = False
    """The other side is not the exchange, as far as it can be told: not to be tried again."""
    unsent: bool = False
    """No connection came about, so that the exchange cannot have read anything."""


ANSWER_MAX_BYTES = 8 * 1024 * 1024
"""No answer of the exchange is longer, not even a page of rejections."""

TOO_LONG = Broken("the answer has no end", final=True)
TIMED_OUT = Broken("timed out")
UNTRUSTED = Broken("the certificate does not prove the address", final=True)

Plan = Generator[Send | Pause, Response | Broken | None, T]
"""A call: it asks for one thing after another, is sent what was heard, and returns its value."""
