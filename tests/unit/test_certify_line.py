"""The line that certifying speaks by hand reads no more of an answer than the exchange would."""

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager

import pytest

from bidders.certify.line import Line
from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.endpoint import compile_endpoint

ENDLESS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", Detail.HEAD_TOO_LARGE),
    "one header": (b"HTTP/1.1 200 OK\r\na: ", b"bbbb", Detail.HEAD_TOO_LARGE),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", Detail.HEAD_TOO_LARGE),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 1000, Detail.BODY_TOO_LARGE),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"a: b\r\n",
        Detail.BODY_TOO_LARGE,
    ),
}


@asynccontextmanager
async def a_server(begins, goes_on):
    """A server whose answer never ends."""

    async def answer(_reader, writer):
        writer.write(begins)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(goes_on * 1000)
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_answer_without_an_end_is_too_large(what):
    """Whatever of it has no end: it ends the call, and not the memory."""
    begins, goes_on, why = ENDLESS[what]
    async with a_server(begins, goes_on) as port:
        endpoint = compile_endpoint(f"http://127.0.0.1:{port}/")
        call = Call(endpoint, endpoint.request(b"{}"), 30_000.0)
        async with Line(endpoint, ssl.create_default_context(), bytes_max=65_536) as line:
            await line.carry(call, (call.request,))
        assert (call.outcome, call.detail) == (Outcome.OVERSIZE, why)
