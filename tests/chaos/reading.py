"""The exchange's own books, read from its stores by plain SQL and plain commands."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec
import redis.asyncio

from tests.chaos.books import Award, Event, Lead, Standing, Transfer

LOOK_S = 0.25

LEADS = """
SELECT lead_id::text, seller_ref, status, price FROM lead LEFT JOIN lead_end USING (lead_id)
UNION ALL
SELECT lead_id::text, seller_ref, 'duplicate', NULL FROM submission
"""
AWARDS = """
SELECT sale_id::text, lead_id::text, number, offer, buyer, price, payout, state,
       buyers_max
  FROM award LEFT JOIN sale_end USING (sale_id)
 ORDER BY held_at
"""
TRANSFERS = "SELECT sale_id::text, debit, credit, amount, currency FROM transfer"
EVENTS = """
SELECT lead_id::text, events::text FROM moment ORDER BY lead_id, number
"""
MESSAGES = """
SELECT lead_id::text FROM message WHERE lead_id IS NOT NULL
"""
WORKER = """
SELECT worker::text FROM lead JOIN award USING (lead_id) WHERE sale_id = $1::uuid
"""
OPEN = """
SELECT (SELECT count(*) FROM lead
         WHERE NOT EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = lead.lead_id))
     + (SELECT count(*) FROM award
         WHERE NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id))
"""
SALES = ("awarded", "posted", "accepted", "refused", "in_doubt", "advanced", "voided", "resolved")


class Stores:
    """Both stores, asked directly: past every proxy, on new connections each time."""

    def __init__(self, database_url: str, market_url: str) -> None:
        self.database_url = database_url
        self.market_url = market_url

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Return the rows of a query; raises what a database that is away makes asyncpg raise."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def worker_of(self, sale_id: str) -> str | None:
        """Return which worker sells the lead of this sale."""
        rows = await self.rows(WORKER, sale_id)
        return rows[0]["worker"] if rows else None

    async def standing(self, buyer: str) -> Standing:
        """Return what market state holds of a buyer."""
        tag = f"{{buyer:{buyer}}}"
        async with redis.asyncio.from_url(self.market_url, decode_responses=True) as client:
            counters = await client.hgetall(f"{tag}:counters")
            holds = await client.hkeys(f"{tag}:holds")
        parts: dict[str, dict[str, int]] = {"s": {}, "h": {}}
        for name, count in counters.items():
            parts[name[-1]][name[:-2]] = int(count)
        return Standing(parts["s"], parts["h"], tuple(holds))

    async def rest(self, buyers: Iterable[str], within_s: float) -> None:
        """Return once nothing is open and nothing is held, or the time is over."""
        names = tuple(buyers)
        try:
            async with asyncio.timeout(within_s):
                while not await self.is_at_rest(names):  # noqa: ASYNC110 - stores tell nobody
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return

    async def is_at_rest(self, buyers: tuple[str, ...]) -> bool:
        """Tell whether every lead and sale has its end and every hold is over."""
        try:
            if (await self.rows(OPEN))[0][0]:
                return False
            standings = [await self.standing(buyer) for buyer in buyers]
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, redis.RedisError):
            return False  # still coming back
        return not any(one.holds or any(one.held.values()) for one in standings)

    async def leads(self) -> tuple[Lead, ...]:
        """Return every lead with its end."""
        return tuple(
            Lead(lead_id=lead_id, ref=ref, status=status, price=price)
            for lead_id, ref, status, price in await self.rows(LEADS)
        )

    async def messages(self) -> tuple[str, ...]:
        """Return the leads of whose end their seller is told, one for each message."""
        return tuple(row["lead_id"] for row in await self.rows(MESSAGES))

    async def awards(self) -> tuple[Award, ...]:
        """Return every award with its end, in order."""
        return tuple(Award(**dict(row)) for row in await self.rows(AWARDS))

    async def transfers(self) -> tuple[Transfer, ...]:
        """Return every entry."""
        return tuple(Transfer(**dict(row)) for row in await self.rows(TRANSFERS))

    async def events(self) -> tuple[Event, ...]:
        """Return every line of every timeline that speaks of a sale."""
        return tuple(
            Event(row["lead_id"], event["e"], event["s"])
            for row in await self.rows(EVENTS)
            for event in msgspec.json.decode(row["events"])
            if event["e"] in SALES and "s" in event
        )
