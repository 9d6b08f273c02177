"""Connections are opened to addresses that may be called, one after the other until one answers."""

import asyncio
import functools
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from exchange.wire.call import Detail
from exchange.wire.endpoint import Endpoint
from exchange.wire.line import Line, connect_tcp
from exchange.wire.resolver import Resolver, Unresolved
from exchange.wire.tls import Cipher, TlsLine, shake_hands

ADDRESS_TIMEOUT_MIN_S = 0.25
HANDSHAKE_THREADS = 2
Own = Callable[[], Awaitable[tuple[str, int]]]
"""Returns where something of this process listens, opened where it was not yet."""

SESSIONS_MAX = 4096
"""Servers whose sessions are kept at most; a market's are far fewer."""


class Unreachable(Exception):  # noqa: N818 - what the wire's outcome is called
    """No connection could be opened."""

    def __init__(self, why: Detail) -> None:
        super().__init__(why.value)
        self.why = why


class Dialer:
    """Opens lines; encrypted ones go on where the last one to that server ended, if it agrees."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resolver: Resolver,
        tls: ssl.SSLContext,
        *,
        connect_timeout_ms: float = 3000.0,
        own: Mapping[str, Own] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop = loop
        self.resolver = resolver
        self.tls = tls
        self.clock = clock
        self.own = own or {}
        """Hosts that this process is itself, by name: no name service is asked, and no guard."""
        self.connect_timeout_s = connect_timeout_ms / 1000.0
        self.threads = ThreadPoolExecutor(HANDSHAKE_THREADS, "handshake")
        self.sessions: dict[str, ssl.SSLSession] = {}

    def close(self) -> None:
        """Let the threads end; no connection is opened any more."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.sessions.clear()

    async def dial(self, endpoint: Endpoint, connection: asyncio.Protocol) -> float:
        """Connect `connection` to the host and return the round trip in ms; else `Unreachable`.

        The round trip is TCP's handshake alone: no name, no TLS, no work of the server in it.
        """
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                return await self.try_addresses(endpoint, connection)
        except TimeoutError:
            raise Unreachable(Detail.CONNECT_TIMEOUT) from None

    async def try_addresses(self, endpoint: Endpoint, connection: asyncio.Protocol) -> float:
        """Take the host's addresses in turn; the last failure is the reason."""
        own = self.own.get(endpoint.host)
        if own is not None:
            return await self.connect_own(endpoint, own, connection)
        try:
            addresses = await self.resolver.resolve(endpoint.host)
        except Unresolved as refusal:
            raise Unreachable(refusal.why) from None
        share_s = max(self.connect_timeout_s / len(addresses), ADDRESS_TIMEOUT_MIN_S)
        why = Detail.CONNECT_FAILED
        for address in addresses:
            try:
                async with asyncio.timeout(share_s):
                    return await self.connect(endpoint, (address, endpoint.port), connection)
            except OSError as error:
                why = reason_of(error)
                self.resolver.avoid(endpoint.host, address)
        raise Unreachable(why)

    async def connect_own(
        self, endpoint: Endpoint, own: Own, connection: asyncio.Protocol
    ) -> float:
        """Connect to what listens in this process."""
        try:
            return await self.connect(endpoint, await own(), connection)
        except OSError as error:
            raise Unreachable(reason_of(error)) from None

    async def connect(
        self, endpoint: Endpoint, address: tuple[str, int], connection: asyncio.Protocol
    ) -> float:
        """Connect to one address and return the round trip in ms; an `OSError` says what failed."""
        began = self.clock()
        sock = await connect_tcp(self.loop, address)
        round_trip_ms = (self.clock() - began) * 1000.0
        try:
            if not endpoint.secure:
                Line(self.loop, sock, connection)
            else:
                keep = functools.partial(self.keep, endpoint.key)
                cipher = Cipher(self.tls, endpoint.host, self.sessions.get(endpoint.key))
                await shake_hands(self.loop, sock, cipher, self.threads)
                TlsLine(self.loop, sock, connection, cipher, keep)
        except BaseException:
            sock.close()
            raise
        return round_trip_ms

    def keep(self, key: str, session: ssl.SSLSession) -> None:
        """Keep what the server gave last: the next handshake with it costs a tenth."""
        if len(self.sessions) >= SESSIONS_MAX:
            self.sessions.clear()
        self.sessions[key] = session


def reason_of(error: OSError) -> Detail:
    """What an error while connecting is called."""
    match error:
        case ssl.SSLCertVerificationError():
            return Detail.CERTIFICATE_REFUSED
        case ssl.SSLError():
            return Detail.TLS_FAILED
        case ConnectionRefusedError():
            return Detail.CONNECT_REFUSED
        case TimeoutError():
            return Detail.CONNECT_TIMEOUT
        case _:
            return Detail.CONNECT_FAILED
