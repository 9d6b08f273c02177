"""A feed's body as it comes, in small pieces: never more of it is held than one can work on."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from exchange.web.body import BROKEN, tell_to_continue
from exchange.web.doors import Doors
from exchange.web.feed_order import Order, too_large
from exchange.web.problems import ClientGoneError, DeniedError, Kind
from exchange.web.under_way import ClosingError

CHUNK_BYTES = 65_536
PIECE_BYTES = 2_048
"""So much is split at a time: the event loop has its turn between any two pieces."""


async def pieces(request: web.Request, doors: Doors, order: Order) -> AsyncGenerator[bytes, None]:
    """Return the body piece by piece, unpacked.

    Raises `DeniedError` for one that is too large, broken or silent for too long, or that the
    worker's end breaks off, and `ClientGoneError` where nobody is left to answer.
    """
    if hdrs.EXPECT in request.headers:
        await tell_to_continue(request)
    unpacking = None if order.coding_bits is None else zlib.decompressobj(order.coding_bits)
    size = 0
    while chunk := await received(request, doors):
        for piece in cut(chunk) if unpacking is None else unpacked(chunk, unpacking):
            size += len(piece)
            if size > doors.limits.feed_max_bytes:
                raise too_large(doors.limits)
            yield piece
            await asyncio.sleep(0)
    if unpacking is not None and size and not unpacking.eof:
        raise DeniedError(Kind.UNREADABLE, BROKEN)


async def received(request: web.Request, doors: Doors) -> bytes:
    """Return what came next, nothing at the end."""
    try:
        async with asyncio.timeout(doors.limits.feed_idle_s):
            return await doors.under_way.unless_closing(request.content.read(CHUNK_BYTES))
    except ClosingError:
        raise closing(doors) from None
    except TimeoutError:
        raise DeniedError(Kind.SLOW, close=True) from None
    except (web.RequestPayloadError, HttpProcessingError, ClientError) as error:
        if isinstance(error, ConnectionError):
            raise ClientGoneError from error
        raise DeniedError(Kind.UNREADABLE, BROKEN, close=True) from None
    except ConnectionError as error:
        raise ClientGoneError from error


def closing(doors: Doors) -> DeniedError:
    """Return the 503 of a feed that the end of its worker breaks off."""
    return DeniedError(Kind.CLOSING, retry_after_s=doors.limits.retry_after_s, close=True)


def cut(chunk: bytes) -> Iterator[bytes]:
    """Return a chunk in pieces."""
    for at in range(0, len(chunk), PIECE_BYTES):
        yield chunk[at : at + PIECE_BYTES]


def unpacked(chunk: bytes, unpacking: "zlib._Decompress") -> Iterator[bytes]:
    """Return what a packed chunk says, in pieces: a bomb goes off one piece at a time."""
    packed = chunk
    while packed and not unpacking.eof:
        try:
            piece = unpacking.decompress(packed, PIECE_BYTES)
        except zlib.error:
            raise DeniedError(Kind.UNREADABLE, BROKEN) from None
        packed = unpacking.unconsumed_tail
        if piece:
            yield piece
