"""The record of the ledger, sealed once a minute: exchange/domain/sealing.py."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec
import structlog

from exchange.domain import sealing
from exchange.domain.sealing import Seal
from exchange.ledger.connections import Connections
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.seals import (
    NOTHING,
    STATEMENTS,
    entry_of,
    heads_before,
    link_row,
    market_digest,
    seal_of,
    seal_row,
)

FRESH = f"{STATEMENTS['fresh']} {STATEMENTS['digests']}"

LOCK = 0x7365_616C_6572
"""The advisory lock of whoever seals."""
ENTRIES_MAX = 20_000
"""Of one seal; where more came in a minute there are several."""
AT_ONCE = 200
"""Entries that are chained in one turn of the event loop, beside auctions: some milliseconds."""
SETTLES_WITHIN_S = 10.0
"""A flush that was begun has ended by then: no lower serial number comes to be any more."""
TIMEOUT_S = 120.0

logger = structlog.get_logger(__name__)


class High(msgspec.Struct, frozen=True):
    """How far there was something to seal when somebody looked."""

    serial: int
    versions: int
    paid_in: int


class Sealer:
    """Seals what came since the last time; of all workers one at a time."""

    def __init__(
        self,
        connections: Connections,
        key: bytes,
        now_us: Callable[[], int],
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        """Take the key of heads and seals, which is in no table."""
        self._connections = connections
        self._key = key
        self._now_us = now_us
        self._at_once = at_once

    async def run(self, every_s: float) -> NoReturn:
        """Seal so often, for good; an outage is waited out."""
        settles_s = min(SETTLES_WITHIN_S, every_s / 2)
        while True:
            await asyncio.sleep(every_s - settles_s)
            try:
                high = await self.high()
                await asyncio.sleep(settles_s)
                await self.seal(high)
            except LedgerUnavailable as outage:
                logger.warning("sealing waits", error=str(outage))

    async def high(self) -> High:
        """Return how far there is something to seal."""
        async with self._connections.use(TIMEOUT_S) as connection:
            row = await connection.fetchrow(STATEMENTS["high"])
        return High(row["serial"], row["versions"], row["paid_in"])

    async def seal(self, high: High) -> list[Seal]:
        """Seal all that came up to there; [] where nothing did, or another worker is at it."""
        made: list[Seal] = []
        async with self._connections.use(TIMEOUT_S) as connection:
            while (one := await self._seal_some(connection, high)) is not None:
                made.append(one)
                logger.info(
                    "record sealed", number=one.number, entries=one.entries, seal=one.mac.hex()
                )
        return made

    async def _seal_some(self, connection: Any, high: High) -> Seal | None:
        async with connection.transaction():
            if not await connection.fetchval(STATEMENTS["turn"], LOCK):
                return None
            before = seal_of(await connection.fetchrow(STATEMENTS["last_seal"]))
            if before is None:
                before = NOTHING
            # Another worker may have looked later than this one, and sealed more.
            last = max(before.last, min(high.serial, before.last + ENTRIES_MAX))
            versions, paid_in = (
                max(high.versions, before.versions),
                max(high.paid_in, before.paid_in),
            )
            if (last, versions, paid_in) == (before.last, before.versions, before.paid_in):
                return None
            await connection.execute(STATEMENTS["alike"])
            number = before.number + 1
            entries, root = await self._link(connection, number, before.last, last)
            seal = Seal(
                number=number,
                at_us=self._now_us(),
                first=before.last,
                last=last,
                entries=entries,
                root=root,
                versions=versions,
                paid_in=paid_in,
                market=await market_digest(connection, before, versions, paid_in),
                mac=b"",
            )
            mac = sealing.seal_mac(self._key, before.mac, seal)
            seal = msgspec.structs.replace(seal, mac=mac)
            await connection.execute(STATEMENTS["add_seal"], *seal_row(seal))
        return seal

    async def _link(self, connection: Any, seal: int, above: int, last: int) -> tuple[int, bytes]:
        """Chain all moments above one serial number up to another; return how many, and their root.

        Bit by bit: this is done in the event loop of a worker that sells.
        """
        count, root = 0, sealing.Root()
        fresh = await connection.cursor(FRESH, above, last)
        while rows := await fresh.fetch(self._at_once):
            entries = [entry_of(row) for row in rows]
            # Read each time: a lead may go on that was linked a turn ago.
            heads = await heads_before(connection, entries)
            linked = list(sealing.chained(self._key, entries, heads))
            root.add(head for _, head in linked)
            await connection.copy_records_to_table(
                "link", records=[link_row(seal, entry, head) for entry, head in linked]
            )
            count += len(linked)
        return count, root.digest()
