"""Who has a person: the lead that claimed first, if it was ever written.

A claim may stand without a lead: its worker died before it wrote anything, or market state hung
and did what it was asked after its caller had given up. Such a claim must not turn away the person
whom its seller sends again.
"""

import asyncio

import msgspec

from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.story.fencing import fence
from exchange.story.stations import Stations


async def claim(stations: Stations, wanted: Claim) -> LeadId | None:
    """Claim the person for this lead, or say which lead came first; that one is on the books."""
    with stations.timed("claim"):
        first = await stations.market.claim(wanted)
    if first is None or not await never_came(stations, first):
        return first
    await stations.market.unclaim(msgspec.structs.replace(wanted, lead_id=first))
    return await stations.market.claim(wanted)


async def look_up(stations: Stations, wanted: Claim) -> LeadId | None:
    """Say which lead has the person, and claim nothing."""
    first = await stations.market.look_up(wanted)
    return None if first is None or await never_came(stations, first) else first


async def never_came(stations: Stations, lead_id: LeadId) -> bool:
    """Tell whether the lead of a claim was not written in time, and make sure it never will be.

    The lead of a claim made just now is still being written, beside its fan-out.
    """
    for pause_s in stations.limits.written_within_s:
        await asyncio.sleep(pause_s)
        if await stations.ledger.lead(lead_id) is not None:
            return False
    return await fence(stations.ledger, stations.ledger, lead_id, stations.now_us())
