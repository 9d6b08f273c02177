"""Reads recorded leads, the markets under which they were sold, and what counters stood at."""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from exchange.configuration.past import as_it_was
from exchange.configuration.store import read_market
from exchange.contract.market_file import MarketFile
from exchange.domain.eligibility import SENT_BEFORE
from exchange.domain.events import Event
from exchange.domain.ids import LeadId
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.recounting import counters
from exchange.domain.snapshot import Snapshot
from exchange.ledger import sql
from exchange.ledger.rows import place
from exchange.ledger.vault import Sealed, Vault
from exchange.replay.lessons import learned_of
from exchange.replay.recorded import (
    Recorded,
    Sums,
    answers_of,
    left_out_for,
    ping_of,
    posts_of,
    tried_of,
)
from exchange.story.record import submission

STATEMENTS = sql.parse(Path(__file__).with_name("reading.sql").read_text(encoding="utf-8"))
EVENTS = msgspec.json.Decoder(list[Event])
PAGE = 500
NO_LEAD = "00000000-0000-0000-0000-000000000000"
US_PER_MS = 1000
US_PER_S = 1_000_000
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
        """Return the versions under which leads of that time were sold."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT version FROM lead"
            " WHERE NOT test AND received_at >= $1 AND received_at < $2 ORDER BY version",
            since_us,
            until_us,
        )
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

    async def pages(
        self, since_us: int, until_us: int, markets: Mapping[int, Snapshot]
    ) -> AsyncIterator[list[Recorded]]:
        """Go through the leads of that time, in the order in which they came."""
        after: tuple[int, str] = (since_us - 1, NO_LEAD)
        while rows := await self._connection.fetch(
            STATEMENTS["page"], after[0], until_us, after[1], PAGE
        ):
            after = rows[-1]["received_at"], rows[-1]["lead_id"]
            yield await self._recorded(rows, markets)

    async def _recorded(self, rows: list[Any], markets: Mapping[int, Snapshot]) -> list[Recorded]:
        ids = [row["lead_id"] for row in rows]
        moments = await self._by_lead("moments", ids)
        records = await self._by_lead("records", ids)
        sales = await self._by_lead("sales", ids)
        quotes = await self._by_lead("quotes", ids)
        found = []
        for row in rows:
            lead_id = row["lead_id"]
            opened = [self._opened(record) for record in records[lead_id]]
            if row["status"] is None:
                self.left_out["still open"] += 1
            elif not opened or None in opened:
                self.left_out["erased"] += 1
            elif row["version"] not in markets:
                self.left_out["market not read"] += 1
            else:
                texts = [one for one in opened if one is not None]
                market = markets[row["version"]]
                rows_of = Rows(row, moments[lead_id], sales[lead_id], quotes[lead_id])
                found.append(recorded(rows_of, texts, market))
        return found

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


class Rows(NamedTuple):
    """One lead's rows."""

    lead: Any
    moments: Sequence[Any]
    sales: Sequence[Any]
    quotes: Sequence[Any]
    """The one of its ping, if it was quoted."""


def recorded(rows: Rows, records: Sequence[bytes], market: Snapshot) -> Recorded:
    """Return one lead from its rows and its opened records, a ping's before its post's."""
    row, sales = rows.lead, rows.sales
    events = [event for moment in rows.moments for event in EVENTS.decode(moment["events"])]
    posted = submission(records[-1])
    quote = rows.quotes[0] if rows.quotes else None
    return Recorded(
        lead_id=LeadId(str(row["lead_id"])),
        campaign_id=row["campaign"],
        version=row["version"],
        received_at_us=row["received_at"],
        submission=posted,
        pinged=None if quote is None else ping_of(records[0], posted, events[0].at_us),
        answers=answers_of(events),
        posts=posts_of(events),
        tried=tried_of(events),
        learned=learned_of(events),
        original=None if row["original"] is None else LeadId(str(row["original"])),
        bought_by=frozenset(
            market.offers[name].buyer.id
            for name in left_out_for(
                Reason.DUPLICATE_FOR_BUYER, events, row["campaign"], market, but=SENT_BEFORE
            )
            if name in market.offers
        ),
        rated=left_out_for(Reason.RATE, events, row["campaign"], market),
        end=Sums(
            status=row["status"],
            sales=len(sales),
            revenue=Micros(sum(sale["charge"] for sale in sales)),
            payout=Micros(sum(sale["payout"] for sale in sales)),
            ms=(row["ended_at"] - row["received_at"]) / US_PER_MS,
        ),
    )
