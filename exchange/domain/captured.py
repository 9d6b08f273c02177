"""The exact bytes exchanged with a buyer, kept sealed for a set time."""

from enum import StrEnum

import msgspec


class CallKind(StrEnum):
    """What was sent to a buyer."""

    PING = "ping"
    POST = "post"
    STATUS = "status"


class Captured(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One call to a buyer, byte by byte, but for secrets."""

    offer_id: str
    kind: CallKind
    request: bytes
    status: int
    """0 where nothing came back."""
    answer: bytes
    at_us: int
    """When it was sent."""
