"""A post as it is kept with its award: all that is needed to send the very same message again."""

import msgspec

from exchange.domain.dialect import Message


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A message, in the order in which it is written down."""

    query: bytes
    headers: bytes
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def packed(message: Message) -> bytes:
    """Return a message as it is sealed with its award."""
    return _encode(Kept(message.query, message.headers, message.body))


def unpacked(post: bytes) -> Message:
    """Return the message again; what proves who sends it is made anew at each sending."""
    kept = _decode(post)
    return Message(kept.query, kept.headers, kept.body)
