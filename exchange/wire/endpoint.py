"""An endpoint is checked and encoded once, so that a request costs one `join`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

Method = Literal["GET", "POST", "PUT"]

PORTS = {"http": 80, "https": 443}
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# The wire says these itself, from the URL and the body; a second one could cut a message in two.
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"}
)


def length_line(size: int) -> bytes:
    """The last line of a head, for a body of that size."""
    return b"Content-Length: %d\r\n\r\n" % size


LENGTHS = [length_line(size) for size in range(2048)]
"""Those of usual sizes, made once."""


class EndpointError(ValueError):
    """The endpoint cannot be called: the text says what is wrong with it."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where requests of one kind go, and the part of their head that never changes."""

    scheme: str
    host: str  # as the resolver and the certificate take it: no brackets
    port: int
    key: str  # endpoints with the same key share connections
    method: str
    head: bytes  # request line and fixed headers, each line ended
    asked: int = 0  # where in the head the URL's own query ends, or would stand
    joint: bytes = b"?"  # what stands before a query that is added there

    def __repr__(self) -> str:
        """Say where it is; fixed headers may hold a secret."""
        return f"Endpoint({self.key})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Say the same to tools that draw values: they would show every field."""
        return [("key", self.key)]

    @property
    def secure(self) -> bool:
        """True where the connection is encrypted."""
        return self.scheme == "https"

    def request(self, *body: bytes, headers: bytes = b"") -> bytes:
        """One whole request; `headers` are ready lines, as `header_lines` makes them."""
        content = body[0] if len(body) == 1 else b"".join(body)
        size = len(content)
        if not size and self.method == "GET":
            return b"".join((self.head, headers, b"\r\n"))
        length = LENGTHS[size] if size < len(LENGTHS) else length_line(size)
        return b"".join((self.head, headers, length, content))

    def asking(self, query: bytes, body: bytes, headers: bytes) -> bytes:
        """One whole request whose URL ends with this query, escaped and without its `?`."""
        request = self.request(body, headers=headers)
        if not query:
            return request
        return b"".join((request[: self.asked], self.joint, query, request[self.asked :]))


def compile_endpoint(
    url: str, *, method: Method = "POST", headers: Mapping[str, str] | None = None
) -> Endpoint:
    """The endpoint at `url` with its fixed headers; an `EndpointError` says what cannot be."""
    if method not in get_args(Method):
        raise EndpointError(f"method must be one of {', '.join(get_args(Method))}")
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise EndpointError("a URL is printable ASCII without spaces; escape the rest")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointError(f"not a URL: {error}") from error
    if parts.scheme not in PORTS:
        raise EndpointError("a URL begins with http:// or https://")
    if "@" in parts.netloc:
        raise EndpointError("a URL holds no user or password; send them in a header")
    host = (parts.hostname or "").rstrip(".")
    if not host or "%" in host:
        raise EndpointError("a URL names a host")
    if port == 0:
        raise EndpointError("port 0 cannot be called")
    named = f"[{host}]" if ":" in host else host
    authority = named if port in (None, PORTS[parts.scheme]) else f"{named}:{port}"
    port = port or PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = f"{method} {target}"
    lines = [f"{asked} HTTP/1.1\r\nHost: {authority}\r\n".encode("ascii")]
    return Endpoint(
        scheme=parts.scheme,
        host=host,
        port=port,
        key=f"{parts.scheme}://{named}:{port}",
        method=method,
        head=b"".join([*lines, header_lines((headers or {}).items())]),
        asked=len(asked),
        joint=b"" if parts.query.endswith("&") else b"&" if parts.query else b"?",
    )


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers as they go out; an `EndpointError` names one that would break the message."""
    return b"".join(header_line(name, value) for name, value in headers)


def header_line(name: str, value: str) -> bytes:
    """One header as it goes out; values are Latin-1 without control characters."""
    if not name or not TOKEN.issuperset(name):
        raise EndpointError(f"not a header's name: {name!r}")
    if name.lower() in OWN_HEADERS:
        raise EndpointError(f"{name} is set by the exchange itself")
    if any((c < " " and c != "\t") or c == "\x7f" or c > "\xff" for c in value):
        raise EndpointError(f"the value of {name} holds a character that no header may hold")
    return f"{name}: {value.strip()}\r\n".encode("latin-1")
