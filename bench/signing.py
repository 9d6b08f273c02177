"""Signing secrets for buyers of an exchange that a benchmark runs, as `exchange keys create` makes.

One process for all of them: the command itself takes half a second for each.
"""

import asyncio
from collections.abc import Iterable, Mapping

from exchange.configuration.keys import KeyRole, create_key
from exchange.configuration.swapping import wait_until_swapped
from exchange.ledger.vault import Vault
from exchange.opening import author, database, ledger_key
from exchange.settings import load_settings

SWAPPED_WITHIN_S = 60.0


class NotSignedError(Exception):
    """A worker did not take the new secrets in time."""


def sign_for(buyers: Iterable[str], environment: Mapping[str, str]) -> None:
    """Give each of these buyers a secret; every worker signs with it when this returns.

    `environment` is that of the exchange. Errors: NotSignedError.
    """
    asyncio.run(_sign_for(buyers, environment))


async def _sign_for(buyers: Iterable[str], environment: Mapping[str, str]) -> None:
    settings = load_settings(None, environment)
    version = 0
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        # In one transaction, so that workers hear of all of them at once.
        async with connection.transaction():
            for buyer in buyers:
                made = await create_key(connection, vault, KeyRole.SIGNING, buyer, author())
                version = made.version
        if await wait_until_swapped(connection, version, SWAPPED_WITHIN_S):
            raise NotSignedError
