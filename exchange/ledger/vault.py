"""What may name a person is sealed under a key of its own, and that key under the master key.

A sealed text is a nonce and AES-256-GCM's ciphertext; its data key, wrapped, is kept beside it.
Without the wrapped key nobody reads it again, so erasing a person is forgetting a few bytes.
A wrapped key is the master key's id (4 bytes), the salt of a wrapping key (16), a nonce (12) and
the ciphertext (48). Wrapping keys follow from master key and salt by HKDF: each process draws its
own salt and draws another long before random nonces under one key could meet.
"""

import os
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from exchange.ledger.errors import MasterKeyError, SealBrokenError

KEY_BYTES = 32
ID_BYTES = 4
SALT_BYTES = 16
NONCE_BYTES = 12
WRAPS_PER_SALT = 1 << 24
WRAPPING_KEYS_KEPT = 256


class Sealed(NamedTuple):
    """A sealed text and the one key that opens it, wrapped."""

    sealed: bytes
    wrapped_key: bytes


class DataKey:
    """Seals any number of texts that are forgotten together: by forgetting this key."""

    __slots__ = ("_cipher", "_sealed", "wrapped")

    def __init__(self, key: bytes, wrapped: bytes) -> None:
        """Take a key that was drawn for this object, and that nothing else seals under."""
        self._cipher = AESGCM(key)
        self._sealed = 0
        self.wrapped = wrapped

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return the text sealed, which `wrapped` opens; `aad` says where it belongs."""
        self._sealed += 1
        # Nobody else counts under this key, so no nonce comes twice; chance would cost a call.
        nonce = self._sealed.to_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, aad)


class Vault:
    """Seals and opens under the master key; former master keys only open."""

    def __init__(self, master_key: bytes, *former_keys: bytes) -> None:
        for key in (master_key, *former_keys):
            if len(key) != KEY_BYTES:
                raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._master_key = master_key
        self._keys = {key_id(key): key for key in (*former_keys, master_key)}
        self._id = key_id(master_key)
        self._wraps_left = 0
        self._unwrapping = lru_cache(WRAPPING_KEYS_KEPT)(self._wrapping_key)

    def new_key(self) -> DataKey:
        """Return a new data key, already wrapped."""
        if not self._wraps_left:
            self._salt_anew()
        self._wraps_left -= 1
        chance = os.urandom(KEY_BYTES + NONCE_BYTES)
        key, nonce = chance[:KEY_BYTES], chance[KEY_BYTES:]
        return DataKey(key, self._head + nonce + self._wrap.encrypt(nonce, key, None))

    def seal(self, plaintext: bytes, aad: bytes) -> Sealed:
        """Return the text sealed under a data key of its own; `aad` says where it belongs."""
        key = self.new_key()
        return Sealed(key.seal(plaintext, aad), key.wrapped)

    def open(self, sealed: Sealed, aad: bytes) -> bytes:
        """Return the text; raise MasterKeyError or SealBrokenError."""
        master, salt, nonce, wrapped = unpacked(sealed.wrapped_key)
        if master not in self._keys:
            known = ", ".join(known.hex() for known in self._keys)
            raise MasterKeyError(sealed_under=master.hex(), known=known)
        try:
            data_key = self._unwrapping(master, salt).decrypt(nonce, wrapped, None)
            nonce, text = sealed.sealed[:NONCE_BYTES], sealed.sealed[NONCE_BYTES:]
            return AESGCM(data_key).decrypt(nonce, text, aad)
        except (InvalidTag, ValueError):
            raise SealBrokenError from None

    def derive(self, name: str) -> bytes:
        """Return a secret of 32 bytes for another use: the same for one name, unlike all others."""
        return derived(self._master_key, f"exchange/{name}".encode())

    def _salt_anew(self) -> None:
        salt = os.urandom(SALT_BYTES)
        self._wrap = self._wrapping_key(self._id, salt)
        self._head = self._id + salt
        self._wraps_left = WRAPS_PER_SALT

    def _wrapping_key(self, master: bytes, salt: bytes) -> AESGCM:
        return AESGCM(derived(self._keys[master], b"wrap", salt))


def key_id(master_key: bytes) -> bytes:
    """Return four bytes by which a master key is known without being told."""
    return derived(master_key, b"key id")[:ID_BYTES]


def derived(master_key: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    """Return 32 bytes that follow from the master key (HKDF-SHA-256, RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(master_key)


def unpacked(wrapped_key: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return master key id, salt, nonce and ciphertext of a wrapped key."""
    salt_end = ID_BYTES + SALT_BYTES
    nonce_end = salt_end + NONCE_BYTES
    return (
        wrapped_key[:ID_BYTES],
        wrapped_key[ID_BYTES:salt_end],
        wrapped_key[salt_end:nonce_end],
        wrapped_key[nonce_end:],
    )
