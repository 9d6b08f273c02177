"""The ledger's record, sealed once a minute and verified when asked: exchange/domain/sealing.py."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec
import structlog

from exchange.domain import sealing
from exchange.domain.sealing import Entry, Fault, Seal, Verdict
from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import lowest_id

STATEMENTS = sql.read("seal.sql")
FRESH = f"{STATEMENTS['fresh']} {STATEMENTS['digests']}"
SEALED = f"{STATEMENTS['sealed']} {STATEMENTS['digests']}"

SEALS = "seals"
"""The name of the key that heads and seals are made with."""
LOCK = 0x7365_616C_6572
"""The advisory lock of whoever seals."""
ENTRIES_MAX = 20_000
"""Of one seal; where more came in a minute there are several."""
AT_ONCE = 200
"""Entries that are chained in one turn of the event loop, beside auctions: some milliseconds."""
SETTLES_WITHIN_S = 10.0
"""A flush that was begun has ended by then: no lower serial number comes to be any more."""
TIMEOUT_S = 120.0
VERIFY_TIMEOUT_S = 86_400.0
FAULTS_MAX = 100

logger = structlog.get_logger(__name__)


class High(msgspec.Struct, frozen=True):
    """How far there was something to seal when somebody looked."""

    serial: int
    versions: int
    paid_in: int


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found."""

    seals: int
    entries: int
    erased: int
    """Entries whose person was erased since."""
    unsealed: int
    """Moments that came after the last seal."""
    last: Seal | None
    """The newest seal; kept elsewhere it proves later that nothing was cut off."""
    faults: Sequence[Fault]
    """The first one first, at most a hundred."""


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


class Verifier:
    """Compares what is stored with what was sealed."""

    def __init__(self, connection: Any, key: bytes, now_us: int) -> None:
        """Take a connection that nobody else uses meanwhile, and the key of heads and seals."""
        self._connection = connection
        self._key = key
        self._now_us = now_us
        self._faults: list[Fault] = []
        self._entries = 0
        self._erased = 0
        self._unlinked: set[tuple[str, int]] = set()

    async def verify(self, since_us: int | None, known: tuple[int, str] | None = None) -> Verified:
        """Compare all that was sealed since then, as of one moment.

        `known`: number and beginning of a seal that was kept elsewhere; it must be there still.
        """
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            await self._connection.execute(STATEMENTS["alike"])
            from_number = 1
            if since_us is not None:
                found = await self._connection.fetchval(STATEMENTS["seal_since"], since_us)
                from_number = found or 1 << 62
            seals = await self._seals(from_number)
            before = seals[0] if seals else NOTHING
            for seal in seals[1:]:
                await self._compare(before, seal)
                before = seal
            if known is not None:
                self._compare_known(known, {seal.number: seal for seal in seals[1:]})
            newest = seal_of(await self._connection.fetchrow(STATEMENTS["last_seal"]))
            await self._connection.execute(STATEMENTS["at_will"])
            await self._strays(since_us)
            last = NOTHING if newest is None else newest
            unsealed = await self._connection.fetchval(STATEMENTS["unsealed"], last.last)
        return Verified(
            seals=len(seals[1:]),
            entries=self._entries,
            erased=self._erased,
            unsealed=unsealed,
            last=newest,
            faults=self._faults[:FAULTS_MAX],
        )

    async def _seals(self, from_number: int) -> list[Seal]:
        """Return the seals from this number on, after the one before them."""
        rows = await self._connection.fetch(STATEMENTS["seals"], from_number - 1)
        seals = [one for one in map(seal_of, rows) if one is not None]
        if from_number == 1 or not seals or seals[0].number >= from_number:
            return [NOTHING, *seals]
        return seals

    async def _compare(self, before: Seal, seal: Seal) -> None:
        if seal.number != before.number + 1:
            numbers = f"{before.number + 1} to {seal.number - 1}"
            self._fault(Verdict.REMOVED, "seal", seal, detail=numbers)
        elif sealing.seal_mac(self._key, before.mac, seal) != seal.mac:
            self._fault(Verdict.CHANGED, "seal", seal)
        market = await market_digest(self._connection, before, seal.versions, seal.paid_in)
        if market != seal.market and before.number + 1 == seal.number:
            versions = f"versions {before.versions + 1} to {seal.versions}"
            money = f"money paid in, transfers {before.paid_in + 1} to {seal.paid_in}"
            self._fault(Verdict.CHANGED, "market", seal, detail=f"{versions}, or {money}")
        rows = await self._connection.fetch(STATEMENTS["links"], seal.number)
        links = [(entry_of(row), row["head"]) for row in rows]
        found = [entry_of(row) for row in await self._connection.fetch(SEALED, seal.number)]
        heads = await heads_before(self._connection, [entry for entry, _ in links])
        made = dict(self._chain(links, heads, seal))
        for (sealed, _), now in zip(links, found, strict=True):
            if made.get((sealed.lead_id, sealed.number), True):
                self._compare_entry(sealed, now, seal)
        self._entries += len(links)
        whole = sealing.root(head for _, head in links)
        unlinked = await self._connection.fetch(STATEMENTS["unlinked"], seal.first, seal.last)
        missing = seal.entries - len(links)
        for row in unlinked:
            what = "link" if missing > 0 else "moment"
            verdict = Verdict.REMOVED if missing > 0 else Verdict.INSERTED
            self._fault(verdict, what, seal, str(row["lead_id"]), row["number"])
            missing -= 1
        if whole != seal.root and (missing > 0 or not unlinked):
            detail = f"{seal.entries} entries were sealed, {len(links)} are there"
            self._fault(Verdict.CHANGED, "link", seal, detail=detail)

    def _chain(
        self, links: Sequence[tuple[Entry, bytes]], heads: dict[str, bytes], seal: Seal
    ) -> list[tuple[tuple[str, int], bool]]:
        """Return of each link whether it follows from the one before it; name those that do not."""
        told = []
        for entry, head in links:
            before = heads.get(entry.lead_id, sealing.NO_HEAD)
            follows = sealing.head(self._key, before, entry) == head
            if not follows:
                self._fault(Verdict.CHANGED, "link", seal, entry.lead_id, entry.number)
            heads[entry.lead_id] = head
            told.append(((entry.lead_id, entry.number), follows))
        return told

    def _compare_entry(self, sealed: Entry, now: Entry, seal: Seal) -> None:
        for verdict, what in sealing.differences(sealed, now, self._now_us):
            self._fault(verdict, what, seal, sealed.lead_id, sealed.number)
        self._erased += sealing.is_erased(sealed, now)

    def _compare_known(self, known: tuple[int, str], seals: dict[int, Seal]) -> None:
        number, begins = known
        seal = seals.get(number)
        if seal is None or not seal.mac.hex().startswith(begins.lower()):
            verdict = Verdict.REMOVED if seal is None else Verdict.CHANGED
            self._faults.append(
                Fault(
                    verdict=verdict,
                    what="seal",
                    lead_id=None,
                    number=None,
                    seal=number,
                    detail="not the one that was kept elsewhere",
                )
            )

    async def _strays(self, since_us: int | None) -> None:
        """Name rows that belong to no moment; those of moments that are gone are named already."""
        named = {(fault.lead_id, fault.number) for fault in self._faults}
        lowest = lowest_id(since_us or 0)
        for row in await self._connection.fetch(STATEMENTS["strays"], lowest):
            lead_id = None if row["lead_id"] is None else str(row["lead_id"])
            if (lead_id, row["number"]) not in named:
                self._fault(Verdict.INSERTED, row["what"], NOTHING, lead_id, row["number"])

    def _fault(
        self,
        verdict: Verdict,
        what: str,
        seal: Seal,
        lead_id: str | None = None,
        number: int | None = None,
        *,
        detail: str = "",
    ) -> None:
        self._faults.append(
            Fault(
                verdict=verdict,
                what=what,
                lead_id=lead_id,
                number=number,
                seal=seal.number,
                detail=detail,
            )
        )


NOTHING = Seal(
    number=0,
    at_us=0,
    first=0,
    last=0,
    entries=0,
    root=b"",
    versions=0,
    paid_in=0,
    market=b"",
    mac=sealing.NO_HEAD,
)
"""Before the first seal."""


async def heads_before(connection: Any, entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the last head of each lead before the first of these entries of it."""
    firsts: dict[str, int] = {}
    for entry in entries:
        firsts.setdefault(entry.lead_id, entry.number)
    rows = await connection.fetch(STATEMENTS["heads"], list(firsts), list(firsts.values()))
    return {str(row["lead_id"]): row["head"] for row in rows}


async def market_digest(connection: Any, before: Seal, versions: int, paid_in: int) -> bytes:
    """Return one digest of the market's versions and the money paid in since a seal."""
    digest: bytes = await connection.fetchval(
        STATEMENTS["market"], before.versions, versions, before.paid_in, paid_in
    )
    return digest


def entry_of(row: Any) -> Entry:
    """Return an entry's digests from a row."""
    return Entry(
        lead_id=str(row["lead_id"]),
        number=row["number"],
        parts=row["parts"],
        keys=row["keys"],
        capture=row["capture"],
        capture_until_us=row["capture_until"],
    )


def link_row(seal: int, entry: Entry, head: bytes) -> tuple[Any, ...]:
    """Return a row of `link`."""
    return (
        entry.lead_id,
        entry.number,
        seal,
        entry.parts,
        entry.keys,
        entry.capture,
        entry.capture_until_us,
        head,
    )


def seal_row(seal: Seal) -> tuple[Any, ...]:
    """Return what `add_seal` takes."""
    return (
        seal.number,
        seal.at_us,
        seal.first,
        seal.last,
        seal.entries,
        seal.root,
        seal.versions,
        seal.paid_in,
        seal.market,
        seal.mac,
    )


def seal_of(row: Any) -> Seal | None:
    """Return the seal of a row, None where there is none."""
    if row is None:
        return None
    told = {name: row[name] for name in ("number", "first", "last", "entries", "root")}
    market = {name: row[name] for name in ("versions", "paid_in", "market", "mac")}
    return Seal(at_us=row["at"], **told, **market)
