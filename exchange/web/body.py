"""A body is read once, whole, within a limit and in time; whoever drips or floods is told so."""

import asyncio
import zlib

import msgspec
from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from exchange.web.answers import accepted, problem_response
from exchange.web.limits import Limits
from exchange.web.problems import ClientGoneError, DeniedError, Kind, problem

PLAIN = frozenset({"", "identity"})
CODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Content codings that are undone, and what zlib calls them."""

BROKEN = "the body is not what its headers say"


FORM = "application/x-www-form-urlencoded"
TWO_PLACES = "the fields stand in the body or behind the ? of the address, not in both"


class Sent(msgspec.Struct, frozen=True):
    """A request's fields as they came, and where."""

    body: bytes
    content_type: str
    in_address: bool = False
    """They stood behind the `?`, as a form; then there was no body."""

    def __repr__(self) -> str:
        """Say how much it is; it is a person."""
        return f"Sent({len(self.body)} bytes)"


async def expect_later(request: web.Request) -> web.StreamResponse | None:
    """Accept `Expect: 100-continue` without saying so: the checks on the head come first."""
    if request.headers[hdrs.EXPECT].lower() == "100-continue":
        return None
    return problem_response(problem(Kind.EXPECTATION), accepted(request), close=True)


async def read_fields(request: web.Request, limits: Limits) -> Sent:
    """Return what was sent: the body, or what stands behind the `?` where there is none.

    Raises what `read_body` does, and 400 for a request with both: whichever were read over might
    have been what counts, such as a `test`.
    """
    body = await read_body(request, limits)
    query = query_of(request)
    if not query:
        return Sent(body, request.headers.get(hdrs.CONTENT_TYPE, ""))
    if body:
        raise DeniedError(Kind.UNREADABLE, TWO_PLACES)
    return Sent(query, FORM, in_address=True)


async def read_body(request: web.Request, limits: Limits) -> bytes:
    """Return the whole body, decompressed.

    Raises `DeniedError` for one that is too large (by its own word, or found while reading), too
    slow or broken, and `ClientGoneError` where nobody is left to answer.
    """
    if (request.content_length or 0) > limits.body_max_bytes:
        raise too_large(limits)
    if hdrs.EXPECT in request.headers:
        await tell_to_continue(request)
    body = await received(request, limits) if request.can_read_body else b""
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    return body if coding in PLAIN else decompressed(body, coding, limits)


def query_of(request: web.Request) -> bytes:
    """Return what stands behind the `?` of the address, just as it was sent."""
    target = request.raw_path.partition("#")[0]
    return target.partition("?")[2].encode(errors="surrogateescape")


async def received(request: web.Request, limits: Limits) -> bytes:
    """Return the body as it was sent."""
    try:
        if request.content.is_eof():
            # All of it came with the head, as with nearly every lead: no timer is needed.
            return within(request.content.read_nowait(), limits)
        async with asyncio.timeout(limits.request_timeout_s):
            return await gathered(request, limits)
    except TimeoutError:
        raise DeniedError(Kind.SLOW, close=True) from None
    except (web.RequestPayloadError, HttpProcessingError, ClientError):
        raise DeniedError(Kind.UNREADABLE, BROKEN, close=True) from None
    except ConnectionError as error:
        raise ClientGoneError from error


async def gathered(request: web.Request, limits: Limits) -> bytes:
    """Return what arrives until its end; stop at the first byte past the limit."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await request.content.readany():
        size += len(chunk)
        if size > limits.body_max_bytes:
            raise too_large(limits)
        chunks.append(chunk)
    return b"".join(chunks)


def decompressed(body: bytes, coding: str, limits: Limits) -> bytes:
    """Return what a compressed body says; a bomb is not unpacked any further than the limit."""
    bits = CODINGS.get(coding)
    if bits is None:
        raise DeniedError(Kind.MEDIA_TYPE, "the content coding must be gzip or deflate, or none")
    unpacking = zlib.decompressobj(bits)
    try:
        plain = unpacking.decompress(body, limits.body_max_bytes + 1)
    except zlib.error:
        raise DeniedError(Kind.UNREADABLE, BROKEN) from None
    if not unpacking.eof and len(plain) <= limits.body_max_bytes:
        raise DeniedError(Kind.UNREADABLE, BROKEN)
    return within(plain, limits)


def within(body: bytes, limits: Limits) -> bytes:
    """Return the body if it is not over the limit."""
    if len(body) > limits.body_max_bytes:
        raise too_large(limits)
    return body


def too_large(limits: Limits) -> DeniedError:
    """Return the denial that names the limit; the rest of the body is not waited for."""
    detail = f"a body has {limits.body_max_bytes} bytes at most"
    return DeniedError(Kind.TOO_LARGE, detail, close=True)


async def tell_to_continue(request: web.Request) -> None:
    """Send `100 Continue`: the checks on the head are passed, the body may come."""
    writer = request.writer
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    writer.output_size = 0  # the interim answer is no part of the answer
