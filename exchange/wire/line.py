"""A line is a connected socket: it sends at once what the kernel takes, the rest when it can.

It stands straight on the socket and the loop's readiness calls: plain and encrypted connections
go the same way, and a loop's own transports add buffers and turns that a ping does not need.
"""

import asyncio
import select
import socket
from typing import Any

READ_BYTES = 16_384
"""Read at a time where there is much."""
READ_FIRST_BYTES = 960
"""Read at first: more than any usual answer, and what an allocator has at hand."""


class Line(asyncio.Transport):
    """A plain connected socket as a transport: `write`, `abort`, `close`, `is_closing`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.Protocol
    ) -> None:
        """Take over a connected, non-blocking socket and tell the protocol that it stands."""
        super().__init__()
        self.loop = loop
        self.sock = sock
        self.number = sock.fileno()
        self.protocol = protocol
        self.unsent = bytearray()
        self.closed = False
        # Looked up once: each is called for every ping.
        self.transmit = sock.send
        self.receive = sock.recv
        self.take = protocol.data_received
        loop.add_reader(self.number, self.readable)
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`socket` is the socket itself."""
        return self.sock if name == "socket" else default

    def is_closing(self) -> bool:
        """True once nothing can be sent any more."""
        return self.closed

    def quiet(self) -> bool:
        """True where the server has neither closed the connection nor sent anything unread."""
        poll = select.poll()
        poll.register(self.number, select.POLLIN)
        return not poll.poll(0)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now what the socket takes, the rest when it is writable."""
        if self.closed:
            return
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self.transmit(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.lose(error)
            return
        if sent < len(data):
            self.unsent += memoryview(data)[sent:]
            self.loop.add_writer(self.number, self.writable)

    def close(self) -> None:
        """Close now; what was not sent yet is dropped."""
        self.lose(None)

    def abort(self) -> None:
        """Close now, like `close`."""
        self.close()

    def readable(self) -> None:
        """Take what arrived."""
        try:
            data = self.receive(READ_FIRST_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(error)
            return
        if not data:
            self.end()
        elif len(data) < READ_FIRST_BYTES:
            self.take(data)
        else:
            self.read_on(data)

    def read_on(self, data: bytes) -> None:
        """Take what lies there beyond a first read; an error then comes after it, not instead."""
        failed: OSError | None = None
        try:
            data += self.receive(READ_BYTES)
        except BlockingIOError:
            pass
        except OSError as error:
            failed = error
        self.take(data)
        if failed is not None:
            self.lose(failed)

    def end(self) -> None:
        """The server will send nothing more."""
        self.lose(None)

    def writable(self) -> None:
        """Send more of what is left."""
        try:
            sent = self.transmit(self.unsent)
        except BlockingIOError:
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
