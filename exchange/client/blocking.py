"""The client that blocks, on the standard library's HTTP.

`http.client` and no package, for two reasons: whoever sells from a web framework installs nothing
beside it, and a deadline can be kept to the letter, even against an answer that comes byte by byte.
A client may be used by any number of threads, and before and after a fork.
"""

import io
import os
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from functools import wraps
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from exchange.client.address import Address
from exchange.client.calls import Calls, Outside, Terms
from exchange.client.effects import (
    ANSWER_MAX_BYTES,
    TIMED_OUT,
    TOO_LONG,
    UNTRUSTED,
    Broken,
    Pause,
    Plan,
    Response,
    Send,
)

P = ParamSpec("P")
T = TypeVar("T")

IDLE_MAX = 16
"""So many connections are kept for the next request."""


def blocking(
    plan_of: Callable[Concatenate[Calls, P], Plan[T]],
) -> Callable[Concatenate["Client", P], T]:
    """Return a method of the blocking client that carries out such plans."""

    @wraps(plan_of)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(plan_of(self.calls, *args, **kwargs))

    return call


class Client:
    """Sells leads on an exchange, one call at a time in each thread.

    `answer_deadline_s` is the campaign's, `deadline_s` bounds one call with its repetitions;
    `tls` is for an exchange whose certificate is not signed by a public authority.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        answer_deadline_s: float = 30.0,
        deadline_s: float = 90.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.connections = Connections(Address.of(address), tls)
        self.calls = Calls(
            Terms(key=key, answer_deadline_s=answer_deadline_s, deadline_s=deadline_s),
            Outside.real(),
        )

    post = blocking(Calls.post)
    post_body = blocking(Calls.post_body)
    ping = blocking(Calls.ping)
    post_quote = blocking(Calls.post_quote)
    lead = blocking(Calls.lead)
    wait = blocking(Calls.wait)
    rejections = blocking(Calls.rejections)

    def run(self, plan: Plan[T]) -> T:
        """Carry out a plan."""
        heard: Response | Broken | None = None
        while True:
            try:
                effect = plan.send(heard)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(effect, Pause):
                time.sleep(effect.seconds)
                heard = None
            else:
                heard = self.connections.send(effect)

    def close(self) -> None:
        """Let go of the connections; the client may be used again."""
        self.connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.connections.address.url!r})"


class Connections:
    """Connections to one place, kept open between requests."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        self.address = address
        self.tls = tls
        self.idle: deque[Connection] = deque()
        self.process = os.getpid()

    def send(self, request: Send) -> Response | Broken:
        """Return the answer, or that none came whole and in time."""
        connection: Connection | None = None
        try:
            connection = self.take()
            response = connection.ask(request, self.address.path)
        except TimeoutError:
            return Broken(TIMED_OUT.why, unsent=not stood(connection))
        except ssl.SSLCertVerificationError:
            return UNTRUSTED
        except (OSError, HTTPException) as error:
            why = f"the connection failed ({type(error).__name__})"
            return Broken(why, unsent=not stood(connection))
        if connection.reusable:
            self.keep(connection)
        return response

    def take(self) -> "Connection":
        """Return a connection that still stands, or a new one."""
        if self.process != os.getpid():
            self.idle = deque()  # they are the parent's
            self.process = os.getpid()
        while self.idle:
            try:
                connection = self.idle.pop()
            except IndexError:  # another thread was faster
                break
            if connection.stands():
                return connection
            connection.close()
        return Connection(self.new())

    def new(self) -> HTTPConnection:
        """Return a connection that is made when the first request goes out."""
        host, port = self.address.host, self.address.port
        if not self.address.secure:
            return HTTPConnection(host, port)
        if self.tls is None:
            self.tls = ssl.create_default_context()
        return HTTPSConnection(host, port, context=self.tls)

    def keep(self, connection: "Connection") -> None:
        """Keep a connection for the next request, if there are not enough of them."""
        if len(self.idle) < IDLE_MAX:
            self.idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        while self.idle:
            self.idle.pop().close()


class Connection:
    """One HTTP connection, each of whose requests has one deadline for all of it."""

    def __init__(self, line: HTTPConnection) -> None:
        self.line = line
        self.line.response_class = self.response  # type: ignore[assignment]
        self.until_s = 0.0
        self.reusable = False
        self.stood = False
        """Whether a request could be written to it."""

    def ask(self, request: Send, prefix: str) -> Response | Broken:
        """Return the answer; raises OSError, TimeoutError among them, and HTTPException."""
        self.until_s = time.monotonic() + request.timeout_s
        self.reusable = False
        try:
            self.line.timeout = self.left_s()
            if self.line.sock is None:
                self.line.connect()
            self.stood = True
            self.line.sock.settimeout(self.left_s())
            self.line.request(
                request.method, prefix + request.path, request.body, dict(request.headers)
            )
            response = self.line.getresponse()
            body = response.read(ANSWER_MAX_BYTES + 1)
            self.reusable = response.isclosed() and self.line.sock is not None
        finally:
            if not self.reusable:
                self.close()
        if len(body) > ANSWER_MAX_BYTES:
            return TOO_LONG
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, body)

    def left_s(self) -> float:
        """Return what is left until the deadline; raises TimeoutError."""
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def response(self, line: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Return the answer to come, read within the deadline."""
        return HTTPResponse(Timed(line, self.left_s), *args, **kwargs)  # type: ignore[arg-type]

    def stands(self) -> bool:
        """Tell whether the other side has neither hung up nor said anything unasked."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.line.sock, selectors.EVENT_READ)
            return not selector.select(0)

    def close(self) -> None:
        """Close it."""
        self.line.close()


def stood(connection: Connection | None) -> bool:
    """Tell whether a request may have gone out."""
    return connection is not None and connection.stood


class Timed:
    """A socket as `HTTPResponse` knows one: what it can be read through."""

    def __init__(self, line: socket.socket, left_s: Callable[[], float]) -> None:
        self.line = line
        self.left_s = left_s

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return its bytes as a file."""
        assert mode == "rb", "an answer is read, as bytes"
        return io.BufferedReader(TimedReader(self.line, self.left_s))


class TimedReader(io.RawIOBase):
    """Reads a socket; however little comes at a time, all of it ends by one deadline."""

    def __init__(self, line: socket.socket, left_s: Callable[[], float]) -> None:
        self.line = line
        self.left_s = left_s
        self.raw = line.makefile("rb", buffering=0)  # it keeps the socket open while it is read

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there; raises TimeoutError."""
        self.line.settimeout(self.left_s())
        return self.raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self.raw.close()
        super().close()
