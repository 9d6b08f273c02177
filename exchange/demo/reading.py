"""What the demo reads in the ledger: the events of leads as they come, and the sums at the end."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from exchange.demo.digest import Digest, digest
from exchange.domain.events import Event
from exchange.domain.money import Micros
from exchange.ledger import sql
from exchange.ledger.connections import Connections

STATEMENTS = sql.beside(__file__, "reading.sql")
EVENTS = msgspec.json.Decoder(list[Event])
TIMEOUT_S = 60.0
"""A demo that ran for hours has a lot to sum up."""


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """One award and what became of it."""

    sale_id: str
    lead_id: str
    offer: str
    buyer: str
    price: Micros
    payout: Micros
    held_at_us: int
    test: bool
    state: str | None
    """None: the sale is in doubt."""
    charged: Micros | None
    buyers_max: int = 1
    """So many buyers at most have the lead."""


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run as the ledger has it, test leads left out."""

    statuses: dict[str, int]
    pings: int
    bids: int
    posts: int
    revenue: Micros
    payout: Micros


class Told(msgspec.Struct, frozen=True):
    """What the ledger says became of a lead."""

    status: str
    price: Micros | None
    sales: int = 1
    """How many buyers have it."""


class Reading:
    """Reads in the ledger of the demo; raises LedgerUnavailable."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def digests(self, lead_ids: Iterable[str]) -> dict[str, Digest]:
        """Return what the events of each lead say, but for those of its quote."""
        rows = await self._fetch("moments", [UUID(lead_id) for lead_id in lead_ids])
        events: defaultdict[str, list[Event]] = defaultdict(list)
        for row in rows:
            events[str(row["lead_id"])] += EVENTS.decode(row["events"])
        return {lead_id: digest(told) for lead_id, told in events.items()}

    async def quotes(self, after_us: int, until_us: int) -> list[tuple[str, Digest]]:
        """Return what the pings say that came after and up to these moments, by their campaigns."""
        rows = await self._fetch("quotes", first_id(after_us), first_id(until_us))
        return [(row["campaign"], digest(EVENTS.decode(row["events"]))) for row in rows]

    async def sums(self) -> Sums:
        """Return the whole run in numbers."""
        (happened,) = await self._fetch("happened")
        (money,) = await self._fetch("money")
        return Sums(
            statuses=dict(await self._fetch("statuses")),
            pings=happened["pings"],
            bids=happened["bids"],
            posts=happened["posts"],
            revenue=Micros(money["revenue"]),
            payout=Micros(money["payout"]),
        )

    async def sales(self) -> list[Sale]:
        """Return every award there is."""
        return [
            Sale(
                sale_id=row["sale_id"],
                lead_id=row["lead_id"],
                offer=row["offer"],
                buyer=row["buyer"],
                price=row["price"],
                payout=row["payout"],
                held_at_us=row["held_at"],
                test=row["test"],
                state=row["state"],
                charged=row["charged"],
                buyers_max=row["buyers_max"],
            )
            for row in await self._fetch("sales")
        ]

    async def open_sales(self) -> list[str | None]:
        """Return every sale in doubt of a lead without an end, None of one that has none."""
        return [row["sale_id"] for row in await self._fetch("open_sales")]

    async def quoted(self) -> set[str]:
        """Return the quotes for which room may be held though nobody posted them."""
        return {row["lead_id"] for row in await self._fetch("quoted")}

    async def endings(self) -> dict[str, Told]:
        """Return what became of every lead."""
        rows = await self._fetch("endings")
        return {row["lead_id"]: Told(row["status"], row["price"], row["sales"]) for row in rows}

    async def _fetch(self, name: str, *arguments: object) -> list[Any]:
        async with self.connections.use(TIMEOUT_S) as connection:
            rows: list[Any] = await connection.fetch(STATEMENTS[name], *arguments)
            return rows


def first_id(at_us: int) -> UUID:
    """Return the least UUIDv7 of this millisecond."""
    return UUID(int=at_us // 1000 << 80)
