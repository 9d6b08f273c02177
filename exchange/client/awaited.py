"""The client that is awaited, on aiohttp, which is imported with the first request."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

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

if TYPE_CHECKING:
    import aiohttp

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS_MAX = 100


def awaited(
    plan_of: Callable[Concatenate[Calls, P], Plan[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    """Return a method of the awaited client that carries out such plans."""

    @wraps(plan_of)
    async def call(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(plan_of(self.calls, *args, **kwargs))

    return call


class AsyncClient:
    """Sells leads on an exchange, any number of them at once in one event loop.

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

    post = awaited(Calls.post)
    post_body = awaited(Calls.post_body)
    ping = awaited(Calls.ping)
    post_quote = awaited(Calls.post_quote)
    lead = awaited(Calls.lead)
    wait = awaited(Calls.wait)
    rejections = awaited(Calls.rejections)

    async def run(self, plan: Plan[T]) -> T:
        """Carry out a plan."""
        heard: Response | Broken | None = None
        while True:
            try:
                effect = plan.send(heard)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(effect, Pause):
                await asyncio.sleep(effect.seconds)
                heard = None
            else:
                heard = await self.connections.send(effect)

    async def close(self) -> None:
        """Let go of the connections; the client may be used again."""
        await self.connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.connections.address.url!r})"


class Connections:
    """aiohttp's session towards one place, made when it is first needed."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        self.address = address
        self.tls = tls
        self.session: aiohttp.ClientSession | None = None

    async def send(self, request: Send) -> Response | Broken:
        """Return the answer, or that none came whole and in time."""
        import aiohttp
        import yarl

        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        try:
            async with self.session.request(
                request.method,
                yarl.URL(self.address.url + request.path, encoded=True),
                data=request.body,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=request.timeout_s or TINY_S),
                allow_redirects=False,
                ssl=True if self.tls is None else self.tls,
            ) as response:
                body = await whole(response)
        except TimeoutError:
            return TIMED_OUT
        except aiohttp.ClientConnectorCertificateError:
            return UNTRUSTED
        except (aiohttp.ClientError, OSError) as error:
            unsent = isinstance(error, aiohttp.ClientConnectorError)
            return Broken(f"the connection failed ({type(error).__name__})", unsent=unsent)
        if body is None:
            return TOO_LONG
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, headers, body)

    async def close(self) -> None:
        """Close all of them."""
        session, self.session = self.session, None
        if session is not None:
            await session.close()


TINY_S = 0.001
"""For aiohttp no time at all is all the time in the world."""


async def whole(response: "aiohttp.ClientResponse") -> bytes | None:
    """Return the body of an answer, None where it does not end in time to be one."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > ANSWER_MAX_BYTES:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)
