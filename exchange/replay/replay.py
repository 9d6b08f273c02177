"""Sells recorded leads twice: as they were, and as they would be; says what differs."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from exchange.configuration.past import UNREADABLE
from exchange.contract.market_file import MarketFile
from exchange.domain.snapshot import Snapshot
from exchange.ledger.vault import Vault
from exchange.replay.clock import JumpingLoop
from exchange.replay.comparing import Row, rows, unlike
from exchange.replay.playing import Player
from exchange.replay.reading import Reader
from exchange.replay.recorded import Recorded, Sums

LONGEST_S = 1e8
"""Some years: nobody waits for so long for anything that comes."""
FAILED = "failed"

Changing = Callable[[MarketFile], MarketFile]

logger = structlog.get_logger(__name__)


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    since_us: int
    until_us: int
    leads: int
    """That were sold again; those that could not be are `left_out`, by why."""
    left_out: dict[str, int]
    unlike_recorded: int
    """Leads that, sold again as they were, do not end as they were written."""
    unrecorded_pings: int
    """Of the changed run: offers asked that were not asked then; taken as no bid."""
    unrecorded_posts: int
    """Buyers who would get a post and got none then; taken as accepted."""
    changed: int
    """Leads that end otherwise than before."""
    rows: list[Row]


async def replay(
    connection: Any, vault: Vault, change: Changing, since_us: int, until_us: int
) -> Replayed:
    """Sell all leads of that time again, under their own markets and under changed ones."""
    reader = Reader(connection, vault)
    before, after = dict[int, Snapshot](), dict[int, Snapshot]()
    for version in await reader.versions(since_us, until_us):
        try:
            before[version] = await reader.market(version)
        except UNREADABLE:
            continue
        after[version] = await reader.market(version, change)
    settled = await reader.settled([*before.values(), *after.values()], since_us)
    first = Player(before, settled)
    players = first, Player(after, settled, first)
    leads: list[Recorded] = []
    ends: tuple[list[Sums], list[Sums]] = ([], [])
    async for page in reader.pages(since_us, until_us, before):
        for player, those in zip(players, ends, strict=True):
            those.extend(await asyncio.to_thread(played, player, page))
        leads += [light(lead) for lead in page]
    campaigns = {name: one for market in before.values() for name, one in market.campaigns.items()}
    names = {lead.campaign_id for lead in leads}
    return Replayed(
        since_us=since_us,
        until_us=until_us,
        leads=len(leads),
        left_out=dict(Tally(reader.left_out)),
        unlike_recorded=unlike(leads, ends[0]),
        unrecorded_pings=players[1].said.unrecorded_pings,
        unrecorded_posts=players[1].said.unrecorded_posts,
        changed=sum(1 for one, other in zip(*ends, strict=True) if one != other),
        rows=rows(leads, *ends, {name: campaigns[name].currency for name in names}),
    )


def played(player: Player, leads: list[Recorded]) -> list[Sums]:
    """Play all of these, one after the other, in a time of their own."""

    async def each() -> list[Sums]:
        return [await outcome(player, lead) for lead in leads]

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(each())


async def outcome(player: Player, lead: Recorded) -> Sums:
    """Return what would have come of a lead; of one that cannot be played, that it cannot."""
    try:
        async with asyncio.timeout(LONGEST_S):
            return await player.play(lead)
    except Exception as error:  # noqa: BLE001 - one lead of thousands, recorded by another version
        logger.warning("lead not played", lead_id=lead.lead_id, error=type(error).__name__)
        return Sums(status=FAILED)


def light(lead: Recorded) -> Recorded:
    """Return a lead without what only playing it needs: thousands are kept for the sums."""
    kept: Recorded = msgspec.structs.replace(lead, answers={}, posts={})
    return kept
