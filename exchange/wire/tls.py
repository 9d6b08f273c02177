"""TLS as a translation between a line and its connection; OpenSSL never touches the socket.

It reads and writes memory alone. So a record that the socket takes in two halves is the line's
business, which knows how; what OpenSSL wants to say of its own accord (keys that change, goodbyes)
lies there to be sent after every step; and one read of the socket takes a whole record, where
OpenSSL itself would read its head and its body apart. A loop's own TLS layer costs twice as much.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Executor

from exchange.wire.line import READ_BYTES, READ_FIRST_BYTES, Line

RECORD_BYTES = 16_384
"""OpenSSL encrypts so much in one call, and no more."""
WORDLESS_BYTES_MAX = 65_536
"""So many bytes may come without a byte of an answer in them: several records that are not whole
yet, tickets, keys that change. More is somebody who keeps us busy."""


def client_tls(*, authorities_file: str | None = None) -> ssl.SSLContext:
    """A context that verifies names and certificates and speaks HTTP/1.1 only."""
    context = ssl.create_default_context(cafile=authorities_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # a handshake's work, in the middle of a ping
    context.set_alpn_protocols(["http/1.1"])
    return context


class Cipher:
    """One side of one TLS connection: ciphertext in and out of memory."""

    __slots__ = ("incoming", "outgoing", "tls")

    def __init__(
        self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None = None
    ) -> None:
        """Prepare to speak to the server called `name`, going on where a session ended."""
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_hostname=name, session=session
        )


Keep = Callable[[ssl.SSLSession], None]
"""Takes the session that a server gave, for the next connection to it."""


class TlsLine(Line):
    """An encrypted connection as a transport, once its handshake is done."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        protocol: asyncio.Protocol,
        cipher: Cipher,
        keep: Keep,
    ) -> None:
        """Take over the socket; `keep` hears of the server's session with its first answer."""
        self.cipher = cipher
        self.keep = keep
        self.incoming = cipher.incoming
        self.outgoing = cipher.outgoing
        self.encrypt = cipher.tls.write
        self.decrypt = cipher.tls.read
        self.left = cipher.tls.pending
        self.unencrypted = bytearray()
        self.wordless = 0  # bytes since the last words
        super().__init__(loop, sock, protocol)
        self.take = self.listen
        self.hear = self.hear_first
        if self.incoming.pending:  # what came along with the end of the handshake
            self.listen(self.incoming.read())

    def quiet(self) -> bool:
        """True where nothing came since the last words, not even half a record."""
        return not self.wordless and super().quiet()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt now and send what the socket takes, the rest when it is writable."""
        if self.closed:
            return
        if self.unencrypted or len(data) > RECORD_BYTES:
            self.unencrypted += data
            self.write_on()
            return
        try:
            self.encrypt(data)
        except ssl.SSLWantReadError:  # in the middle of a message of its own: after that
            self.unencrypted += data
        except ssl.SSLError as error:
            self.lose(error)
            return
        Line.write(self, self.outgoing.read())  # as `super()` would, for a third of the cost

    def write_on(self) -> None:
        """Encrypt what has waited, a record at a time."""
        try:
            while self.unencrypted:
                with memoryview(self.unencrypted) as waiting:
                    done = self.encrypt(waiting[:RECORD_BYTES])
                del self.unencrypted[:done]
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.lose(error)
            return
        self.flush()

    def end(self) -> None:
        """The server has closed: with a goodbye, or what it said may have lost its end."""
        self.incoming.write_eof()
        self.listen(b"")

    def listen(self, data: bytes) -> None:
        """Take ciphertext, decrypt all that is whole; say what OpenSSL wants to say in return.

        What came in one read is heard at once, however many records it is: an answer too many
        must not be taken for that of the next call.
        """
        words, halfway, failed, goodbye = b"", 0, None, False
        if data:  # nothing may be written behind an end
            self.incoming.write(data)
        try:
            while piece := self.decrypt(READ_FIRST_BYTES):
                words += piece if len(piece) < READ_FIRST_BYTES else self.decrypt_on(piece)
                if not self.incoming.pending:
                    break
            else:
                goodbye = True
        except ssl.SSLWantReadError:
            halfway = len(data)
        except ssl.SSLError as error:
            failed = error
        self.wordless = halfway if words else self.wordless + halfway
        if words:
            self.hear(words)
        # Nearly always it was one answer, and that is all.
        if goodbye or failed or self.wordless or self.outgoing.pending or self.unencrypted:
            self.go_on(failed, goodbye=goodbye)

    def go_on(self, failed: ssl.SSLError | None, *, goodbye: bool) -> None:
        """After what was heard: end the line where it is over, else send what OpenSSL wants to."""
        if self.closed:
            return
        if failed is not None:
            self.flush()  # an alert says why
            self.lose(failed)
        elif goodbye:
            self.close()
        elif self.wordless > WORDLESS_BYTES_MAX:
            self.lose(ssl.SSLError("many bytes without a word"))
        else:
            self.flush()
            if self.unencrypted:
                self.write_on()

    def decrypt_on(self, words: bytes) -> bytes:
        """Return these words with the rest of their record."""
        return words + self.decrypt(self.left()) if self.left() else words

    def flush(self) -> None:
        """Send what OpenSSL has written."""
        if self.outgoing.pending:
            super().write(self.outgoing.read())

    def hear_first(self, data: bytes) -> None:
        """Keep the session: a server's tickets come before its first answer."""
        self.hear = self.protocol.data_received
        session = self.cipher.tls.session
        if session is not None:
            self.keep(session)
        self.hear(data)

    def close(self) -> None:
        """Say goodbye, if the socket takes it, and close; what was not sent yet is dropped.

        A goodbye behind half a record would be garbage, so then there is none.
        """
        if not self.closed and not self.unsent and not self.unencrypted:
            with contextlib.suppress(ssl.SSLError):
                self.cipher.tls.unwrap()
            with contextlib.suppress(OSError):
                self.transmit(self.outgoing.read())
        self.lose(None)


async def shake_hands(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, cipher: Cipher, threads: Executor
) -> None:
    """Finish the handshake; an `OSError` says why it could not be (`SSLError` is one).

    Its arithmetic (keys, the server's certificate and those above it) takes as long as a hundred
    pings: it is done in a thread, which needs no lock of Python's for it, and never on the loop.
    """
    while True:
        try:
            await loop.run_in_executor(threads, cipher.tls.do_handshake)
        except ssl.SSLWantReadError:
            await loop.sock_sendall(sock, cipher.outgoing.read())
            data = await loop.sock_recv(sock, READ_BYTES)
            if data:
                cipher.incoming.write(data)
            else:
                cipher.incoming.write_eof()
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await loop.sock_sendall(sock, cipher.outgoing.read())  # an alert says why
            raise
        else:
            await loop.sock_sendall(sock, cipher.outgoing.read())
            return
