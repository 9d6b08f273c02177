"""A request as it would go out, taken apart and put together otherwise."""

from collections.abc import Callable

import msgspec

from exchange.wire.signature import signature_headers

HEAD_END = b"\r\n\r\n"
SIGNED = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
Change = Callable[[bytes], bytes]


class Parts(msgspec.Struct, frozen=True):
    """The request line, the header lines and the body."""

    line: bytes
    headers: tuple[bytes, ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of that name, or None."""
        for line in self.headers:
            found, _, value = line.partition(b":")
            if found.lower() == name:
                return value.strip()
        return None

    def without(self, *names: bytes) -> "Parts":
        """Return the same without headers of these names."""
        kept = tuple(one for one in self.headers if one.partition(b":")[0].lower() not in names)
        return Parts(self.line, kept, self.body)

    def plus(self, *lines: bytes) -> "Parts":
        """Return the same with these header lines at the end."""
        return Parts(self.line, (*self.headers, *lines), self.body)

    def with_body(self, body: bytes) -> "Parts":
        """Return the same with another body and its length."""
        bare = self.without(b"content-length")
        return Parts(bare.line, (*bare.headers, b"Content-Length: %d" % len(body)), body)

    def joined(self) -> bytes:
        """Return the request."""
        return b"\r\n".join((self.line, *self.headers)) + HEAD_END + self.body


def parts_of(request: bytes) -> Parts:
    """Take a request apart."""
    head, _, body = request.partition(HEAD_END)
    line, *headers = head.split(b"\r\n")
    return Parts(line, tuple(headers), body)


def signed(parts: Parts, secret: bytes, *, shift_s: int = 0) -> Parts:
    """Return the request signed anew, `shift_s` seconds from when it was signed."""
    message_id = (parts.header(b"webhook-id") or b"").decode()
    at_s = int(parts.header(b"webhook-timestamp") or b"0") + shift_s
    lines = signature_headers(secret, message_id, at_s, parts.body).removesuffix(b"\r\n")
    return parts.without(*SIGNED).plus(*lines.split(b"\r\n"))


def rewritten(change: Change, secret: bytes | None) -> Change:
    """Return what gives a request another body, and a signature that is right for it."""

    def change_request(request: bytes) -> bytes:
        parts = parts_of(request)
        parts = parts.with_body(change(parts.body))
        return (parts if secret is None else signed(parts, secret)).joined()

    return change_request


def resigned(secret: bytes, shift_s: int = 0) -> Change:
    """Return what signs a request with this secret."""
    return lambda request: signed(parts_of(request), secret, shift_s=shift_s).joined()


def unsigned(request: bytes) -> bytes:
    """Return a request without its signature."""
    return parts_of(request).without(*SIGNED).joined()


def tampered(request: bytes) -> bytes:
    """Return a request whose body was changed after it was signed: a blank more at its end."""
    parts = parts_of(request)
    return parts.with_body(parts.body + b" ").joined()


def lined(line: Callable[[bytes], bytes]) -> Change:
    """Return what gives a request another request line."""

    def change(request: bytes) -> bytes:
        parts = parts_of(request)
        return Parts(line(parts.line), parts.headers, parts.body).joined()

    return change


def pieces_of(request: bytes, count: int) -> list[bytes]:
    """Cut a request into about so many pieces, one cut inside the head and one before the body."""
    size = max(1, len(request) // count)
    return [request[at : at + size] for at in range(0, len(request), size)]
