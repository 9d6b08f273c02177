"""What market state should be, by the books, and of which epoch it is."""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.recounting import Counter, OpenSale
from exchange.domain.recounting_volume import brought_by
from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.rows import place
from exchange.ledger.vault import Sealed, Vault

STATEMENTS = sql.read("recount.sql")
TIMEOUT_S = 600.0
"""A market is recounted within this, or it is tried again."""
LOCK = 0x6570_6F63_6820
"""The advisory lock of whoever builds market state."""
US_PER_S = 1_000_000
US_PER_MS = 1000
UUID_TIME_SHIFT = 80
COUNTED = "counted"
"""What is held of a seller's limits and stands in the books."""
QUOTED_US = 2 * 24 * 3600 * US_PER_S
"""A lead may be this much older than its last ping: a quote is posted within a day."""
SKEW_US = 60 * US_PER_S
"""How far the clocks of two machines may be apart."""


class Epoch(NamedTuple):
    """Which market state is whole, and in which server; no server: it is being built."""

    number: int
    server: str | None


class ClaimRow(NamedTuple):
    """A claim as it was written, and what became of its lead."""

    packed: bytes
    lead_id: LeadId
    since_us: int
    """When the lead ended, or came."""
    status: str | None
    """None: it has no end."""


class RequestRow(NamedTuple):
    """A request that carried an Idempotency-Key."""

    lead_id: LeadId
    seller_id: str
    worker_id: str
    digest: bytes
    received_at_us: int
    has_ended: bool


class PurchaseRow(NamedTuple):
    """Who bought whom."""

    buyer_id: str
    at_us: int
    record: bytes


class Recount:
    """The books, on one connection; every method raises LedgerUnavailable."""

    def __init__(self, connection: Any, vault: Vault) -> None:
        """Take a connection that nobody else uses meanwhile."""
        self._connection = connection
        self._vault = vault

    # The epoch

    async def epoch(self) -> Epoch:
        """Return the present epoch."""
        row = await self._connection.fetchrow(STATEMENTS["epoch"])
        return Epoch(row["epoch"], row["server"])

    async def begin_epoch(self) -> int:
        """Begin another epoch; nothing is sold by what is of the last one."""
        number: int = await self._connection.fetchval(STATEMENTS["begin_epoch"])
        return number

    async def finish_epoch(self, number: int, server: str) -> None:
        """Say in which server all of this epoch now is."""
        await self._connection.execute(STATEMENTS["finish_epoch"], number, server)

    async def acknowledge(self, worker_id: str, number: int) -> None:
        """Say that this worker holds under this epoch from now on."""
        await self._connection.execute(STATEMENTS["acknowledge"], worker_id, number)

    async def behind(self, number: int, *, and_dead: bool) -> list[str]:
        """Return the workers that may still award under an older epoch.

        `and_dead`: those count, too, whose lease ran out, until somebody takes their leads over.
        """
        rows = await self._connection.fetch(STATEMENTS["behind"], number, and_dead)
        return [str(row["id"]) for row in rows]

    async def expire(self, worker_ids: Sequence[str]) -> None:
        """End the leases of workers that do not answer: others may take their leads over."""
        await self._connection.execute(STATEMENTS["expire"], list(worker_ids))

    async def try_turn(self) -> bool:
        """Tell whether this is the one who builds market state now; `end_turn` lets the next."""
        mine: bool = await self._connection.fetchval(STATEMENTS["try_turn"], LOCK)
        return mine

    async def end_turn(self) -> None:
        """Let another one build it."""
        await self._connection.execute(STATEMENTS["end_turn"], LOCK)

    async def free_turn(self, idle_s: float) -> bool:
        """Take the turn from whoever has it and has asked nothing for so long; True: from one."""
        ended: int = await self._connection.fetchval(STATEMENTS["free_turn"], LOCK, idle_s)
        return ended > 0

    # What was sold

    def as_of_one_moment(self) -> Any:
        """Read everything inside the block as of one moment."""
        return self._connection.transaction(isolation="repeatable_read", readonly=True)

    async def settled(self, counters: Sequence[Counter]) -> dict[tuple[str, str], int]:
        """Return by buyer and name what each counter's sales come to."""
        if not counters:
            return {}
        members = sorted({(offer, one.scope) for one in counters for offer in one.offer_ids})
        rows = await self._connection.fetch(
            STATEMENTS["settled"],
            [one.name for one in counters],
            [one.scope for one in counters],
            [one.began_s * US_PER_S for one in counters],
            [one.until_s * US_PER_S for one in counters],
            [one.test for one in counters],
            lowest_id(min(one.began_s for one in counters) * US_PER_S - SKEW_US),
            [offer for offer, _ in members],
            [scope for _, scope in members],
        )
        found = {row["name"]: row for row in rows}
        return {(one.buyer_id, one.name): amount_of(found.get(one.name), one) for one in counters}

    async def volume(self, counters: Sequence[Counter]) -> dict[tuple[str, str], int]:
        """Return by holder and name how many leads, pings, or what money each counter counts."""
        found = {(one.buyer_id, one.name): 0 for one in counters}
        for statement, chosen in (
            ("brought", [one for one in counters if not one.counts_pings and not one.counts_money]),
            ("sent", [one for one in counters if one.counts_pings]),
            ("moved", [one for one in counters if one.counts_money]),
        ):
            if not chosen:
                continue
            whose = [brought_by(one) for one in chosen]
            began_s = min(one.began_s for one in chosen)
            rows = await self._connection.fetch(
                STATEMENTS[statement],
                [one.name for one in chosen],
                [one.seller for one in whose],
                [one.source for one in whose],
                [one.campaign for one in whose],
                [one.began_s * US_PER_S for one in chosen],
                [one.until_s * US_PER_S for one in chosen],
                [one.test for one in chosen],
                *([lowest_id(began_s * US_PER_S - QUOTED_US)] if statement == "sent" else []),
            )
            amounts = {row["name"]: row["amount"] for row in rows}
            for one in chosen:
                found[one.buyer_id, one.name] = amounts.get(one.name, 0)
        return found

    async def counted(self, sale_ids: Sequence[SaleId]) -> dict[SaleId, str]:
        """Return those of the holds of sellers whose lead, or whose pings, are written: `counted`.

        A lead is held under its own id, the pings of one moment as `lead/moment in µs`.
        """
        leads = [LeadId(one) for one in sale_ids if is_id(one)]
        pings = [one for one in sale_ids if "/" in one]
        written = await self._connection.fetch(STATEMENTS["taken_in"], leads) if leads else ()
        asked = [one.partition("/")[0] for one in pings]
        pinged = await self._connection.fetch(STATEMENTS["pinged_at"], asked) if asked else ()
        known = {f"{row['lead_id']}/{row['at']}" for row in pinged}
        return {
            **{SaleId(str(row["lead_id"])): COUNTED for row in written},
            **{one: COUNTED for one in pings if one in known},
        }

    async def open_sales(self) -> list[OpenSale]:
        """Return all awards without an end."""
        return [
            OpenSale(
                sale_id=SaleId(str(row["sale_id"])),
                lead_id=LeadId(str(row["lead_id"])),
                offer_id=row["offer"],
                buyer_id=row["buyer"],
                seller_id=row["seller"],
                campaign_id=row["campaign"],
                price=Micros(row["price"]),
                payout=Micros(row["payout"]),
                held_at_us=row["held_at"],
                test=row["test"],
            )
            for row in await self._connection.fetch(STATEMENTS["open_sales"])
        ]

    async def states(self, sale_ids: Sequence[SaleId]) -> dict[SaleId, str]:
        """Return of each sale that was awarded how it ended, or `open`."""
        asked = [one for one in sale_ids if is_id(one)]
        rows = await self._connection.fetch(STATEMENTS["states"], asked)
        return {SaleId(str(row["sale_id"])): row["state"] for row in rows}

    # Who came first, who asked, who bought whom

    async def claims(self, since_us: int) -> list[ClaimRow]:
        """Return the claims of leads that came since then, the first first."""
        rows = await self._connection.fetch(STATEMENTS["claims"], since_us)
        return [
            ClaimRow(row["claim"], LeadId(str(row["lead_id"])), row["since"], row["status"])
            for row in rows
        ]

    async def requests(self, since_us: int) -> list[RequestRow]:
        """Return the leads since then that came with an Idempotency-Key."""
        rows = await self._connection.fetch(STATEMENTS["requests"], since_us)
        return [
            RequestRow(
                LeadId(str(row["lead_id"])),
                row["seller"],
                str(row["worker"]),
                row["idempotency_key"],
                row["received_at"],
                row["has_ended"],
            )
            for row in rows
        ]

    async def purchases(self, buyer_ids: Sequence[str], since_us: int) -> list[PurchaseRow]:
        """Return what these buyers bought since then, or refused because they had the person.

        But for persons who were erased.
        """
        if not buyer_ids:
            return []
        rows = await self._connection.fetch(STATEMENTS["purchases"], list(buyer_ids), since_us)
        return [
            PurchaseRow(
                row["buyer"],
                row["at"],
                self._vault.open(
                    Sealed(row["sealed"], row["wrapped_key"]),
                    place("record", LeadId(str(row["lead_id"]))),
                ),
            )
            for row in rows
        ]


Recounting = Callable[[], AbstractAsyncContextManager[Recount]]
"""Lends the books, on a connection of their own."""


def recounting(connections: Connections, vault: Vault) -> Recounting:
    """Return what lends the books."""

    @asynccontextmanager
    async def lend() -> AsyncIterator[Recount]:
        async with connections.use(TIMEOUT_S) as connection:
            yield Recount(connection, vault)

    return lend


def amount_of(row: Any, counter: Counter) -> int:
    """Return what a counter's sales come to, from its row, None where there are none."""
    if row is None:
        return 0
    amount: int = row["money"] if counter.counts_money else row["leads"]
    return amount


def lowest_id(at_us: int) -> uuid.UUID:
    """Return what no UUIDv7 of then or later is below."""
    return uuid.UUID(int=max(0, at_us // US_PER_MS) << UUID_TIME_SHIFT)


def is_id(text: str) -> bool:
    """Tell whether this can be the id of a sale."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
