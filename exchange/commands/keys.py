"""`exchange keys`: who may come in, and what calls are signed with."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from exchange.commands.showing import lagging_text, tell
from exchange.configuration.keys import KeyRole, create_key
from exchange.configuration.swapping import wait_until_swapped
from exchange.ledger.vault import Vault
from exchange.opening import author, database, ledger_key
from exchange.settings import Settings

keys = App(
    name="keys", help="Make keys for sellers, buyers and operators, and secrets that sign calls."
)


@keys.command
async def create(
    *,
    role: KeyRole,
    account: str,
    wait_s: float = 10.0,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Make a key and print it, alone and this once; it holds when the command returns.

    The two newest keys of an account are valid, so that one can be replaced by the next. A signing
    secret replaces the last one at once.

    Parameters
    ----------
    role:
        What it is for; `signing` makes the secret by which a buyer knows the exchange's calls, and
        a seller its webhooks.
    account:
        Whose it is: the id of a seller or buyer in the market (`seller/ID`, `buyer/ID` where both
        have it), or a name for an operator.
    wait_s:
        How long to wait for the workers.
    """
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        made = await create_key(connection, vault, role, account, author())
        sys.stdout.write(made.key + "\n")
        sys.stdout.flush()
        lagging = await wait_until_swapped(connection, made.version, wait_s)
    tell(*(f"The key {hint}… is valid no more." for hint in made.retired))
    tell(*(lagging_text(worker, made.version) for worker in lagging))
    return 1 if lagging else 0
