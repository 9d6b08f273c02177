"""A connection carries one call at a time and ends each in one way, whatever the server sends."""

import asyncio
import re
import select
from typing import Protocol, cast

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.pool import Pool

HEAD_END = b"\r\n\r\n"
SAYS_LENGTH = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
KEEP_ALIVE = re.compile(rb"\r\nkeep-alive:[^\r]*timeout=\s*(\d{1,6})", re.IGNORECASE)
INTERIM_MAX = 8
READ_PER_BODY_MAX = 8
"""Chunk framing may make an answer this many times its body's limit, not more."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the wire allows itself and the servers it calls."""

    connections_per_host_max: int = 128
    answer_max_bytes: int = 65_536
    head_bytes_max: int = 16_384
    late_grace_ms: float = 1000.0
    """How long an answer may come late, so that its connection lives and its time is known."""
    connection_idle_max_s: float = 15.0
    """A connection unused for this long is closed."""
    idle_unrepeatable_max_s: float = 1.0
    """A call that must not be sent twice gets no connection that was unused for longer."""
    age_max_s: float = 300.0
    """A connection this old is not used again, so that a host's new addresses come into use."""
    server_margin_s: float = 0.5
    """Taken off the time for which a server says it keeps a connection."""


class Owner(Protocol):
    """Who hears what becomes of a connection and its calls."""

    def made(self, connection: "Connection") -> None:
        """The connection stands."""

    def answered(self, connection: "Connection", call: Call) -> None:
        """A whole answer lies in the connection; it carries no call any more."""

    def failed(self, connection: "Connection", call: Call, outcome: Outcome, why: Detail) -> None:
        """The call ended without an answer; the connection is closing or closed."""

    def gone(self, connection: "Connection") -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """One kept connection: send with `carry`, hear of the end through its owner."""

    __slots__ = (
        "body",
        "body_max",
        "call",
        "extra",
        "feed",
        "head",
        "head_max",
        "idle_s",
        "idle_since",
        "interims",
        "keep",
        "limits",
        "made",
        "old_at",
        "owner",
        "parser",
        "pool",
        "received",
        "round_trip_ms",
        "size",
        "stale_at",
        "status",
        "transport",
        "uses",
    )

    def __init__(self, owner: Owner, pool: "Pool[Connection]", limits: Limits) -> None:
        self.owner = owner
        self.pool = pool
        self.limits = limits
        self.head_max = limits.head_bytes_max
        self.body_max = limits.answer_max_bytes
        self.transport: asyncio.Transport | None = (
            None  # None before it stands and after it is lost
        )
        self.made = False
        self.call: Call | None = None
        self.uses = 0
        self.idle_s = limits.connection_idle_max_s  # how long it may be idle
        self.idle_since = 0.0
        self.stale_at = 0.0  # idle for too long from then on
        self.old_at = 0.0  # too old from then on, however busy it is
        self.round_trip_ms = 0.0  # what connecting took on the network
        self.parser = HttpResponseParser(self)
        self.feed = self.parser.feed_data
        self.keep = False
        self.clear()

    def clear(self) -> None:
        """Forget the last answer."""
        self.status = 0
        self.head = b""
        self.body: bytes | bytearray = b""
        self.size = 0
        self.received = 0  # counted from the second piece on: most answers are one
        self.interims = 0
        self.extra = False

    # What the owner asks for

    @property
    def closing(self) -> bool:
        """True where nothing can be sent any more, or not yet."""
        return self.transport is None or self.transport.is_closing()

    def carry(self, call: Call) -> None:
        """Send this call; its end is told to the owner."""
        assert self.transport is not None, "a connection carries calls once it stands"
        self.call = call
        self.uses += 1
        self.transport.write(call.request)

    def stand(self, now: float) -> None:
        """Note when the connection was made."""
        self.old_at = now + self.limits.age_max_s

    def learn_patience(self) -> None:
        """Read from the first answer how long the server keeps a connection that is idle."""
        self.idle_s = self.limits.connection_idle_max_s
        if said := KEEP_ALIVE.search(self.head):
            self.idle_s = min(self.idle_s, int(said[1]) - self.limits.server_margin_s)

    def rest(self, now: float) -> None:
        """Note that the connection is idle from now on."""
        self.idle_since = now
        self.stale_at = now + self.idle_s

    def usable(self, now: float, *, repeatable: bool) -> bool:
        """True where a call may be sent on this idle connection."""
        transport = self.transport
        if now >= self.stale_at or transport is None or transport.is_closing():
            return False
        if repeatable:
            return True
        return now - self.idle_since <= self.limits.idle_unrepeatable_max_s and self.quiet()

    def quiet(self) -> bool:
        """True where the server has neither closed the connection nor sent anything unasked."""
        assert self.transport is not None, "only a standing connection can be asked"
        sock = self.transport.get_extra_info("socket")
        if sock is None:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return not poll.poll(0)

    def shut(self) -> None:
        """Close at once, without a word to the call."""
        self.call = None
        if self.transport is not None:
            self.transport.abort()

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stand, and tell the owner."""
        self.transport = cast("asyncio.Transport", transport)
        self.made = True
        self.owner.made(self)

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer; a piece that nobody asked for ends the connection."""
        call = self.call
        if call is None:
            self.shut()
            return
        if self.head:
            self.gather(data)
        else:
            self.head = data
        try:
            self.feed(data)
        except HttpParserUpgrade:
            self.fail(Outcome.BAD_HTTP, Detail.UPGRADE_REFUSED)
            return
        except HttpParserError:
            if not self.status:
                self.fail(Outcome.BAD_HTTP, Detail.NONE)
                return
            self.extra = True
        end = self.head.find(HEAD_END)
        if self.status and end <= self.head_max and self.size <= self.body_max:
            self.call = None
            self.head = self.head[:end]
            if self.extra:
                self.keep = False
            if self.uses == 1:
                self.learn_patience()
            self.owner.answered(self, call)
            return
        why = self.too_large(end)
        if why is not None:
            self.fail(Outcome.OVERSIZE, why)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that was under way; an answer without a length ends well here."""
        call = self.call
        self.call = None
        self.transport = None
        self.owner.gone(self)
        if call is not None:
            if exc is None and self.ends_with_close():
                self.status = self.parser.get_status_code()
                self.head = self.head.partition(HEAD_END)[0]
                self.keep = False
                self.owner.answered(self, call)
            elif self.head or self.interims:
                self.owner.failed(self, call, Outcome.BROKEN, Detail.CLOSED_HALFWAY)
            else:
                self.owner.failed(self, call, Outcome.BROKEN, Detail.CLOSED_SILENTLY)
        del self.parser, self.feed  # they hold this connection, and it holds them

    # What the parser says

    def on_message_begin(self) -> None:
        """Note bytes that follow a whole answer."""
        if self.status:
            self.extra = True

    def on_body(self, piece: bytes) -> None:
        """Keep the body up to its limit; count the rest. What follows an answer is not its body."""
        if self.status:
            return
        self.size += len(piece)
        if self.size > self.body_max:
            return
        if not self.body:
            self.body = piece
            return
        if isinstance(self.body, bytes):
            self.body = bytearray(self.body)
        self.body += piece

    def on_message_complete(self) -> None:
        """Note the answer's status, or pass over an interim one."""
        status = self.parser.get_status_code()
        if status >= 200:  # noqa: PLR2004 - the first status that is not interim
            if not self.status:
                self.status = status
                self.keep = self.parser.should_keep_alive()
            return
        self.interims += 1
        if self.interims > INTERIM_MAX:
            raise HttpParserError("too many interim answers")
        self.head = self.head.partition(HEAD_END)[2]

    # Steps of its own

    def gather(self, data: bytes) -> None:
        """Add a later piece to the head for as long as the head is not whole."""
        if not self.received:
            self.received = len(self.head)
        self.received += len(data)
        if HEAD_END not in self.head:
            self.head += data

    def too_large(self, end: int) -> Detail | None:
        """What of the answer is larger than what is read, if anything; its head ends at `end`."""
        if end > self.head_max or (end < 0 and len(self.head) > self.head_max):
            return Detail.HEAD_TOO_LARGE
        if self.size > self.body_max or self.received > self.read_max:
            return Detail.BODY_TOO_LARGE
        return None

    @property
    def read_max(self) -> int:
        """How many bytes of one answer are read, framing included."""
        return self.head_max + READ_PER_BODY_MAX * self.body_max

    def ends_with_close(self) -> bool:
        """True where the answer's head is whole and names no length: the body ends here."""
        head, whole, _ = self.head.partition(HEAD_END)
        return bool(whole) and head.startswith(b"HTTP/") and not SAYS_LENGTH.search(head)

    def fail(self, outcome: Outcome, why: Detail) -> None:
        """End the call and the connection."""
        call = self.call
        self.shut()
        if call is not None:
            self.owner.failed(self, call, outcome, why)
