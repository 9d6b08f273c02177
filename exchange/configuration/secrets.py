"""Named secrets: what a mapping calls `{secret:NAME}`, sealed, set from outside, never shown."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from exchange.configuration.objects import Key, Object
from exchange.configuration.queries import SQL
from exchange.configuration.snapshots import Vault, secret_place
from exchange.configuration.store import NAMED, begin_version, read_present
from exchange.contract.mapping import MappingPart
from exchange.contract.parts import ID_RULE
from exchange.dialect.compiling import secrets_named
from exchange.domain.nearest import hint

VALUE_MAX = 8192
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class SecretError(Exception):
    """A secret that cannot be set or removed; never its value."""


class KnownSecret(msgspec.Struct, frozen=True):
    """A secret, less what it is."""

    name: str
    set_at: datetime
    mappings: tuple[str, ...]
    """Which mappings of the present market name it."""


async def set_secret(connection: Any, vault: Vault, name: str, value: str, by: str) -> int:
    """Keep a secret under a name, in place of its last value; return the version.

    Raises SecretError.
    """
    if not _NAME.fullmatch(name):
        raise SecretError(f'"{name}" is malformed: {ID_RULE}')
    check_value(value)
    place = f"{NAMED}{name}"
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        sealed = vault.seal(value.encode(), secret_place(place))
        digest = hashlib.sha256(sealed.sealed).digest()
        version = await begin_version(connection, by, "secret", digest)
        await connection.execute(
            SQL["keep_secret"], place, version, sealed.sealed, sealed.wrapped_key
        )
        await connection.execute(SQL["announce"], str(version))
    return version


def check_value(value: str) -> None:
    """Raise SecretError where no message could carry such a secret."""
    if not value:
        raise SecretError("the value is empty")
    if len(value.encode("utf-8", "surrogateescape")) > VALUE_MAX:
        raise SecretError(f"the value is longer than {VALUE_MAX} bytes")
    if not value.isprintable():
        raise SecretError("the value holds a line break or another character nobody can type")


async def known_secrets(connection: Any) -> tuple[KnownSecret, ...]:
    """Return every named secret and which mappings of the present market name it."""
    rows = await connection.fetch(SQL["secret_names"], NAMED)
    users = users_of((await read_present(connection)).objects)
    names = [row["name"].removeprefix(NAMED) for row in rows]
    return tuple(
        KnownSecret(name, row["made"], users.get(name, ()))
        for name, row in zip(names, rows, strict=True)
    )


async def remove_secret(connection: Any, name: str, by: str) -> int:
    """Forget a secret; return the version.

    Raises SecretError where there is none, or a mapping of the present market names it.
    """
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        known = {secret.name: secret for secret in await known_secrets(connection)}
        if name not in known:
            raise SecretError(f'there is no secret "{name}"{hint(name, known)}')
        users = known[name].mappings
        if users:
            raise SecretError(f'"{name}" is used by {quoted("mapping", users)}')
        digest = hashlib.sha256(f"removed {name}".encode()).digest()
        version = await begin_version(connection, by, "secret", digest)
        await connection.execute(SQL["forget_secret"], f"{NAMED}{name}")
        await connection.execute(SQL["announce"], str(version))
    return version


def users_of(objects: Mapping[Key, Object]) -> dict[str, tuple[str, ...]]:
    """Return by secret which mappings name it."""
    users: dict[str, tuple[str, ...]] = {}
    for entry in objects.values():
        if isinstance(entry.part, MappingPart):
            for name in {name for _, name in secrets_named(entry.part)}:
                users[name] = (*users.get(name, ()), entry.part.id)
    return users


def quoted(kind: str, names: Iterable[str]) -> str:
    """Return things of a kind as a sentence names them."""
    named = [f'"{name}"' for name in names]
    return f"{kind} {named[0]}" if len(named) == 1 else f"{kind}s {', '.join(named)}"
