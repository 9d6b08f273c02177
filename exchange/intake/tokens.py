"""A quote travels as a sealed token: whoever shares the key can honour it, nobody can forge it.

Every day has a key of its own, which follows from the exchange's secret and the day: no machine has
to be told of it, and no store is read. The token is bound to its seller: in another seller's hands
it does not open. What the seller said and what the buyers said are compressed apart, so that the
token's length tells a seller nothing of a bid by what it put beside it.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.domain.keyed import hmac_sha256
from exchange.domain.quote import Quote, StandingBid

NONCE_BYTES = 12
KEY_ID_BYTES = 4
DAY_BYTES = 3
TAG_BYTES = 16
HEAD_BYTES = KEY_ID_BYTES + DAY_BYTES
SEALED_FROM = HEAD_BYTES + NONCE_BYTES
US_PER_DAY = 86_400_000_000
CIPHERS_MAX = 16
"""So many days' keys are kept at hand."""
TOKEN_LENGTH_MAX = 7_500
"""A token stands in the path of its post: a request line ends at 8,190 bytes."""
PADDING = 64


class Expired(msgspec.Struct, frozen=True):
    """A token that was good, and the quote that it held."""

    quote: Quote


class Forged(msgspec.Struct, frozen=True):
    """A token that this exchange never gave to this seller."""


class TooLongError(ValueError):
    """A quote with the bids of its legs alone, and no field, is longer than a token may be."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Content(msgspec.Struct, frozen=True, array_like=True):
    """A quote in two parts; bids are the part that its seller did not write."""

    said: bytes
    bids: bytes
    padding: bytes = b""


class Said(msgspec.Struct, frozen=True):
    """A quote but for its bids; exact numbers stand apart, for on the wire they are texts."""

    quote: Quote
    exact: dict[str, Decimal]


class Tokens:
    """Seals and opens quotes; the first secret seals, the others still open what they sealed."""

    def __init__(self, keys: Sequence[bytes], entropy: Callable[[int], bytes]) -> None:
        """Take secrets, from each of which a key a day is made, and where chance comes from."""
        assert keys, "there is a key to seal with"
        self._keys = {key_id(key): key for key in keys}
        self._sealing = key_id(keys[0])
        self._entropy = entropy
        self._ciphers: dict[bytes, AESGCM] = {}

    def _cipher(self, head: bytes) -> AESGCM:
        """Return what seals under a secret on a day; raises KeyError for an unknown secret."""
        cipher = self._ciphers.get(head)
        if cipher is None:
            key = self._keys[head[:KEY_ID_BYTES]]
            if len(self._ciphers) >= CIPHERS_MAX:
                self._ciphers.clear()
            cipher = AESGCM(hmac_sha256(key, b"quotes of a day" + head[KEY_ID_BYTES:]))
            self._ciphers[head] = cipher
        return cipher

    def seal(self, quote: Quote) -> str:
        """Return the token of a quote, short enough to stand in a path.

        What has no room is left out, the least needed first: bids from the worst on, but those of
        its legs, then fields from the longest on, which the post must then say again.
        Errors: TooLongError.
        """
        content = encode(quote)
        while sealed_length(content) > TOKEN_LENGTH_MAX:
            quote = shortened(quote)
            content = encode(quote)
        day = quote.quoted_at_us // US_PER_DAY
        head = self._sealing + day.to_bytes(DAY_BYTES, "big")
        nonce = self._entropy(NONCE_BYTES)
        sealed = self._cipher(head).encrypt(nonce, content, head + quote.seller_id.encode())
        return base64.urlsafe_b64encode(head + nonce + sealed).rstrip(b"=").decode()

    def open(self, text: str, seller_id: str, now_us: int) -> Quote | Expired | Forged:
        """Return the quote of a token that this seller was given."""
        if len(text) > TOKEN_LENGTH_MAX:
            return Forged()
        try:
            raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
            head, nonce, sealed = (
                raw[:HEAD_BYTES],
                raw[HEAD_BYTES:SEALED_FROM],
                raw[SEALED_FROM:],
            )
            content = self._cipher(head).decrypt(nonce, sealed, head + seller_id.encode())
            quote = decode(content)
        except (binascii.Error, KeyError, ValueError, InvalidTag, zlib.error):
            # ValueError: too short to hold a nonce, or sealed by a release that knew other fields.
            return Forged()
        return quote if now_us < quote.expires_at_us else Expired(quote)


def key_id(key: bytes) -> bytes:
    """Return the name of a key, which tells nothing of it."""
    return hashlib.sha256(b"quote key" + key).digest()[:KEY_ID_BYTES]


def sealed_length(content: bytes) -> int:
    """Return how long the token of this content is: four characters for three bytes."""
    return -(-(SEALED_FROM + len(content) + TAG_BYTES) * 4 // 3)


def shortened(quote: Quote) -> Quote:
    """Return the quote with its worst quarter of bids, or its longest field, left out."""
    bids, fields = quote.bids, quote.fields
    needed = max(1, len(quote.legs))
    if len(bids) > needed:
        bids = bids[: max(needed, len(bids) - max(1, len(bids) // 4))]
    elif fields:
        longest = max(fields, key=lambda name: len(str(fields[name])))
        fields = {name: value for name, value in fields.items() if name != longest}
    else:
        raise TooLongError
    shorter: Quote = msgspec.structs.replace(quote, bids=bids, fields=fields)
    return shorter


def encode(quote: Quote) -> bytes:
    """Return the quote, compressed in its two parts and filled up so that lengths come in steps."""
    exact = {name: value for name, value in quote.fields.items() if isinstance(value, Decimal)}
    plain = {name: value for name, value in quote.fields.items() if name not in exact}
    rest = msgspec.structs.replace(quote, bids=(), fields=plain)
    said = zlib.compress(msgspec.msgpack.encode(Said(rest, exact)))
    bids = zlib.compress(msgspec.msgpack.encode(quote.bids))
    short = len(msgspec.msgpack.encode(Content(said, bids))) % PADDING
    return msgspec.msgpack.encode(Content(said, bids, bytes(PADDING - short)))


def decode(content: bytes) -> Quote:
    """Return the quote that was sealed; raises msgspec's errors for one of another release."""
    parts = msgspec.msgpack.decode(content, type=Content)
    said = msgspec.msgpack.decode(zlib.decompress(parts.said), type=Said)
    bids = msgspec.msgpack.decode(zlib.decompress(parts.bids), type=tuple[StandingBid, ...])
    quote: Quote = msgspec.structs.replace(
        said.quote, bids=bids, fields={**said.quote.fields, **said.exact}
    )
    return quote
