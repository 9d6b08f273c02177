"""Named secrets: what a mapping calls `{secret:NAME}`, sealed, set from outside, never shown."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from exchange.configuration.objects import Key, Object
from exchange.configuration.queries import SQL
from exchange.configuration.snapshots import Vault, secret_place
from exchange.configuration.store import NAMED, begin_version, read_present
from exchange.contract.mapping import MappingPart
from exchange.contract.market.offers import OfferPart
from exchange.contract.parts import ID_RULE, Part
from exchange.dialect.compiling import secrets_named, secrets_of_params
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
    offers: tuple[str, ...]
    """Which offers of the present market name it, in their `params`."""


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
    objects = (await read_present(connection)).objects
    mappings, offers = users_of(objects, in_mapping), users_of(objects, in_offer)
    names = [row["name"].removeprefix(NAMED) for row in rows]
    return tuple(
        KnownSecret(name, row["made"], mappings.get(name, ()), offers.get(name, ()))
        for name, row in zip(names, rows, strict=True)
    )


async def remove_secret(connection: Any, name: str, by: str) -> int:
    """Forget a secret; return the version.

    Raises SecretError where there is none, or the present market names it.
    """
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        known = {secret.name: secret for secret in await known_secrets(connection)}
        if name not in known:
            raise SecretError(f'there is no secret "{name}"{hint(name, known)}')
        used = {"mapping": known[name].mappings, "offer": known[name].offers}
        users = [quoted(kind, ids) for kind, ids in used.items() if ids]
        if users:
            raise SecretError(f'"{name}" is used by {" and ".join(users)}')
        digest = hashlib.sha256(f"removed {name}".encode()).digest()
        version = await begin_version(connection, by, "secret", digest)
        await connection.execute(SQL["forget_secret"], f"{NAMED}{name}")
        await connection.execute(SQL["announce"], str(version))
    return version


def users_of(
    objects: Mapping[Key, Object], named_in: Callable[[Part], set[str]]
) -> dict[str, tuple[str, ...]]:
    """Return by secret the ids of the objects that name it."""
    users: dict[str, tuple[str, ...]] = {}
    for (_, own_id), entry in objects.items():
        for name in named_in(entry.part):
            users[name] = (*users.get(name, ()), own_id)
    return users


def in_mapping(part: Part) -> set[str]:
    """Return the secrets that a mapping names; none where it is no mapping."""
    return {name for _, name in secrets_named(part)} if isinstance(part, MappingPart) else set()


def in_offer(part: Part) -> set[str]:
    """Return the secrets that an offer's `params` are; none where it is no offer."""
    if not isinstance(part, OfferPart):
        return set()
    return {name for _, name in secrets_of_params(part.params)}


def quoted(kind: str, names: Iterable[str]) -> str:
    """Return things of a kind as a sentence names them."""
    named = [f'"{name}"' for name in names]
    return f"{kind} {named[0]}" if len(named) == 1 else f"{kind}s {', '.join(named)}"
