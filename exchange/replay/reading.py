"""Reads recorded leads, the markets under which they were sold, and what counters stood at."""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from exchange.configuration.past import as_it_was
from exchange.configuration.store import read_market
from exchange.contract.market_file import MarketFile
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.domain.money import Micros
from exchange.domain.recounting import counters
from exchange.domain.snapshot import Snapshot
from exchange.ledger import sql
from exchange.ledger.rows import place
from exchange.ledger.vault import Sealed, Vault
from exchange.replay.papers import Papers, held_by, recorded, sales_of
from exchange.replay.recorded import Recorded
from exchange.replay.steps import Asked, Came, Ended, Step

STATEMENTS = sql.parse(Path(__file__).with_name("reading.sql").read_text(encoding="utf-8"))
PAGE = 500
NO_LEAD = "00000000-0000-0000-0000-000000000000"
US_PER_S = 1_000_000
LONGEST_QUOTE_US = 86_400 * US_PER_S
"""No quote holds for longer."""
ASKED_WITHIN_US = 600 * US_PER_S
"""A ping is written no later than this after it came, by whichever clock."""
NOBODYS = b"replay"
"""Keys the hashes of pings that nobody gets."""

Changing = Callable[[MarketFile], MarketFile]


class Reader:
    """Reads from a connection on which times are microseconds; changes nothing."""

    def __init__(self, connection: Any, vault: Vault) -> None:
        """Take the connection, and what opens the sealed records."""
        self._connection = connection
        self._vault = vault
        self.left_out: Tally[str] = Tally()
        """How many leads cannot be sold again, by why."""
        self._paid_in: dict[str, Micros] | None = None

    async def since_of_last(self, leads: int) -> int | None:
        """Return when the oldest of so many newest leads came; None where there is none."""
        found: int | None = await self._connection.fetchval(STATEMENTS["since"], leads)
        return found

    async def market(self, version: int, change: Changing | None = None) -> Snapshot:
        """Return the market of a version, changed; nobody is called by it."""
        market = await read_market(self._connection, version)
        snapshot = as_it_was(version, market if change is None else change(market), NOBODYS)
        credited: Snapshot = msgspec.structs.replace(snapshot, credited=await self._credited())
        return credited

    async def _credited(self) -> Mapping[str, Micros]:
        if self._paid_in is None:
            rows = await self._connection.fetch(STATEMENTS["paid_in"])
            self._paid_in = {row["buyer"]: Micros(row["amount"]) for row in rows}
        return self._paid_in

    async def versions(self, since_us: int, until_us: int) -> list[int]:
        """Return the versions under which leads of that time were sold, or quoted."""
        rows = await self._connection.fetch(STATEMENTS["versions"], since_us, until_us)
        return [row["version"] for row in rows]

    async def settled(
        self, markets: Iterable[Snapshot], since_us: int
    ) -> dict[tuple[str, str], int]:
        """Return what every counter of these markets stood at then, by buyer and counter."""
        wanted = {
            (one.buyer_id, one.name): one
            for market in markets
            for one in counters(market, since_us)
            if not one.test
        }
        those = list(wanted.values())
        members = sorted({(offer, one.scope) for one in those for offer in one.offer_ids})
        rows = await self._connection.fetch(
            STATEMENTS["settled"],
            [one.name for one in those],
            [one.buyer_id for one in those],
            [one.scope for one in those],
            [one.began_s * US_PER_S for one in those],
            [one.until_s * US_PER_S for one in those],
            since_us,
            [offer for offer, _ in members],
            [scope for _, scope in members],
        )
        return {
            (row["owner"], row["name"]): row[
                "money" if wanted[row["owner"], row["name"]].counts_money else "leads"
            ]
            for row in rows
        }

    async def steps(
        self, since_us: int, until_us: int, markets: Mapping[int, Snapshot]
    ) -> AsyncIterator[list[Step]]:
        """Go through what happened in that time, in its order; pings first where they were."""
        holding = sorted(
            {one.id for market in markets.values() for one in market.campaigns.values()
             if one.hold_quotes}
        )  # fmt: skip
        after: tuple[int, str] = (since_us - 1, NO_LEAD)
        pings_from_us = since_us - LONGEST_QUOTE_US
        while rows := await self._connection.fetch(
            STATEMENTS["page"], after[0], until_us, after[1], PAGE
        ):
            after = rows[-1]["received_at"], rows[-1]["lead_id"]
            pings = await self._connection.fetch(
                STATEMENTS["pings"],
                pings_from_us,
                after[0] + 1,
                uuid7(max(0, pings_from_us - ASKED_WITHIN_US), b"\x00" * ENTROPY_BYTES),
                uuid7(after[0] + ASKED_WITHIN_US, b"\xff" * ENTROPY_BYTES),
                holding,
                since_us,
                until_us,
            )
            pings_from_us = after[0] + 1
            steps = await self._steps(rows, pings, markets)
            yield sorted(steps, key=lambda step: step.at_us)

    async def _steps(
        self, rows: list[Any], pings: list[Any], markets: Mapping[int, Snapshot]
    ) -> list[Step]:
        """Return a page of leads, and the pings of its time, each as what it is to a replay."""
        known = {row["lead_id"] for row in rows}
        later = [
            one["lead_id"] for one in pings if one["posted_at"] and one["lead_id"] not in known
        ]
        others = await self._connection.fetch(STATEMENTS["leads"], later) if later else []
        papers = await self._papers([*known, *(one["lead_id"] for one in pings)])
        leads = {row["lead_id"]: self._recorded(row, papers, markets) for row in (*rows, *others)}
        steps: list[Step] = []
        for row in rows:
            lead = leads[row["lead_id"]]
            if isinstance(lead, Recorded):
                steps.append(Came(lead.received_at_us, lead))
            else:
                self.left_out[lead] += 1
                sales = sales_of(papers.sales[row["lead_id"]])
                steps.append(
                    Ended(
                        at_us=row["received_at"],
                        lead_id=LeadId(str(row["lead_id"])),
                        version=row["version"],
                        sales=sales,
                    )
                )
        for row in pings:
            lead = leads.get(row["lead_id"], "")
            if isinstance(lead, Recorded) and lead.pinged is not None:
                steps.append(Asked(lead.pinged.lead.received_at_us, lead))
            else:
                steps += held_by(row, papers.moments[row["lead_id"]])
        return steps

    def _recorded(
        self, row: Any, papers: Papers, markets: Mapping[int, Snapshot]
    ) -> Recorded | str:
        """Return a lead, or why it cannot be sold again."""
        if row["status"] is None:
            return "still open"
        opened = [self._opened(record) for record in papers.records[row["lead_id"]]]
        if not opened or None in opened:
            return "erased"
        versions = {row["version"], *(one["version"] for one in papers.quotes[row["lead_id"]])}
        if not versions <= markets.keys():
            return "market not read"
        texts = [one for one in opened if one is not None]
        return recorded(row, papers, texts, markets[row["version"]])

    async def _papers(self, ids: list[Any]) -> Papers:
        return Papers(
            moments=await self._by_lead("moments", ids),
            records=await self._by_lead("records", ids),
            sales=await self._by_lead("sales", ids),
            quotes=await self._by_lead("quotes", ids),
        )

    async def _by_lead(self, name: str, ids: list[Any]) -> defaultdict[Any, list[Any]]:
        found: defaultdict[Any, list[Any]] = defaultdict(list)
        for row in await self._connection.fetch(STATEMENTS[name], ids):
            found[row["lead_id"]].append(row)
        return found

    def _opened(self, row: Any) -> bytes | None:
        if row["wrapped_key"] is None:
            return None
        where = place("record", LeadId(str(row["lead_id"])))
        return self._vault.open(Sealed(row["sealed"], row["wrapped_key"]), where)
