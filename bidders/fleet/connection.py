"""One connection to the fleet: HTTP/1.1 read by httptools, answered by whoever is asked.

It is written by hand because it stands opposite the exchange's own wire in benchmarks and must
not be the slower of the two, and because no server library lets a handler misbehave this badly.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from bidders.fleet.reply import End, Reply, message

REQUEST_MAX_BYTES = 1 << 20
WAITING_MAX = 16
"""So many pipelined requests are read ahead while one is being answered."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for zero seconds: closing sends RST instead of FIN."""


class Request(msgspec.Struct):
    """One request as it was read; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


Answer = Callable[[Request], Reply | None]


class Connection(asyncio.Protocol):
    """Reads requests, asks `answer` for one at a time, and does with the wire what it says."""

    def __init__(self, answer: Answer, connections: "set[Connection]") -> None:
        self.answer = answer
        self.connections = connections
        self.closed = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpRequestParser(self)
        self.waiting: deque[Request] = deque()
        self.busy = False
        self.keep_alive = True
        self.timer: asyncio.TimerHandle | None = None
        self.unfinished_bytes = 0
        self.begin()

    def begin(self) -> None:
        """Forget the request before."""
        self.url = b""
        self.headers: dict[str, str] = {}
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no subclasses of asyncio's, they only do the same.
        self.transport = cast("asyncio.Transport", transport)
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop whatever was still to be said."""
        del exc
        self.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP or far too much ends the connection."""
        self.unfinished_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.perform(Reply(message(b"", 400), end=End.CLOSE))
            return
        if self.unfinished_bytes > REQUEST_MAX_BYTES:
            self.perform(Reply(message(b"", 413), end=End.CLOSE))

    def on_url(self, url: bytes) -> None:
        """Gather the URL, which may come in pieces."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Gather the body, which mostly comes in one piece."""
        self.body = self.body + body if self.body else body

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for the one before."""
        self.waiting.append(
            Request(
                self.parser.get_method().decode("latin-1"),
                self.url.decode("latin-1"),
                self.headers,
                self.body,
                self.parser.should_keep_alive(),
            )
        )
        self.unfinished_bytes = 0
        self.begin()
        if not self.busy:
            self.next()
        elif len(self.waiting) == WAITING_MAX:
            self.transport.pause_reading()

    def next(self) -> None:
        """Answer what waits longest."""
        if len(self.waiting) == WAITING_MAX:
            self.transport.resume_reading()
        request = self.waiting.popleft()
        self.busy = True
        self.keep_alive = request.keep_alive
        reply = self.answer(request)
        if reply is not None:
            self.perform(reply)

    def perform(self, reply: Reply) -> None:
        """Do what the reply says, now or later."""
        if reply.after_ms > 0:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(reply.after_ms / 1000, self.send, reply)
        else:
            self.send(reply)

    def send(self, reply: Reply) -> None:
        """Write the reply, in one go or drop by drop, and end as it says."""
        if self.transport.is_closing():
            return
        if reply.drip_ms > 0:
            self.drip(reply, 0)
            return
        if reply.data:
            self.transport.write(reply.data)
        self.end(reply.end)

    def drip(self, reply: Reply, sent: int) -> None:
        """Write one byte, and the next one after a while."""
        if sent == len(reply.data):
            self.end(reply.end)
            return
        self.transport.write(reply.data[sent : sent + 1])
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(reply.drip_ms / 1000, self.drip, reply, sent + 1)

    def end(self, end: End) -> None:
        """Keep, close or reset the connection."""
        self.timer = None
        if end is End.RESET:
            self.reset()
        elif end is End.CLOSE or not self.keep_alive:
            self.transport.close()
        else:
            self.busy = False
            if self.waiting:
                self.next()

    def reset(self) -> None:
        """Close with RST."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
        )
        self.transport.abort()
