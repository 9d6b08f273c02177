"""The sealed record, compared with what is stored: exchange/domain/sealing.py."""

from collections.abc import Sequence
from typing import Any

import msgspec

from exchange.domain import sealing
from exchange.domain.sealing import Entry, Fault, Seal, Verdict
from exchange.ledger.recount import lowest_id
from exchange.ledger.seals import (
    NOTHING,
    STATEMENTS,
    entry_of,
    heads_before,
    market_digest,
    seal_of,
)

SEALED = f"{STATEMENTS['sealed']} {STATEMENTS['digests']}"
FAULTS_MAX = 100


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
