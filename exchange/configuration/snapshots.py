"""From what is stored to the one immutable value that every worker sells under."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import msgspec

from exchange.configuration.compiling.buyers import buyer_of
from exchange.configuration.compiling.campaigns import campaign_of
from exchange.configuration.compiling.conditions import Read
from exchange.configuration.compiling.margins import offer_margins
from exchange.configuration.compiling.offers import Means, offer_of
from exchange.configuration.compiling.plans import plans_of
from exchange.configuration.compiling.sellers import seller_of
from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.dialects import Dialects
from exchange.configuration.doors import Doors
from exchange.configuration.objects import market_of
from exchange.configuration.queries import SQL
from exchange.configuration.sandbox import offers_of as sandbox_offers
from exchange.configuration.sandbox import opened as opened_sandbox
from exchange.configuration.store import NAMED, read_present
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market_file import MarketFile
from exchange.dialect.faults import DialectError
from exchange.domain.campaign import Campaign
from exchange.domain.condition import Clause, Condition, compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.money import Micros
from exchange.domain.offer import Buyer, Offer
from exchange.domain.sandbox import FIRST
from exchange.domain.sandbox import buyer_id as sandbox_buyer
from exchange.domain.snapshot import Role, Snapshot
from exchange.domain.vertical import Vertical

SIGNING = "signing/"
"""Before a buyer's id: the name of what its calls are signed with."""
SELLER_SIGNING = "signing-seller/"
"""Before a seller's id, likewise; a seller and a buyer of one id may be two companies."""


class SealedSecret(NamedTuple):
    """A secret as it is stored, in the two parts that a vault makes of it."""

    sealed: bytes
    wrapped_key: bytes


class Vault(Protocol):
    """Seals under the master key, and derives further secrets from it."""

    def seal(self, plaintext: bytes, aad: bytes) -> Any:
        """Return something with `sealed` and `wrapped_key`."""

    def open(self, sealed: Any, aad: bytes) -> bytes:
        """Return what was sealed."""

    def derive(self, name: str) -> bytes:
        """Return the secret of this name, always the same."""


class InvalidConfigurationError(Exception):
    """The stored configuration cannot be compiled: {problem}."""

    def __init__(self, problem: str) -> None:
        super().__init__((self.__doc__ or "").format(problem=problem))


class Stored(msgspec.Struct, frozen=True):
    """Everything that a snapshot is made of, as one reading transaction saw it."""

    version: int
    market: MarketFile
    keys: dict[bytes, Role]
    signing: dict[str, bytes]
    """By buyer, decoded."""
    credited: dict[str, Micros]
    seller_signing: dict[str, bytes] = {}
    """By seller, decoded."""
    named: dict[str, bytes] = {}
    """What mappings call `{secret:NAME}`, in clear."""


async def read_stored(connection: Any, vault: Vault) -> Stored:
    """Return the whole configuration at its latest version, consistently."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        try:
            present = await read_present(connection)
        except msgspec.ValidationError as error:
            raise InvalidConfigurationError(str(error)) from error
        keys = await connection.fetch(SQL["keys"])
        secrets = await connection.fetch(SQL["secrets"])
        paid_in = await connection.fetch(SQL["paid_in"])
    return Stored(
        version=present.version,
        market=market_of(present.objects),
        keys={row["digest"]: Role(row["role"], row["account"]) for row in keys},
        signing=_opened(vault, secrets, SIGNING),
        seller_signing=_opened(vault, secrets, SELLER_SIGNING),
        credited={
            row["account"].removeprefix("buyer/"): Micros(row["amount"])
            for row in paid_in
            if row["account"].startswith("buyer/")
        },
        named=_opened(vault, secrets, NAMED),
    )


def _opened(vault: Vault, rows: Iterable[Any], prefix: str) -> dict[str, bytes]:
    return {
        row["name"].removeprefix(prefix): opened(vault, row)
        for row in rows
        if row["name"].startswith(prefix)
    }


def opened(vault: Vault, row: Any) -> bytes:
    """Return a stored secret; raise InvalidConfigurationError where the vault cannot open it."""
    sealed = SealedSecret(row["sealed"], row["wrapped_key"])
    try:
        return vault.open(sealed, secret_place(row["name"]))
    except Exception as error:
        # Whatever a vault raises, this configuration cannot be used with this master key.
        raise InvalidConfigurationError(f"{row['name']}: {error}") from error


def secret_place(name: str) -> bytes:
    """Return what a sealed secret is bound to, so that none can stand for another."""
    return f"secret/{name}".encode()


@contextmanager
def naming(kind: str, name: str) -> Iterator[None]:
    """Say of which object it is that what goes wrong inside goes wrong."""
    try:
        yield
    except KeyError as error:
        raise InvalidConfigurationError(f'{kind} "{name}": there is no {error}') from error
    except (ValueError, OSError, DialectError) as error:
        raise InvalidConfigurationError(f'{kind} "{name}": {error}') from error


class Compiler:
    """Makes snapshots; what did not change since the last one is not compiled again."""

    def __init__(self, derive: Callable[[str], bytes]) -> None:
        self._derive = derive
        self._verticals: dict[str, Vertical] = {}
        self._conditions: dict[tuple[str, str], Condition] = {}
        self._hash_keys: dict[str, bytes] = {}
        self._dialects = Dialects()
        self._doors = Doors()

    def snapshot(self, stored: Stored) -> Snapshot:
        """Return the compiled configuration; raise InvalidConfigurationError where it is wrong."""
        market = stored.market
        readers = self._readers(market)
        self._dialects.begin(market.mapping, stored.named)
        self._doors.begin(market.door, self._verticals)
        sellers = {
            part.id: seller_of(part, stored.seller_signing.get(part.id)) for part in market.seller
        }
        buyers: dict[str, Buyer] = {}
        offers: dict[str, Offer] = {}
        for part in market.buyer:
            with naming("buyer", part.id):
                buyers[part.id] = buyer_of(part)
            offers |= self._offers(part, buyers[part.id], readers, stored.signing.get(part.id))
        campaigns = {}
        margins = offer_margins(market.buyer)
        for campaign in market.campaign:
            with naming("campaign", campaign.id):
                read, vertical = readers[campaign.vertical], self._verticals[campaign.vertical]
                campaigns[campaign.id] = campaign_of(campaign, offers, read, vertical, margins)
        plans = plans_of(stored.version, campaigns.values(), offers, self._verticals)
        # Only now: an offer of a sandbox is none of the vertical's, and none for real leads.
        tried: list[Campaign] = []
        for campaign in market.campaign:
            if campaign.sandbox:
                with naming("campaign", campaign.id):
                    one, made = self._open_sandbox(campaigns[campaign.id], readers)
                tried.append(one)
                offers |= made
        doors = {}
        for door in market.door:
            with naming("door", door.id):
                doors[door.id] = self._doors.of(door)
        # A key of an account that was retired opens nothing.
        accounts: dict[str, Container[str]] = {"seller": sellers, "buyer": buyers}
        return Snapshot(
            version=stored.version,
            verticals=self._verticals,
            sellers=sellers,
            buyers=buyers,
            offers=offers,
            campaigns=campaigns,
            keys={
                digest: role
                for digest, role in stored.keys.items()
                if role.role not in accounts or role.account in accounts[role.role]
            },
            credited=stored.credited,
            doors=doors,
            noticed=frozenset(name for name, offer in offers.items() if offer.notices),
            plans=plans,
            test_campaigns={one.id: one for one in tried},
            test_plans=plans_of(stored.version, tried, offers, self._verticals),
        )

    def _offers(
        self,
        part: BuyerPart,
        buyer: Buyer,
        readers: Mapping[str, Read],
        secret: bytes | None,
    ) -> dict[str, Offer]:
        offers = {}
        hash_key = secret or self._hash_key(part.id)
        for offer in part.offer:
            with naming("offer", offer.id):
                read, vertical = readers[offer.vertical], self._verticals[offer.vertical]
                means = Means(secret, hash_key, *self._dialects.of(offer, vertical))
                offers[offer.id] = offer_of(offer, buyer, vertical, read, means)
        return offers

    def _open_sandbox(
        self, campaign: Campaign, readers: Mapping[str, Read]
    ) -> tuple[Campaign, dict[str, Offer]]:
        """Return a campaign as test leads meet it, and the exchange's own offers in it."""
        vertical = self._verticals[campaign.vertical_id]
        hash_key = self._hash_key(sandbox_buyer(campaign.id, FIRST))
        made = sandbox_offers(campaign, vertical, readers[vertical.id], hash_key)
        return opened_sandbox(campaign, made), made

    def _readers(self, market: MarketFile) -> dict[str, Read]:
        verticals = {part.id: vertical_of(part) for part in market.vertical}
        former, self._conditions = self._conditions, {}
        readers = {}
        for vertical in verticals.values():
            is_same = self._verticals.get(vertical.id) == vertical
            readers[vertical.id] = self._reader(vertical, former if is_same else {})
        self._verticals = verticals
        return readers

    def _reader(self, vertical: Vertical, former: Mapping[tuple[str, str], Condition]) -> Read:
        names = names_of(vertical)
        clauses: dict[str, Clause] = {
            clause.text: clause
            for (vertical_id, _), condition in former.items()
            if vertical_id == vertical.id
            for clause in condition.clauses
        }

        def read(text: str) -> Condition:
            key = vertical.id, text
            if key not in self._conditions:
                same = former.get(key)
                self._conditions[key] = same or compile_condition(text, names, clauses)
            return self._conditions[key]

        return read

    def _hash_key(self, buyer: str) -> bytes:
        if buyer not in self._hash_keys:
            self._hash_keys[buyer] = self._derive(f"hash/{buyer}")
        return self._hash_keys[buyer]
