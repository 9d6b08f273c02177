"""What is decided of sales from outside their posts: durable, once, heard by all workers."""

from typing import Any

import msgspec

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.states import SaleState
from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.vault import Sealed, Vault

STATEMENTS = sql.read("decisions.sql")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The word of a buyer, or of an operator, on one sale."""

    at_us: int
    by: str
    """`buyer/acme`, `operator/night-desk`."""
    accepted: bool
    reference: str | None = None
    redirect_url: str | None = None
    note: str | None = None
    """Why; of an operator always."""


class SaleWord(msgspec.Struct, frozen=True, kw_only=True):
    """One sale, and the word on it, if one came."""

    sale_id: SaleId
    lead_id: LeadId
    buyer_id: str
    offer_id: str
    price: Micros
    currency: str
    state: SaleState | None = None
    """None: it has no end."""
    decided_by: str | None = None
    accepted: bool | None = None


class OpenSale(msgspec.Struct, frozen=True, kw_only=True):
    """A sale without an end, and since when."""

    word: SaleWord
    held_at_us: int
    seller_id: str
    campaign_id: str


class Decisions:
    """Reads and writes them; every method raises LedgerUnavailable within the limit of a call."""

    def __init__(self, connections: Connections, vault: Vault) -> None:
        self._connections = connections
        self._vault = vault

    async def decide(self, sale_id: SaleId, decision: Decision) -> bool:
        """Write the decision; False where the sale has its end, or another word came first."""
        url = decision.redirect_url
        sealed = None if url is None else self._vault.seal(url.encode(), place_of(sale_id))
        async with self._connections.use() as connection:
            row = await connection.fetchrow(
                STATEMENTS["decide"],
                sale_id,
                decision.at_us,
                decision.by,
                decision.accepted,
                decision.reference,
                None if sealed is None else sealed.sealed,
                None if sealed is None else sealed.wrapped_key,
                decision.note,
            )
        return bool(row["made"])

    async def of(self, sale_id: SaleId) -> Decision | None:
        """Return the word on a sale; None where none came yet."""
        async with self._connections.use() as connection:
            row = await connection.fetchrow(STATEMENTS["decision"], sale_id)
        if row is None:
            return None
        url = None
        if row["wrapped_key"] is not None:
            sealed = Sealed(row["redirect_url"], row["wrapped_key"])
            url = self._vault.open(sealed, place_of(sale_id)).decode()
        return Decision(
            at_us=row["at"],
            by=row["by"],
            accepted=row["accepted"],
            reference=row["reference"],
            redirect_url=url,
            note=row["note"],
        )

    async def sale(self, sale_id: SaleId) -> SaleWord | None:
        """Return a sale as it stands; None where there is none of this id."""
        async with self._connections.use() as connection:
            row = await connection.fetchrow(STATEMENTS["sale"], sale_id)
        return None if row is None else word(sale_id, row, row["state"])

    async def open_sales(self, held_before_us: int, limit: int) -> list[OpenSale]:
        """Return the sales without an end that were held before then, the oldest first."""
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["open_sales"], held_before_us, limit)
        return [
            OpenSale(
                word=word(SaleId(str(row["sale_id"])), row, None),
                held_at_us=row["held_at"],
                seller_id=row["seller"],
                campaign_id=row["campaign"],
            )
            for row in rows
        ]


def place_of(sale_id: SaleId) -> bytes:
    """Return where what is sealed of a decision belongs."""
    return f"decision/{sale_id}".encode()


def word(sale_id: SaleId, row: Any, state: str | None) -> SaleWord:
    """Return the sale of a row."""
    return SaleWord(
        sale_id=sale_id,
        lead_id=LeadId(str(row["lead_id"])),
        buyer_id=row["buyer"],
        offer_id=row["offer"],
        price=row["price"],
        currency=row["currency"],
        state=None if state is None else SaleState(state),
        decided_by=row["by"],
        accepted=row["accepted"],
    )
