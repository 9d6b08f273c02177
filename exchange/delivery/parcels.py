"""A post as it is kept with its award: all that is needed to send the very same message again."""

import msgspec

from exchange.domain.dialect import Message


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A message, in the order in which it is written down."""

    query: bytes
    headers: bytes
    body: bytes
    shown: tuple[bytes, bytes, bytes] | None = None
    """As people may see it, likewise."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def packed(message: Message) -> bytes:
    """Return a message as it is sealed with its award."""
    shown = message.shown
    seen = None if shown is None else (shown.query, shown.headers, shown.body)
    return _encode(Kept(message.query, message.headers, message.body, seen))


def unpacked(post: bytes) -> Message:
    """Return the message again; what proves who sends it is made anew at each sending."""
    kept = _decode(post)
    shown = None if kept.shown is None else Message(*kept.shown)
    return Message(kept.query, kept.headers, kept.body, shown)
