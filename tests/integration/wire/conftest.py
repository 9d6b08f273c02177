"""The wire against real servers on loopback, on uvloop and on plain asyncio."""

import asyncio
import contextlib
import socket
import ssl
import struct
from ipaddress import ip_network

import pytest
import trustme
import uvloop

from exchange.wire.call import Call
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoint import compile_endpoint
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


class Peer:
    """One accepted connection, as a script sees it."""

    def __init__(self, server, reader, writer):
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self):
        """The next whole request; `IncompleteReadError` ends a script whose client has gone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        body = await self.reader.readexactly(size)
        self.server.requests.append(body)
        return body

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body=b"{}", *headers):
        lines = b"".join(header + b"\r\n" for header in headers)
        await self.send(
            b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    async def gone(self):
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass

    def reset(self):
        """Close so that the client sees a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """A server that treats each connection as its script says and remembers what it was sent."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.accepted = 0
        self.open = 0
        self.busy = asyncio.Condition()
        self.tasks = set()

    async def listen(self, context, port=0):
        self.listener = await asyncio.start_server(self.accept, "127.0.0.1", port, ssl=context)
        self.port = self.listener.sockets[0].getsockname()[1]
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/ping"

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.accepted += 1
        self.open += 1
        try:
            await self.script(Peer(self, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self.tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self.open -= 1
            async with self.busy:
                self.busy.notify_all()

    async def all_closed(self):
        """Wait until no connection is open."""
        async with self.busy:
            await self.busy.wait_for(lambda: self.open == 0)

    async def stop(self):
        self.listener.close()
        await self.listener.wait_closed()
        for task in list(self.tasks):
            task.cancel()
        async with asyncio.timeout(5):
            await self.all_closed()


@pytest.fixture
def secure():
    """Whether servers and wires speak TLS unless a test says otherwise; many try both."""
    return False


@pytest.fixture
async def serve(secure, good):
    """Start servers with scripts; all are stopped after the test."""
    servers = []

    async def start(script, context=None, port=0):
        server = Server(script)
        await server.listen(context or (good if secure else None), port)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def open_wire(secure, trusting):
    """Open wires with limits; after the test each is closed and has left nothing behind."""
    opened = []

    def build(
        *, tls=None, on_late=None, connect_timeout_ms=3000.0, allowed="127.0.0.0/8", **limits
    ):
        loop = asyncio.get_running_loop()
        resolver = Resolver(loop, Guard([ip_network(allowed)]))
        tls = tls or (trusting if secure else client_tls())
        dialer = Dialer(loop, resolver, tls, connect_timeout_ms=connect_timeout_ms)
        wire = Wire(loop, dialer, Limits(**limits), on_late=on_late)
        opened.append((wire, resolver))
        return wire

    yield build
    for wire, resolver in opened:
        async with asyncio.timeout(5):
            await wire.close()
            await resolver.close()
        assert len(wire.stock.standing) == 0
        assert not wire.stock.dialing
        assert not wire.batches
        assert not wire.drains.waiting
        assert wire.stock.sweep_timer is None
        assert wire.drains.timer is None


@pytest.fixture
def make_call():
    """A call to a URL; a ping unless it says that it must not be repeated."""

    def make(url, body=b"{}", *, timeout_ms=2000.0, repeatable=True):
        endpoint = compile_endpoint(url, headers={"Content-Type": "application/json"})
        return Call(endpoint, endpoint.request(body), timeout_ms, repeatable=repeatable)

    return make


@pytest.fixture(scope="session")
def authority():
    """A certificate authority of the tests."""
    return trustme.CA()


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="session")
def good(authority):
    """A server's context for loopback and `localhost`."""
    return serving(authority.issue_cert("127.0.0.1", "localhost"))


@pytest.fixture
def trusting(authority, tmp_path):
    """A client's context that trusts the tests' authority."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return client_tls(authorities_file=str(path))


@pytest.fixture
def until():
    """Turn the loop until something holds that nothing tells of; fail after five seconds."""

    async def turn(holds):
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)

    return turn
