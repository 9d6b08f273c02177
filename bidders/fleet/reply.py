"""Answers as bytes, and what becomes of the connection after them."""

from enum import Enum, auto

import msgspec


class End(Enum):
    """What a buyer does with the connection once the answer is out."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()


class Reply(msgspec.Struct, frozen=True):
    """Bytes to send after a while, all at once or one by one; None in its place is silence."""

    data: bytes
    after_ms: float = 0.0
    end: End = End.KEEP
    drip_ms: float = 0.0


STATUS_LINES = {
    200: b"HTTP/1.1 200 OK\r\n",
    201: b"HTTP/1.1 201 Created\r\n",
    202: b"HTTP/1.1 202 Accepted\r\n",
    204: b"HTTP/1.1 204 No Content\r\n\r\n",
    302: b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n",
    400: b"HTTP/1.1 400 Bad Request\r\n",
    401: b"HTTP/1.1 401 Unauthorized\r\n",
    404: b"HTTP/1.1 404 Not Found\r\n",
    405: b"HTTP/1.1 405 Method Not Allowed\r\n",
    413: b"HTTP/1.1 413 Content Too Large\r\n",
    422: b"HTTP/1.1 422 Unprocessable Content\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}
NO_CONTENT = STATUS_LINES[204]
JSON = b"application/json"
HEAD = b"%bcontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
CHUNKED_HEAD = b"%bcontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n"


def message(body: bytes, status: int = 200, kind: bytes = JSON) -> bytes:
    """Return a whole HTTP answer of known length."""
    return HEAD % (STATUS_LINES[status], kind, len(body), body)


def chunked(body: bytes, status: int = 200, kind: bytes = JSON) -> bytes:
    """Return the same answer in two chunks, as many servers send it."""
    middle = len(body) // 2
    pieces = [part for part in (body[:middle], body[middle:]) if part]
    return b"".join(
        [
            CHUNKED_HEAD % (STATUS_LINES[status], kind),
            *(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces),
            b"0\r\n\r\n",
        ]
    )
