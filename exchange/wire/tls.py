"""TLS straight on the socket: less than half of what a loop's own TLS layer costs per request."""

import asyncio
import contextlib
import socket
import ssl
from typing import Any

READ_BYTES = 65_536
"""More than one TLS record, so that one read takes all that a record holds."""


def client_tls(*, authorities_file: str | None = None) -> ssl.SSLContext:
    """A context that verifies names and certificates and speaks HTTP/1.1 only."""
    context = ssl.create_default_context(cafile=authorities_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsTransport(asyncio.Transport):
    """A connected, encrypted socket as a transport: `write`, `abort`, `close`, `is_closing`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket, protocol: asyncio.Protocol
    ) -> None:
        super().__init__()
        self.loop = loop
        self.sock = sock
        self.protocol = protocol
        self.unsent = bytearray()
        self.closed = False
        self.number = sock.fileno()
        loop.add_reader(self.number, self.readable)
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`socket` and `ssl_object` are the socket itself."""
        return self.sock if name in ("socket", "ssl_object") else default

    def is_closing(self) -> bool:
        """True once nothing can be sent any more."""
        return self.closed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now what the socket takes, the rest when it is writable."""
        if self.closed:
            return
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self.sock.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        except OSError as error:
            self.lose(error)
            return
        if sent < len(data):
            self.unsent += memoryview(data)[sent:]
            self.loop.add_writer(self.number, self.writable)

    def close(self) -> None:
        """Say goodbye and close; what was not sent yet is dropped."""
        if not self.closed:
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()
        self.lose(None)

    def abort(self) -> None:
        """Close without a goodbye."""
        self.lose(None)

    def readable(self) -> None:
        """Hand what arrived to the protocol."""
        while not self.closed:
            try:
                data = self.sock.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self.lose(error)
                return
            if not data:
                self.lose(None)
                return
            self.protocol.data_received(data)
            if not self.sock.pending():
                return

    def writable(self) -> None:
        """Send more of what is left."""
        try:
            sent = self.sock.send(self.unsent)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self.lose(error)
            return
        del self.unsent[:sent]
        if not self.unsent:
            self.loop.remove_writer(self.number)

    def lose(self, error: Exception | None) -> None:
        """Close the socket now; the protocol hears of it in the loop's next turn."""
        if self.closed:
            return
        self.closed = True
        self.unsent.clear()
        self.loop.remove_reader(self.number)
        self.loop.remove_writer(self.number)
        self.sock.close()
        self.loop.call_soon(self.protocol.connection_lost, error)


async def connect_tcp(loop: asyncio.AbstractEventLoop, address: tuple[str, int]) -> socket.socket:
    """Return a connected socket; an `OSError` says what failed."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: ssl.SSLContext,
    name: str,
    protocol: asyncio.Protocol,
) -> TlsTransport:
    """Shake hands with the server called `name` and hand the protocol its transport.

    Takes the socket over, also where it fails; an `OSError` says why (`SSLError` is one).
    """
    try:
        secured = context.wrap_socket(
            sock, server_hostname=name, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        await shake_hands(loop, secured)
    except BaseException:
        secured.close()
        raise
    return TlsTransport(loop, secured, protocol)


async def shake_hands(loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket) -> None:
    """Finish the handshake without blocking the loop."""
    number = sock.fileno()
    while True:
        turn = loop.create_future()
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            loop.add_reader(number, wake, turn)
        except ssl.SSLWantWriteError:
            loop.add_writer(number, wake, turn)
        else:
            return
        try:
            await turn
        finally:
            loop.remove_reader(number)
            loop.remove_writer(number)


def wake(turn: asyncio.Future[None]) -> None:
    """Let the handshake go on."""
    if not turn.done():
        turn.set_result(None)
