"""Who has a person: the lead that claimed first, if the ledger says that it has one still.

A claim may stand without a lead: its worker died before it wrote anything, or market state hung
and did what it was asked after its caller had given up. And one may stand that should have been
given back: of a lead that ended unsold while market state was away, or of a second post of a quote
that named another person and came too late. Such a claim must not turn away the person whom its
seller sends again, so whoever meets a claim asks the ledger for its lead.
"""

import asyncio
from collections.abc import Awaitable

import msgspec
import structlog

from exchange.domain.campaign import Against, DuplicateRule
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.domain.states import LeadStatus
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from exchange.story.fencing import fence
from exchange.story.stations import Stations

logger = structlog.get_logger()


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
        if lead is not None and lead.part_of is not None:
            return False  # what was merged into another lead has no person of its own
        if lead is not None:
            has_lost = lead.end is not None and lead.end.status is not LeadStatus.SOLD
            is_its_own = lead.others(wanted) != wanted
            return is_its_own and not (has_lost and wanted.until_end)
    return not await fence(stations.ledger, stations.ledger, first, stations.now_us())


class Claims:
    """The claim of one lead: it lives as long as what it is for."""

    def __init__(self, stations: Stations, rule: DuplicateRule | None) -> None:
        """Take when a lead of this campaign repeats another one; nothing is claimed yet."""
        self._stations = stations
        self._rule = rule
        self.held: Claim | None = None

    async def take(self, wanted: Claim) -> LeadId | None:
        """Claim the person for this lead, or say which lead came first."""
        first = await claim(self._stations, wanted)
        if first is None:
            self.held = wanted
        return first

    def ask_end(self, *, is_sold: bool) -> "asyncio.Future[None] | None":
        """Ask at once that it holds for its whole window, or is given back of an unsold lead."""
        if self.held is None or self._rule is None:
            return None
        market = self._stations.market
        keep = is_sold or self._rule.against is Against.ALL
        asked = market.keep_claim(self.held) if keep else market.unclaim(self.held)
        return asyncio.ensure_future(asked)

    async def give_back(self) -> None:
        """Give it back, where there is one."""
        if self.held is not None:
            await self.ended(self._stations.market.unclaim(self.held))

    async def give_back_others(self, *, is_fenced: bool) -> None:
        """Give back what is not the claim of the lead that was written under this id.

        Two posts of a quote may claim two persons, and where they claim one it is the winner's.
        Where none is written, and it is not known that none will be, that is for whoever meets it.
        """
        if self.held is None:
            return
        try:
            lead = await self._stations.ledger.lead(self.held.lead_id)
        except LedgerUnavailable:
            logger.warning("claim left to whoever meets it", lead_id=self.held.lead_id)
            return
        if lead is None and not is_fenced:
            return
        left = self.held if lead is None else lead.others(self.held)
        if left.keys:
            await self.ended(self._stations.market.unclaim(left))

    async def ended(self, asked: Awaitable[None] | None) -> None:
        """Return once that is done which was asked for, if anything was; or left to others."""
        if asked is None:
            return
        try:
            await asked
        except MarketUnavailable:
            lead_id = None if self.held is None else self.held.lead_id
            logger.warning("claim left to whoever meets it", lead_id=lead_id)
