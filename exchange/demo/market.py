"""The demo's market is applied to an empty ledger, as `exchange apply` does."""

import re
from secrets import token_urlsafe

import asyncpg
import msgspec

from exchange.configuration.keys import KeyRole, create_key
from exchange.configuration.secrets import set_secret
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.configuration.store import apply
from exchange.contract.market_file import MarketFile
from exchange.domain.snapshot import Snapshot
from exchange.ledger.migrations import migrate
from exchange.ledger.vault import Vault

BY = "demo"
SECRET = re.compile(r"\{secret:([a-z0-9_-]+)\}")


class Opened(msgspec.Struct, frozen=True):
    """A market that stands, and the keys to its doors."""

    snapshot: Snapshot
    seller_keys: dict[str, str]
    operator_key: str


def secrets_of(market: MarketFile) -> tuple[str, ...]:
    """Return the names of all secrets that offers of this market hand to their dialects."""
    texts = [
        value
        for buyer in market.buyer
        for offer in buyer.offer
        for value in offer.params.values()
        if isinstance(value, str)
    ]
    return tuple(sorted({name for text in texts for name in SECRET.findall(text)}))


async def open_market(database_url: str, vault: Vault, market: MarketFile) -> Opened:
    """Apply the market to an empty ledger, and make a key for every seller and an operator."""
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        for name in secrets_of(market):
            # The simulated buyers let everybody in.
            await set_secret(connection, vault, name, token_urlsafe(), BY)
        await apply(connection, market, BY)
        seller_keys = {
            seller.id: (await create_key(connection, vault, KeyRole.SELLER, seller.id, BY)).key
            for seller in market.seller
        }
        operator = await create_key(connection, vault, KeyRole.OPERATOR, BY, BY)
        stored = await read_stored(connection, vault)
    finally:
        await connection.close()
    return Opened(Compiler(vault.derive).snapshot(stored), seller_keys, operator.key)
