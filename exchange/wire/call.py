"""A call is one request on its way and, once it ended, exactly one outcome."""

from enum import StrEnum
from typing import Any

import msgspec

from exchange.wire.endpoint import Endpoint


class Outcome(StrEnum):
    """How a call ended; decided once, never changed afterwards."""

    WAITING = "waiting"  # not ended yet
    ANSWERED = "answered"  # a whole answer came in time, whatever its status
    TIMEOUT = "timeout"  # sent; no whole answer in time
    UNREACHABLE = "unreachable"  # nothing was sent: the other side knows nothing of it
    BROKEN = "broken"  # sent; then the connection ended: the other side may know
    OVERSIZE = "oversize"  # the answer was larger than what is read
    BAD_HTTP = "bad_http"  # the answer was not HTTP
    THROTTLED = "throttled"  # not sent: as many connections to the host as may be are busy
    ABANDONED = "abandoned"  # its fan-out was stopped or cancelled; sent where `sent_at` is set


class Detail(StrEnum):
    """What was seen when a call had no answer; empty where the outcome says it all."""

    NONE = ""
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    CONNECT_REFUSED = "connect_refused"
    NAME_NOT_FOUND = "name_not_found"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CERTIFICATE_REFUSED = "certificate_refused"
    TLS_FAILED = "tls_failed"
    CLOSED_SILENTLY = "closed_silently"  # not a byte of an answer came
    CLOSED_HALFWAY = "closed_halfway"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    UPGRADE_REFUSED = "upgrade_refused"
    NO_TIME = "no_time"  # its time was up before it could be sent
    WIRE_CLOSED = "wire_closed"


WAITING = Outcome.WAITING


class Call(msgspec.Struct, eq=False, gc=False):
    """One request and what became of it. Times are seconds of the wire's clock.

    The collector of cycles does not look at calls: none is part of one once its fan-out has
    ended, and they are most of what an auction makes.
    """

    endpoint: Endpoint
    request: bytes  # from `endpoint.request(…)`
    timeout_ms: float  # counted from the start of the fan-out, connecting included
    repeatable: bool = False  # may be sent again where a kept connection turns out to be dead
    tag: Any = None  # the caller's own, to know the call by

    outcome: Outcome = WAITING
    detail: Detail = Detail.NONE
    status: int = 0
    head: bytes = b""  # status line and headers as received
    body: bytes = b""
    begun_at: float = 0.0
    sent_at: float = 0.0  # 0 where nothing was sent
    ended_at: float = 0.0
    late_ms: float = 0.0  # where an answer came after the end: how long it took in all

    round_trip_ms: float = 0.0  # of the network, where this call was its connection's first

    due_at: float = 0.0  # of the wire
    batch: Any = None  # of the wire: the fan-out that waits for it
    line: Any = None  # of the wire: the connection that carries it
    repeated: bool = False  # of the wire: sent a second time already

    def __repr__(self) -> str:
        """Say where and how it ended, never what was sent or answered: a post holds a person."""
        return f"Call({self.endpoint.key}, {self.outcome}, {self.status})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Say the same to tools that draw values: they would show every field."""
        return [("endpoint", self.endpoint.key), ("outcome", self.outcome)]

    @property
    def took_ms(self) -> float:
        """From the start of the fan-out to the end of this call."""
        return (self.ended_at - self.begun_at) * 1000.0

    def header(self, name: str) -> str | None:
        """The first header of that name in the answer, or None."""
        wanted = name.lower().encode("ascii")
        for line in self.head.split(b"\r\n")[1:]:
            found, colon, value = line.partition(b":")
            if colon and found.lower() == wanted:
                return value.strip().decode("latin-1")
        return None
