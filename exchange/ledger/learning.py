"""What campaigns learn from the record: moments read once, in order, and counts of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.events import Event
from exchange.domain.expected import Track
from exchange.domain.experience import US_PER_DAY, Experience, Happened, day_of
from exchange.domain.learned_floors import LearnFloor, Segment
from exchange.domain.money import Micros
from exchange.domain.reserve import Cell, Seen
from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.recount import lowest_id

STATEMENTS = sql.read("learning.sql")
EVENTS = msgspec.json.Decoder(list[Event])
WIDTH = 1000
"""So many moments, of whichever campaign, are looked through in one step."""
TIMEOUT_S = 30.0
"""One step of learning has this long; none is on the way of a lead."""


class FloorRow(msgspec.Struct, frozen=True, kw_only=True):
    """The learned floor of one segment."""

    campaign_id: str
    segment: Segment
    floor: Micros
    auctions: int
    """How many it was learned from."""
    at_us: int


class Found(msgspec.Struct, frozen=True):
    """The floor that earns most in one segment, and of how many auctions that is known."""

    floor: Micros
    auctions: int


class RankingRow(msgspec.Struct, frozen=True, kw_only=True):
    """What rankings of a campaign brought; those apart that put another offer first than price."""

    campaign_id: str
    changed: bool
    leads: int
    expected: Micros
    by_price: Micros
    realized: Micros


class FloorsRow(msgspec.Struct, frozen=True, kw_only=True):
    """What auctions of a campaign earned under floors that came about alike."""

    campaign_id: str
    model: str
    auctions: int
    sold: int
    revenue: Micros


class LearningBooks:
    """Reads what is to be learned, and keeps what was; raises LedgerUnavailable in time."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def high(self) -> int:
        """Return up to which moment all that was written can be read."""
        async with self._connections.use() as connection:
            return int(await connection.fetchval(STATEMENTS["high"]))

    async def begin(self, campaign_id: str, since_us: int, high: int) -> None:
        """Let a campaign learn from leads of then on, unless it does already."""
        async with self._connections.use() as connection:
            await connection.execute(STATEMENTS["begin"], campaign_id, lowest_id(since_us), high)

    @asynccontextmanager
    async def turn(self, campaign_id: str) -> AsyncIterator["Turn | None"]:
        """Lend a campaign's turn, in a transaction; None where another worker has it."""
        async with self._connections.use(TIMEOUT_S) as connection, connection.transaction():
            await connection.execute(STATEMENTS["by_key"])
            serial = await connection.fetchval(STATEMENTS["turn"], campaign_id)
            yield None if serial is None else Turn(connection, campaign_id, serial)

    async def tracks(
        self, campaigns: Sequence[Campaign], now_us: int
    ) -> dict[str, dict[str, Track]]:
        """Return by campaign and offer what became of posts, as far back as each believes."""
        today = day_of(now_us)
        ids, since, until = [], [], []
        for campaign in campaigns:
            assert campaign.expecting is not None, "who is asked about estimates"
            ids.append(campaign.id)
            since.append(today - campaign.expecting.days)
            until.append(today - campaign.expecting.returns_after_days)
        found: dict[str, dict[str, Track]] = {campaign_id: {} for campaign_id in ids}
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["tracks"], ids, since, until)
        for row in rows:
            found[row["campaign"]][row["offer"]] = Track(
                posts=row["posts"],
                accepted=row["accepted"],
                matured=row["matured"],
                returned=min(row["returned"], row["matured"]),
            )
        return found

    async def floors(self, campaign_ids: Sequence[str]) -> list[FloorRow]:
        """Return every learned floor of these campaigns."""
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["floors"], campaign_ids)
        return [
            FloorRow(
                campaign_id=row["campaign"],
                segment=Segment(row["state"], row["hours"]),
                floor=row["floor"],
                auctions=row["auctions"],
                at_us=row["at"],
            )
            for row in rows
        ]

    # What it changed

    async def rankings_since(self, at_us: int) -> list[RankingRow]:
        """Return what rankings by expected value brought since the day of this moment."""
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["expected_report"], day_of(at_us))
        return [
            RankingRow(
                campaign_id=row["campaign"],
                changed=row["changed"],
                leads=row["leads"],
                expected=row["expected"],
                by_price=row["by_price"],
                realized=row["realized"],
            )
            for row in rows
        ]

    async def floors_since(self, at_us: int) -> list[FloorsRow]:
        """Return what auctions under learned floors earned since the day of this moment."""
        async with self._connections.use() as connection:
            rows = await connection.fetch(STATEMENTS["floor_report"], day_of(at_us))
        return [
            FloorsRow(
                campaign_id=row["campaign"],
                model=row["model"],
                auctions=row["auctions"],
                sold=row["sold"],
                revenue=row["revenue"],
            )
            for row in rows
        ]


class Turn:
    """One campaign's turn to learn: all of it is kept, or nothing."""

    def __init__(self, connection: Any, campaign_id: str, serial: int) -> None:
        """Take a connection in a transaction, and up to where was learned already."""
        self._connection = connection
        self._campaign_id = campaign_id
        self.serial = serial

    async def moments(self, high: int, limit: int) -> tuple[list[Happened], int]:
        """Return the campaign's next moments, in their order, and up to where that is all."""
        up_to = min(high, self.serial + WIDTH)
        rows = await self._connection.fetch(
            STATEMENTS["moments"], self._campaign_id, self.serial, up_to, limit
        )
        moments = [
            Happened(
                events=EVENTS.decode(row["events"]),
                earlier=[
                    event for events in row["earlier"] or () for event in EVENTS.decode(events)
                ],
                returned=dict(zip(row["sales"] or (), row["amounts"] or (), strict=True)),
            )
            for row in rows
        ]
        return moments, rows[-1]["serial"] if len(rows) == limit else up_to

    async def keep(self, learned: Experience, up_to: int) -> None:
        """Add to what is known; the campaign has then learned up to there."""
        campaign = self._campaign_id
        await self._add(
            "add_track",
            [
                (campaign, offer, day, one.posts, one.accepted, one.returned)
                for (offer, day), one in learned.tracks.items()
            ],
        )
        await self._add(
            "add_expected",
            [
                (campaign, changed, day, one.leads, one.expected, one.by_price, one.realized)
                for (changed, day), one in learned.rankings.items()
            ],
        )
        await self._add(
            "add_floor",
            [
                (campaign, model, day, one.auctions, one.sold, one.revenue)
                for (model, day), one in learned.floors.items()
            ],
        )
        await self._add(
            "add_seen",
            [
                (campaign, *segment, period, floor, bid, *msgspec.structs.astuple(cell))
                for (segment, period, floor, bid), cell in learned.cells.items()
            ],
        )
        await self._connection.execute(STATEMENTS["learned_up_to"], campaign, up_to)
        self.serial = up_to

    async def seen(self, segment: Segment, period: int) -> Seen:
        """Return the bids of a segment in this period and the one before."""
        rows = await self._connection.fetch(STATEMENTS["seen"], self._campaign_id, *segment, period)
        seen: dict[int, dict[int, Cell]] = {}
        for row in rows:
            cell = Cell(row["best"], row["best_sum"], row["second"], row["second_sum"])
            seen.setdefault(row["floor"], {})[row["bid"]] = cell
        return seen

    async def set_floors(self, floors: Mapping[Segment, "Found | None"], at_us: int) -> None:
        """Keep what each of these segments learned, or that it learned nothing yet."""
        campaign = self._campaign_id
        await self._add(
            "set_floor",
            [
                (campaign, *of, known.floor, known.auctions, at_us)
                for of, known in floors.items()
                if known is not None
            ],
        )
        await self._add(
            "forget_floor", [(campaign, *of) for of, known in floors.items() if known is None]
        )

    async def forget(self, campaign: Campaign, now_us: int) -> None:
        """Delete what is not believed any more."""
        rule = campaign.learn_floor
        if rule is not None:
            period = period_of(now_us, rule)
            await self._connection.execute(STATEMENTS["forget_seen"], campaign.id, period)
            old_us = now_us - 2 * rule.days * US_PER_DAY
            await self._connection.execute(STATEMENTS["forget_floors"], campaign.id, old_us)
        if campaign.expecting is not None:
            day = day_of(now_us) - campaign.expecting.days
            await self._connection.execute(STATEMENTS["forget_tracks"], campaign.id, day)

    async def _add(self, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._connection.executemany(STATEMENTS[name], sorted(rows))


def period_of(at_us: int, rule: LearnFloor) -> int:
    """Return the period of memory of a moment."""
    return at_us // (rule.days * US_PER_DAY)
