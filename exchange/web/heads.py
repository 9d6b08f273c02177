"""What the head of a request says: read once where it is plain, and known again when it comes back.

Only what cannot be read in two ways is plain: whatever else comes is for the framework's parser.
"""

import re
from collections.abc import Mapping

import msgspec
from aiohttp import hdrs
from multidict import CIMultiDict

from exchange.web.accept import wanted

API_KEY = "X-API-Key"
IDEMPOTENCY_KEY = "Idempotency-Key"

LEADS, PINGS, POSTS = "/v1/leads", "/v1/pings", "/v1/pings/{ping_id}/post"
POST_OF_QUOTE = re.compile(r"/v1/pings/([A-Za-z0-9_.-]+)/post")

END = b"\r\n\r\n"
BYTES_MAX = 4096
"""A longer head is not looked at."""
KEPT_MAX = 1024
"""How many heads are remembered; they are forgotten together."""
PLAIN = re.compile(
    rb"([A-Z]{3,7}) (/[!-~]{0,2048}) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9_-]{1,64}+: *+(?:[!-~]++(?: ++[!-~]++)*+)?\r\n){0,64}+)\r\n"
)
LENGTH = re.compile(r"[0-9]{1,9}")
UNUSUAL = (
    *(hdrs.TRANSFER_ENCODING, hdrs.EXPECT, hdrs.UPGRADE, hdrs.TRAILER, hdrs.TE),
    *(hdrs.CONTENT_ENCODING, "Proxy-Connection"),
)
"""With one of these a request is no plain one."""


class Head(msgspec.Struct, frozen=True):
    """What a sale needs to know of a request's head."""

    path: str
    key: str | None
    """The seller's, if it came in a header."""
    accept: str
    """The media type of the answer."""
    content_type: str
    once: str | None
    """The Idempotency-Key."""

    def __repr__(self) -> str:
        """Say where it goes; a key is a secret, and so may a path be."""
        return "Head()"


class Plain(msgspec.Struct, frozen=True):
    """A plain request: where its body begins and ends, and what it is."""

    size: int
    """Bytes of the head."""
    length: int
    """Bytes of the body."""
    route: str | None
    """The pattern of its path where it is a lead, a ping or a quote's post; None for all else."""
    ping_id: str | None
    head: Head


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key that came in a header, if one did."""
    scheme, _, key = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return headers.get(API_KEY)


def head_of(path: str, headers: Mapping[str, str]) -> Head:
    """Return what the head of a request to this path says; names of headers in any case."""
    return Head(
        path,
        key_in(headers),
        wanted(headers.get(hdrs.ACCEPT)),
        headers.get(hdrs.CONTENT_TYPE, ""),
        headers.get(IDEMPOTENCY_KEY),
    )


def read(data: bytes) -> Plain | None:
    """Return the plain request that begins here, None where it is not surely one."""
    match = PLAIN.match(data)
    if match is None:
        return None
    method, target, lines = (part.decode("ascii") for part in match.groups())
    fields = (line.partition(":") for line in lines.split("\r\n")[:-1])
    headers = CIMultiDict((name, value.strip()) for name, _, value in fields)
    if len(headers) != len({name.lower() for name in headers}) or hdrs.HOST not in headers:
        return None
    length = headers.get(hdrs.CONTENT_LENGTH, "0")
    if method == hdrs.METH_CONNECT or not LENGTH.fullmatch(length):
        return None
    if any(name in headers for name in UNUSUAL):
        return None
    if headers.get(hdrs.CONNECTION, "keep-alive").lower() != "keep-alive":
        return None
    route, ping_id = None, None
    if method == hdrs.METH_POST and hdrs.CONTENT_LENGTH in headers:
        route, ping_id = route_of(target)
    head = head_of(target, headers)
    return Plain(match.end(), int(length), route, ping_id, head)


def route_of(path: str) -> tuple[str | None, str | None]:
    """Return which of the sellers' doors a path is, and the quote that it names."""
    if path in {LEADS, PINGS}:
        return path, None
    post = POST_OF_QUOTE.fullmatch(path)
    return (None, None) if post is None else (POSTS, post[1])


class Heads:
    """Reads heads; most come again and again, byte for byte, and are read once."""

    def __init__(self) -> None:
        self.known: dict[bytes, Plain] = {}

    def read(self, data: bytes) -> Plain | None:
        """Return the plain request that begins here; None: it is unusual, or its head not whole."""
        end = data.find(END, 0, BYTES_MAX)
        if end < 0:
            return None
        head = data[: end + len(END)]
        plain = self.known.get(head)
        if plain is None:
            plain = read(head)
            # One with a key of its own does not come again.
            if plain is not None and plain.route in {LEADS, PINGS} and plain.head.once is None:
                if len(self.known) >= KEPT_MAX:
                    self.known.clear()
                self.known[head] = plain
        return plain
