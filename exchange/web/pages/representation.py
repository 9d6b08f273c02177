"""What a page or a file is on the wire: its bytes, their digest, and 304 for who has them."""

import hashlib

import msgspec
from aiohttp import hdrs, web

from exchange.web.answers import SERVER

DIGEST_CHARACTERS = 16
HTML = "text/html; charset=utf-8"

REVALIDATE = "private, no-cache"
"""Kept by the browser alone, and asked for again each time: a market changes at any moment."""
FOR_ALL = "no-cache"
"""For what everybody may see: kept, and asked for again each time."""
FOR_EVER = "public, max-age=31536000, immutable"
"""For what has its digest in its address."""

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing from elsewhere, nothing inline, in nobody's frame; a signed link is told to nobody."""


class Representation(msgspec.Struct, frozen=True):
    """Ready bytes and what they are."""

    body: bytes
    media_type: str
    digest: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Representation":
        """Return the bytes with their digest."""
        return cls(body, media_type, hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS])


def respond(
    request: web.Request, content: Representation, *, caching: str, status: int = 200
) -> web.Response:
    """Return the content, or 304 where the client has it already."""
    headers = {
        **SECURITY,
        "Cache-Control": caching,
        "ETag": f'"{content.digest}"',
        "Server": SERVER,
    }
    if status == web.HTTPOk.status_code and has_it(request, content.digest):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = content.media_type
    return web.Response(body=content.body, status=status, headers=headers)


def has_it(request: web.Request, digest: str) -> bool:
    """Tell whether the client named this digest, or any at all."""
    if hdrs.IF_NONE_MATCH not in request.headers:
        return False
    return any(tag.value in {digest, "*"} for tag in request.if_none_match or ())
