"""`exchange secrets`: what mappings prove themselves with, set without being seen."""

import getpass
import sys
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from exchange.commands.showing import lagging_text, tell
from exchange.configuration.secrets import (
    VALUE_MAX,
    known_secrets,
    remove_secret,
    set_secret,
)
from exchange.configuration.swapping import wait_until_swapped
from exchange.ledger.vault import Vault
from exchange.opening import author, database, ledger_key
from exchange.settings import Settings

Given = Annotated[Settings, Parameter(parse=False)]

secrets = App(name="secrets", help="Set what mappings call {secret:NAME}; values are never shown.")


@secrets.command(name="set")
async def set_(name: str, /, *, wait_s: float = 10.0, settings: Given) -> int:
    """Set a secret, read from standard input or a hidden prompt; it holds when this returns.

    Parameters
    ----------
    name:
        As mappings call it: {secret:NAME}.
    wait_s:
        How long to wait for the workers.
    """
    value = asked(name)
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        version = await set_secret(connection, vault, name, value, author())
        lagging = await wait_until_swapped(connection, version, wait_s)
    tell(f"The secret {name} is set.")
    tell(*(lagging_text(worker, version) for worker in lagging))
    return 1 if lagging else 0


@secrets.command(name="list")
async def list_(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Given,
) -> None:
    """List secrets: when each was set and what uses it, never what it is.

    Parameters
    ----------
    as_json:
        Print one JSON list.
    """
    async with database(settings) as connection:
        known = await known_secrets(connection)
    if as_json:
        sys.stdout.write(msgspec.json.encode(known).decode() + "\n")
        return
    if not known:
        tell("There are no secrets yet: exchange secrets set NAME makes one.")
        return
    table = Table("secret", "set", "used by", box=None, pad_edge=False)
    for secret in known:
        at = f"{secret.set_at:%Y-%m-%d %H:%M:%S} UTC"
        users = ", ".join((*secret.mappings, *secret.offers))
        table.add_row(secret.name, at, users or "nothing")
    Console(highlight=False, soft_wrap=True).print(table)


@secrets.command
async def remove(name: str, /, *, wait_s: float = 10.0, settings: Given) -> int:
    """Forget a secret that nothing uses any more.

    Parameters
    ----------
    name:
        Which one.
    wait_s:
        How long to wait for the workers.
    """
    async with database(settings) as connection:
        version = await remove_secret(connection, name, author())
        lagging = await wait_until_swapped(connection, version, wait_s)
    tell(f"The secret {name} is forgotten.")
    tell(*(lagging_text(worker, version) for worker in lagging))
    return 1 if lagging else 0


def asked(name: str) -> str:
    """Return a value that no list of processes and no shell's history shows."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {name} (not shown): ")
    # One more than may be: whoever sends more hears so.
    return sys.stdin.read(VALUE_MAX + 2).removesuffix("\n").removesuffix("\r")
