"""Kept connections to one exchange, each carrying one request at a time; as lean as Python goes."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

Answered = Callable[[int, bytes], None]
"""What is called with status and body; status 0: no answer, the body says why."""

CONNECT_WITHIN_S = 10.0


class Lines:
    """Connections to one address; what is free is used again, what is missing is opened."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: str) -> None:
        self.loop = loop
        parts = urlsplit(url)
        assert parts.hostname, f"{url} is an address"
        self.secured = ssl.create_default_context() if parts.scheme == "https" else None
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secured else 80)
        self.name = parts.netloc.rpartition("@")[2]
        self.path = parts.path.rstrip("/")
        self.free: deque[Line] = deque()
        self.opened = 0
        self.opening: set[asyncio.Task[None]] = set()
        self.all: set[Line] = set()

    def head(self, method: str, path: str, key: str, *extra: str) -> bytes:
        """Return a request's head without its last lines."""
        lines = [f"{method} {self.path}{path} HTTP/1.1", f"Host: {self.name}", *extra]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        return "\r\n".join([*lines, ""]).encode()

    def send(self, request: bytes, answered: Answered) -> None:
        """Send at once where a connection is free, else as soon as one more is open."""
        while self.free:
            # The one used last: those beyond what is needed grow old, and the far end closes them.
            line = self.free.pop()
            if line.is_open:
                line.send(request, answered)
                return
        task = self.loop.create_task(self._open(request, answered))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _open(self, request: bytes, answered: Answered) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                _, line = await self.loop.create_connection(
                    lambda: Line(self), self.host, self.port, ssl=self.secured
                )
        except (OSError, TimeoutError) as error:
            answered(0, type(error).__name__.encode())
            return
        self.opened += 1
        line.send(request, answered)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send one request and return its answer."""
        future: asyncio.Future[tuple[int, bytes]] = self.loop.create_future()
        self.send(request, lambda status, body: future.set_result((status, body)))
        return await future

    def close(self) -> None:
        """Close every connection; whoever still waits hears status 0."""
        for line in list(self.all):
            line.transport.abort()


class Line(asyncio.Protocol):
    """One connection."""

    __slots__ = ("answered", "body", "is_open", "lines", "parser", "transport")

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.answered: Answered | None = None
        self.body = b""
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for a request."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = HttpResponseParser(self)
        self.is_open = True
        self.lines.all.add(self)

    def send(self, request: bytes, answered: Answered) -> None:
        """Send one; nothing else is under way here."""
        self.answered, self.body = answered, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read on; what is no HTTP ends the connection."""
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._fail(b"no HTTP")

    def on_body(self, body: bytes) -> None:
        """Gather the answer's body."""
        self.body = self.body + body if self.body else body

    def on_message_complete(self) -> None:
        """Hand over the answer, and be free where the far end keeps the connection."""
        answered, self.answered = self.answered, None
        if self.parser.should_keep_alive():
            self.lines.free.append(self)
        else:
            self.is_open = False
            self.transport.close()
        if answered is not None:
            answered(self.parser.get_status_code(), self.body)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits that nothing will come."""
        del error
        self._fail(b"closed")

    def _fail(self, why: bytes) -> None:
        self.is_open = False
        self.lines.all.discard(self)
        self.transport.abort()
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(0, why)
