"""Sells recorded leads twice: as they were, and as they would be; says what differs."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import msgspec

from exchange.configuration.past import UNREADABLE
from exchange.contract.market_file import MarketFile
from exchange.domain.ids import LeadId
from exchange.domain.snapshot import Snapshot
from exchange.ledger.vault import Vault
from exchange.replay.clock import JumpingLoop
from exchange.replay.comparing import Row, rows
from exchange.replay.playing import Player
from exchange.replay.reading import Reader
from exchange.replay.recorded import Recorded, Sums
from exchange.replay.steps import Came, Step
from exchange.replay.unknown import Unrecorded, all_of

Changing = Callable[[MarketFile], MarketFile]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    since_us: int
    until_us: int
    leads: int
    """That were sold again and are compared: as it was they end just as they were written."""
    left_out: dict[str, int]
    """Those that are not, by why."""
    unrecorded: Unrecorded
    """What the changed run had to suppose of buyers."""
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
    second = Player(after, settled, first)
    leads: list[Recorded] = []
    ends: tuple[dict[LeadId, Sums], dict[LeadId, Sums]] = ({}, {})
    async for page in reader.steps(since_us, until_us, before):
        for player, those in zip((first, second), ends, strict=True):
            those.update(await asyncio.to_thread(played, player, page))
        leads += [light(step.lead) for step in page if isinstance(step, Came)]
    compared = [lead for lead in leads if lead.lead_id not in first.left_out]
    pairs = [(ends[0][lead.lead_id], ends[1][lead.lead_id]) for lead in compared]
    campaigns = {name: one for market in before.values() for name, one in market.campaigns.items()}
    names = {lead.campaign_id for lead in compared}
    return Replayed(
        since_us=since_us,
        until_us=until_us,
        leads=len(compared),
        left_out=dict(reader.left_out + Tally(first.left_out.values())),
        unrecorded=all_of(second.supposed),
        changed=sum(1 for one, other in pairs if one != other),
        rows=rows(compared, pairs, {name: campaigns[name].currency for name in names}),
    )


def played(player: Player, steps: list[Step]) -> dict[LeadId, Sums]:
    """Play all of these, one after the other, in a time of their own; return what leads came to."""

    async def each() -> dict[LeadId, Sums]:
        found = {}
        for step in steps:
            end = await player.take(step)
            if isinstance(step, Came) and end is not None:
                found[step.lead.lead_id] = end
        return found

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(each())


def light(lead: Recorded) -> Recorded:
    """Return a lead without what only playing it needs: thousands are kept for the sums."""
    kept: Recorded = msgspec.structs.replace(lead, answers={}, posts={}, events=())
    return kept
