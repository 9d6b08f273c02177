"""How an answer reaches its seller: whole, late, in pieces, in other words, or not at all."""

import asyncio

from aiohttp import hdrs, web

from bidders.rehearsal.acts import Way

HELD_S = 120.0
DRIPPING_S = 20.0
LOOK_EVERY_S = 0.02

GARBAGE = b'{"lead_id": "019a0000-0000-7000-8000-00000000'
PAGE = b"<!doctype html><title>Success</title><h1>success</h1><p>Your lead was accepted.</p>"
NO_HTTP = b"220 exchange.example ESMTP ready\r\n"


class GoneError(Exception):
    """Whoever asked has hung up."""


async def deliver(
    request: web.Request, response: web.StreamResponse, way: Way, pace: float
) -> web.StreamResponse:
    """Send the answer in this way; `pace` multiplies what takes time.

    Raises `GoneError` where its seller did not wait for that.
    """
    if is_gone(request):
        raise GoneError
    match way:
        case Way.WHOLE:
            return response
        case Way.HELD:
            await unless_gone(request, HELD_S * pace)
            hang_up(request)
            return response
        case Way.CUT:
            hang_up(request)
            return response
        case Way.HALF:
            return await in_pieces(request, response, 0.0, whole=False)
        case Way.DRIPPED:
            return await in_pieces(request, response, DRIPPING_S * pace, whole=True)
        case Way.GARBAGE:
            return web.Response(body=GARBAGE, content_type="application/json")
        case Way.PAGE:
            return web.Response(body=PAGE, content_type="text/html")
        case Way.NO_HTTP:
            hang_up(request, NO_HTTP)
            return response


def is_gone(request: web.Request) -> bool:
    """Tell whether whoever asked has hung up."""
    return request.transport is None or request.transport.is_closing()


async def unless_gone(request: web.Request, seconds: float) -> None:
    """Wait; raises `GoneError` as soon as nobody else does."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    while loop.time() < until_s:
        if is_gone(request):
            raise GoneError
        await asyncio.sleep(LOOK_EVERY_S)


def hang_up(request: web.Request, last_words: bytes = b"") -> None:
    """End the connection, without another byte or after these."""
    if request.transport is None:
        return
    if last_words:
        request.transport.write(last_words)
        request.transport.close()
    else:
        request.transport.abort()


async def in_pieces(
    request: web.Request, response: web.StreamResponse, seconds: float, *, whole: bool
) -> web.StreamResponse:
    """Send the head, then the body byte by byte, all of it or only its first half."""
    assert isinstance(response, web.Response), "the doors answer with whole bodies"
    assert isinstance(response.body, bytes), "of bytes"
    body = response.body if whole else response.body[: len(response.body) // 2]
    dripping = web.StreamResponse(status=response.status)
    for name in (hdrs.CONTENT_TYPE, hdrs.CACHE_CONTROL, hdrs.RETRY_AFTER):
        if name in response.headers:
            dripping.headers[name] = response.headers[name]
    dripping.content_length = len(response.body)
    await dripping.prepare(request)
    for index in range(len(body)):
        if is_gone(request):
            raise GoneError
        await dripping.write(body[index : index + 1])
        await asyncio.sleep(seconds / len(body))
    if not whole:
        hang_up(request)
    return dripping
