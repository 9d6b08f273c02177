"""The demo's market: read from config/, pointed at the fleet, applied as `exchange apply` does."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe

import asyncpg
import msgspec

from exchange.configuration.keys import KeyRole, create_key
from exchange.configuration.reading import read_market
from exchange.configuration.secrets import set_secret
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.configuration.store import apply
from exchange.contract.market_file import MarketFile
from exchange.demo.order import Feed, Mix
from exchange.domain.snapshot import Snapshot
from exchange.ledger.migrations import migrate
from exchange.ledger.vault import Vault
from exchange.settings import SHIPPED

CONFIG = SHIPPED.parent
FLEET_URL = "http://127.0.0.1:9300"
"""Where config/demo/market.toml says that the buyers listen."""

BY = "demo"
SECRET = re.compile(r"\{secret:([a-z0-9_-]+)\}")


class FeedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which source of which seller posts into which campaign."""

    seller: str
    source: str
    campaign: str
    share: float = 1.0
    door: str | None = None


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What config/demo/traffic.toml says."""

    feed: tuple[FeedPart, ...]
    mix: Mix = Mix()

    def feeds(self, market: MarketFile) -> tuple[Feed, ...]:
        """Return the feeds with the fields that their campaigns ask for."""
        verticals = {vertical.id: vertical for vertical in market.vertical}
        fields = {campaign.id: verticals[campaign.vertical].fields for campaign in market.campaign}
        return tuple(
            Feed(
                seller=part.seller,
                source=part.source,
                campaign=part.campaign,
                fields=fields[part.campaign],
                share=part.share,
                door=part.door,
            )
            for part in self.feed
        )


class Opened(msgspec.Struct, frozen=True):
    """A market that stands, and the keys to its doors."""

    snapshot: Snapshot
    seller_keys: dict[str, str]
    operator_key: str


def read_traffic(path: Path = CONFIG / "demo" / "traffic.toml") -> Traffic:
    """Return what the sellers send. Raises OSError, ValueError where the file cannot be used."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Traffic)


def write_market(fleet_url: str, folder: Path) -> tuple[Path, ...]:
    """Return the files that make the market, its buyers being reached at `fleet_url`."""
    text = (CONFIG / "demo" / "market.toml").read_text(encoding="utf-8")
    assert FLEET_URL in text, "the demo's market names the fleet's address"
    path = folder / "market.toml"
    path.write_text(text.replace(FLEET_URL, fleet_url), encoding="utf-8")
    return (*shipped(), path)


def shipped() -> tuple[Path, ...]:
    """Return the files of every vertical, of every dialect of buyers, and of every door."""
    folders = ("verticals", "mappings", "doors")
    return tuple(path for name in folders for path in sorted((CONFIG / name).glob("*.toml")))


def read(files: Iterable[Path]) -> MarketFile:
    """Return the market of these files. Raises MarketFileError with every mistake."""
    return read_market(files).market


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
