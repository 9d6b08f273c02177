"""One connection spoken to by hand: in pieces, twice, in an older HTTP, and closely watched."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httptools

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.connection import READ_PER_BODY_MAX, Limits
from exchange.wire.endpoint import Endpoint

READ_BYTES = 16_384
HEAD_BYTES_MAX = Limits().head_bytes_max
"""A head is as large as the exchange's own wire lets it be, interim answers before it included."""
FINAL = 200
CONNECT_S = 3.0


class Hearing:
    """Reads one answer as it comes; 1xx answers before it are counted and passed over."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.interim: list[int] = []
        self.complete = False
        self.started = False
        self.keeps = False
        """The server means to keep the connection."""
        self.on_message_begin()

    def on_message_begin(self) -> None:
        """Forget the 1xx answer before."""
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.headed = False

    def on_status(self, status: bytes) -> None:
        """Gather the reason phrase."""
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Know that the head is whole."""
        self.headed = True

    def on_body(self, body: bytes) -> None:
        """Gather the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Know that the answer is whole, unless it was an interim one."""
        if self.status < FINAL:
            self.interim.append(self.status)
        else:
            self.complete = True
            self.keeps = bool(self.parser.should_keep_alive())

    @property
    def status(self) -> int:
        """Return the status of what is being read."""
        return int(self.parser.get_status_code())

    def feed(self, data: bytes) -> None:
        """Read on; HttpParserError where this is no HTTP."""
        self.started = True
        self.parser.feed_data(data)

    def ended(self) -> bool:
        """Tell whether the end of the connection is the end of a body of no told length."""
        names = {name.lower() for name, _ in self.headers}
        told = names & {b"content-length", b"transfer-encoding"}
        return self.headed and not told and self.status >= FINAL

    def head(self) -> bytes:
        """Return status line and headers."""
        version = self.parser.get_http_version().encode()
        lines = [b"HTTP/%b %d %b" % (version, self.status, self.reason)]
        lines += [b"%b: %b" % pair for pair in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"


class Line:
    """A connection; `async with` opens and closes it. `open` is False where nobody answered."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext, *, bytes_max: int) -> None:
        self.endpoint = endpoint
        self.tls = tls
        self.bytes_max = bytes_max
        self.open = False
        self.hearing = Hearing()

    async def __aenter__(self) -> Self:
        endpoint = self.endpoint
        tls, name = (self.tls, endpoint.host) if endpoint.secure else (None, None)
        try:
            async with asyncio.timeout(CONNECT_S):
                self.reader, self.writer = await asyncio.open_connection(
                    endpoint.host, endpoint.port, ssl=tls, server_hostname=name
                )
            self.open = True
        except (OSError, TimeoutError):
            pass
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.open:
            self.writer.transport.abort()

    async def carry(self, call: Call, pieces: Sequence[bytes], pause_s: float = 0.0) -> None:
        """Send the pieces with pauses between and fill in what became of the call."""
        call.begun_at = time.monotonic()
        self.hearing = Hearing()
        if not self.open:
            call.outcome, call.detail = Outcome.UNREACHABLE, Detail.CONNECT_FAILED
        else:
            call.sent_at = call.begun_at
            patience_s = call.timeout_ms / 1000 + pause_s * len(pieces)
            try:
                async with asyncio.timeout(patience_s):
                    await self.say(pieces, pause_s)
                    await self.hear(call)
            except TimeoutError:
                call.outcome = Outcome.TIMEOUT
            except OSError:
                self.cut(call)
        call.ended_at = time.monotonic()

    async def say(self, pieces: Sequence[bytes], pause_s: float) -> None:
        """Send piece by piece."""
        for number, piece in enumerate(pieces):
            if number and pause_s:
                await asyncio.sleep(pause_s)
            self.writer.write(piece)
            await self.writer.drain()

    async def hear(self, call: Call) -> None:
        """Read one whole answer into the call."""
        hearing = self.hearing
        heard = 0
        while not hearing.complete:
            data = await self.reader.read(READ_BYTES)
            if not data:
                if hearing.ended():
                    break
                self.cut(call)
                return
            try:
                hearing.feed(data)
            except httptools.HttpParserError:
                call.outcome = Outcome.BAD_HTTP
                return
            heard += len(data)
            too_large = self.too_large(heard)
            if too_large is not None:
                call.outcome, call.detail = Outcome.OVERSIZE, too_large
                return
        call.status, call.head = hearing.status, hearing.head()
        call.body, call.outcome = bytes(hearing.body), Outcome.ANSWERED

    def too_large(self, heard: int) -> Detail | None:
        """Return what of the answer is larger than what is read; so much was heard of it."""
        if not self.hearing.headed and not self.hearing.complete and heard > HEAD_BYTES_MAX:
            return Detail.HEAD_TOO_LARGE
        if len(self.hearing.body) > self.bytes_max:
            return Detail.BODY_TOO_LARGE
        if heard > HEAD_BYTES_MAX + READ_PER_BODY_MAX * self.bytes_max:
            return Detail.BODY_TOO_LARGE
        return None

    def cut(self, call: Call) -> None:
        """Note that the connection ended before the answer did."""
        call.outcome = Outcome.BROKEN
        started = self.hearing.started
        call.detail = Detail.CLOSED_HALFWAY if started else Detail.CLOSED_SILENTLY
