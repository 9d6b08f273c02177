"""HMAC-SHA-256 (RFC 2104) under keys that are used again and again.

The standard library looks the algorithm up anew for every digest, which costs five times as much
as the digest: here the state after the key is kept, and copied.
"""

from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

KEYS_MAX = 4096
"""So many keys stay prepared: some for each buyer, and the exchange's own."""


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the digest, 32 bytes."""
    state = prepared(key).copy()
    state.update(message)
    return state.finalize()


@lru_cache(maxsize=KEYS_MAX)
def prepared(key: bytes) -> HMAC:
    """Return the state after this key, to be copied for each digest: never to be updated."""
    return HMAC(key, SHA256())
