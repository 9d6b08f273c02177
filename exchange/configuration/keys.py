"""Keys that open the doors, and the secrets that calls are signed with: made, never shown again."""

import base64
import hashlib
import re
import secrets
from enum import StrEnum
from typing import Any

import msgspec

from exchange.configuration.queries import SQL
from exchange.configuration.snapshots import SELLER_SIGNING, SIGNING, Vault, secret_place
from exchange.configuration.store import begin_version, read_present
from exchange.contract.parts import ID_RULE
from exchange.domain.nearest import hint

KEY_BYTES = 32
VALID_AT_ONCE = 2
"""The old key and the new one, for as long as a rotation takes."""
HINT_CHARACTERS = 4
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class KeyRole(StrEnum):
    """What a key is for."""

    SELLER = "seller"
    BUYER = "buyer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SIGNING = "signing"
    """No key of a door: what a buyer or a seller checks the exchange's calls with."""


ACCOUNT_KINDS = {
    KeyRole.SELLER: ("seller",),
    KeyRole.BUYER: ("buyer",),
    KeyRole.SIGNING: ("buyer", "seller"),
}
SIGNED = {"buyer": SIGNING, "seller": SELLER_SIGNING}
"""Before an account's id: the name of what calls to it are signed with."""


class AccountError(Exception):
    """A key for somebody whom the market does not know."""


class MadeKey(msgspec.Struct, frozen=True):
    """A new key, this once in clear."""

    key: str
    version: int
    retired: tuple[str, ...] = ()
    """The first characters of keys that opened the door until now and do so no more."""

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"MadeKey(version={self.version}, retired={self.retired})"


async def create_key(
    connection: Any, vault: Vault, role: KeyRole, account: str, by: str
) -> MadeKey:
    """Make a key for an account, or its signing secret in place of its last one.

    The two newest keys of an account and role are valid. Where a buyer and a seller have the same
    id, `buyer/ID` and `seller/ID` tell which one is meant. Raises AccountError.
    """
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        kind, own_id = await _account(connection, role, account)
        if role is KeyRole.SIGNING:
            made = await _signing_secret(connection, vault, f"{SIGNED[kind]}{own_id}", by)
        else:
            made = await _door_key(connection, role, own_id, by)
        await connection.execute(SQL["announce"], str(made.version))
    return made


def digest_of(key: str) -> bytes:
    """Return that by which a key is known: it holds 256 bits of chance, so SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()


async def _account(connection: Any, role: KeyRole, account: str) -> tuple[str, str]:
    """Return of which kind an account is, and its id; raise AccountError where it is none."""
    kinds = ACCOUNT_KINDS.get(role)
    if kinds is None:
        if not _ACCOUNT.fullmatch(account):
            raise AccountError(f'"{account}" is malformed: {ID_RULE}')
        return role.value, account
    named, slash, own_id = account.rpartition("/")
    if slash and named in kinds:
        kinds = (named,)
    else:
        own_id = account
    objects = (await read_present(connection)).objects
    found = [kind for kind in kinds if (kind, own_id) in objects]
    if len(found) > 1:
        raise AccountError(f'"{own_id}" is a buyer and a seller: say buyer/{own_id} or seller/…')
    if not found:
        known = [name for kind, name in objects if kind in kinds]
        told = " or ".join(kinds)
        raise AccountError(f'there is no {told} "{own_id}" in the market{hint(own_id, known)}')
    return found[0], own_id


async def _door_key(connection: Any, role: KeyRole, account: str, by: str) -> MadeKey:
    prefix = f"pk_{role}_"
    key = prefix + secrets.token_urlsafe(KEY_BYTES)
    digest = digest_of(key)
    version = await begin_version(connection, by, "key", digest)
    shown = key[: len(prefix) + HINT_CHARACTERS]
    await connection.execute(SQL["add_key"], digest, version, role, account, shown)
    rows = await connection.fetch(SQL["retire_keys"], role, account, VALID_AT_ONCE)
    return MadeKey(key, version, tuple(row["hint"] for row in rows))


async def _signing_secret(connection: Any, vault: Vault, name: str, by: str) -> MadeKey:
    secret = secrets.token_bytes(KEY_BYTES)
    sealed = vault.seal(secret, secret_place(name))
    version = await begin_version(connection, by, "secret", hashlib.sha256(sealed.sealed).digest())
    await connection.execute(SQL["keep_secret"], name, version, sealed.sealed, sealed.wrapped_key)
    return MadeKey(f"whsec_{base64.b64encode(secret).decode()}", version)
