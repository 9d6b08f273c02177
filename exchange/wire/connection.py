"""A connection carries one call at a time and ends each in one way, whatever the server sends."""

import asyncio
import re
from typing import Protocol, cast

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.pool import Pool
from exchange.wire.states import State

HEAD_END = b"\r\n\r\n"
SAYS_LENGTH = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
KEEP_ALIVE = re.compile(rb"\r\nkeep-alive:[^\r]*timeout=\s*(\d{1,6})", re.IGNORECASE)
INTERIM_MAX = 8
KNOWN_HEADS_MAX = 64
KNOWN_HEAD_MAX = 1024
"""Of one host so many heads are known again, none longer than this."""
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


class Head(msgspec.Struct, frozen=True):
    """The head of an answer, and what it says of the whole."""

    text: bytes  # status line and headers as received
    status: int
    keep: bool  # the connection may be used again
    size: int  # of the whole answer that was read under it, head included


class Wired(Protocol):
    """What a connection needs of the transport under it."""

    closed: bool

    def write(self, data: bytes) -> None:
        """Send."""

    def abort(self) -> None:
        """Close at once."""

    def quiet(self) -> bool:
        """True where the server has neither closed the connection nor sent anything unread."""


class Owner(Protocol):
    """Who hears what becomes of a connection and its calls."""

    def made(self, connection: "Connection") -> None:
        """The connection stands."""

    def answered(self, connection: "Connection", call: Call, head: Head, body: bytes) -> None:
        """A whole answer came; the connection carries no call any more."""

    def failed(self, connection: "Connection", call: Call, outcome: Outcome, why: Detail) -> None:
        """The call ended without an answer; the connection is closing or closed."""

    def gone(self, connection: "Connection") -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """One kept connection: its owner sets `call` and writes, and hears how the call ended."""

    __slots__ = (
        "body",
        "body_max",
        "call",
        "extra",
        "feed",
        "head",
        "head_max",
        "heads",
        "idle_s",
        "idle_since",
        "interims",
        "keep",
        "limits",
        "made",
        "met",
        "old_at",
        "owner",
        "parser",
        "pool",
        "received",
        "round_trip_ms",
        "size",
        "status",
        "transport",
    )

    def __init__(self, owner: Owner, pool: "Pool[Connection]", limits: Limits) -> None:
        self.owner = owner
        self.pool = pool
        self.heads = pool.heads
        self.limits = limits
        self.head_max = limits.head_bytes_max
        self.body_max = limits.answer_max_bytes
        self.transport: Wired | None = None  # None before it stands and after it is lost
        self.made = False
        self.call: Call | None = None
        self.met = False  # it has answered a call already
        self.idle_s = limits.connection_idle_max_s  # how long it may be idle
        self.idle_since = 0.0
        self.old_at = 0.0  # too old from then on, however busy it is
        self.round_trip_ms = 0.0  # what connecting took on the network
        self.parser = HttpResponseParser(self)
        self.feed = self.parser.feed_data
        self.clear()

    def clear(self) -> None:
        """Forget the last answer that the parser has read."""
        self.status = 0
        self.keep = False
        self.head = b""
        self.body: bytes | bytearray = b""
        self.size = 0
        self.received = 0  # counted from the second piece on: most answers are one
        self.interims = 0
        self.extra = False

    # What the owner asks for

    @property
    def state(self) -> State:
        """What it is, of the states that `states.py` names."""
        if not self.made:
            return State.OPENING
        if self.closing:
            return State.CLOSED
        if self.call is None:
            return State.IDLE
        return State.ASKED if self.call.outcome is Outcome.WAITING else State.LATE

    @property
    def closing(self) -> bool:
        """True where nothing can be sent any more, or not yet."""
        return self.transport is None or self.transport.closed

    def stand(self, now: float) -> None:
        """Note when the connection was made."""
        self.old_at = now + self.limits.age_max_s

    def stale(self, now: float) -> bool:
        """True where the connection has been idle for too long."""
        return now - self.idle_since >= self.idle_s

    def usable(self, now: float, *, repeatable: bool) -> bool:
        """True where a call may be sent on this idle connection."""
        transport = self.transport
        idle_s = now - self.idle_since
        if idle_s >= self.idle_s or transport is None or transport.closed:
            return False
        return repeatable or (idle_s <= self.limits.idle_unrepeatable_max_s and transport.quiet())

    def shut(self) -> None:
        """Close at once, without a word to the call."""
        self.call = None
        if self.transport is not None:
            self.transport.abort()

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stand, and tell the owner."""
        self.transport = cast("Wired", transport)
        self.made = True
        self.owner.made(self)

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer; a piece that nobody asked for ends the connection.

        A server's heads repeat: what the parser once made of the same head, with an answer of the
        same size under it, it would make of it again, so it is not asked.
        """
        call = self.call
        if call is None:
            self.shut()
            return
        if not self.head:
            end = data.find(HEAD_END)
            head = self.heads.get(data[:end])
            if head is not None and head.size == len(data):
                self.call = None
                if self.interims:  # of this answer, not of all that come over this connection
                    self.clear()
                if not self.met:
                    self.meet(call, head.text)
                self.owner.answered(self, call, head, data[end + 4 :])
                return
        self.parse(call, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that was under way; an answer without a length ends well here."""
        call = self.call
        self.call = None
        self.transport = None
        self.owner.gone(self)
        if call is not None:
            if exc is None and self.ends_with_close():
                text = self.head.partition(HEAD_END)[0]
                head = Head(text, self.parser.get_status_code(), keep=False, size=0)
                self.end(call, head, bytes(self.body))
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

    def parse(self, call: Call, data: bytes) -> None:
        """Let the parser read a piece; end the call where the answer is whole, or never will be."""
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
            head = Head(self.head[:end], self.status, self.keep and not self.extra, len(data))
            if len(data) == end + 4 + self.size and not (self.received or self.interims):
                self.learn(head)
            body = bytes(self.body)
            self.clear()
            self.end(call, head, body)
            return
        why = self.too_large(end)
        if why is not None:
            self.fail(Outcome.OVERSIZE, why)

    def learn(self, head: Head) -> None:
        """Know this head again: its answer was one piece, and nothing but head and body."""
        if len(head.text) <= KNOWN_HEAD_MAX:
            if len(self.heads) >= KNOWN_HEADS_MAX:
                self.heads.clear()
            self.heads[head.text] = head

    def end(self, call: Call, head: Head, body: bytes) -> None:
        """Hand over a whole answer."""
        self.call = None
        if not self.met:
            self.meet(call, head.text)
        self.owner.answered(self, call, head, body)

    def meet(self, call: Call, head: bytes) -> None:
        """Learn from the first answer how long the server keeps a connection that is idle."""
        self.met = True
        call.round_trip_ms = self.round_trip_ms
        self.idle_s = self.limits.connection_idle_max_s
        if said := KEEP_ALIVE.search(head):
            self.idle_s = min(self.idle_s, int(said[1]) - self.limits.server_margin_s)

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
