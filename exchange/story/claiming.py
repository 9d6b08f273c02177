"""Who has a person: the lead that claimed first, if the ledger says that it has one still.

A claim may stand without a lead: its worker died before it wrote anything, or market state hung
and did what it was asked after its caller had given up. And one may stand that should have been
given back, of a lead that ended unsold while market state was away. Such a claim must not turn away
the person whom its seller sends again, so whoever meets a claim asks the ledger for its lead.
"""

import asyncio

import msgspec

from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.domain.states import LeadStatus
from exchange.story.fencing import fence
from exchange.story.stations import Stations


async def claim(stations: Stations, wanted: Claim) -> LeadId | None:
    """Claim the person for this lead, or say which lead came first; that one is on the books."""
    with stations.timed("claim"):
        first = await stations.market.claim(wanted)
    while first is not None and not await stands(stations, first, wanted):
        await stations.market.unclaim(msgspec.structs.replace(wanted, lead_id=first))
        # Whoever claimed in between is asked for as well: it may be one that never will be, too.
        first = await stations.market.claim(wanted)
    return first


async def look_up(stations: Stations, wanted: Claim) -> LeadId | None:
    """Say which lead has the person, and claim nothing."""
    first = await stations.market.look_up(wanted)
    return first if first is not None and await stands(stations, first, wanted) else None


async def stands(stations: Stations, first: LeadId, wanted: Claim) -> bool:
    """Tell whether the lead of a claim has the person, as this claim's rule sees it.

    The lead of a claim made just now is still being written, beside its fan-out. One that is not
    written in time never will be: that is seen to.
    """
    for pause_s in stations.limits.written_within_s:
        await asyncio.sleep(pause_s)
        lead = await stations.ledger.lead(first)
        if lead is not None:
            has_lost = lead.end is not None and lead.end.status is not LeadStatus.SOLD
            return not (has_lost and wanted.until_end)
    return not await fence(stations.ledger, stations.ledger, first, stations.now_us())
