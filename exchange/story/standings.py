"""Where any lead stands, as the books have it: told, explained, or waited for."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from exchange.contract.operator import CaptureOut
from exchange.contract.seller import Original
from exchange.contract.standing import Standing
from exchange.domain.events import Event
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.moment import QuoteRow
from exchange.domain.snapshot import Snapshot
from exchange.ledger.stored import Capture, Part, StoredLead
from exchange.story.captures import published
from exchange.story.explaining import Screened, explained
from exchange.story.reading import as_original, standing, woven
from exchange.story.record import facts, read
from exchange.story.stations import Stations
from exchange.story.veiling import veiled, words_without
from exchange.story.waiting import Waiting

LOOK_AGAIN_S = 1.0
"""A lead that nobody was told to wait for ends without a notice; then this is how late we learn."""


class Archive(Protocol):
    """What was written, read back."""

    async def lead(self, lead_id: LeadId) -> StoredLead | None:
        """Return a lead with its end and its sales."""

    async def quote(self, lead_id: LeadId) -> QuoteRow | None:
        """Return a quote's row, or None."""

    async def is_used(self, lead_id: LeadId) -> bool:
        """Tell whether a quote cannot be posted any more."""

    async def timeline(self, lead_id: LeadId) -> list[Event]:
        """Return all events of a lead, in order."""

    async def merged(self, lead_id: LeadId) -> tuple[Part, ...]:
        """Return what is part of a lead, in the order in which it came."""

    async def captures(self, lead_id: LeadId) -> list[Capture]:
        """Return the exact bytes that were exchanged, as long as they are kept."""

    async def record(self, lead_id: LeadId) -> bytes | None:
        """Return the full record; None once it was erased."""

    async def records(self, lead_id: LeadId) -> list[bytes | None]:
        """Return the full records, a quote's before its lead's; None for one that was erased."""


class Past(Protocol):
    """The market as it was."""

    async def at(self, version: int) -> Snapshot | None:
        """Return the market of a version; None where it cannot be read any more."""


class Standings:
    """Reads where leads stand, whichever worker sold them."""

    def __init__(
        self,
        stations: Stations,
        archive: Archive,
        market: Callable[[], Snapshot],
        past: Past,
        waiting: Waiting,
    ) -> None:
        """Take the clock's station, the books, the market as it is and was, who hears of moves."""
        self._stations = stations
        self._archive = archive
        self._market = market
        self._past = past
        self._waiting = waiting

    async def standing(self, lead_id: LeadId) -> Standing | None:
        """Tell where a lead stands; None where there is none, or only a quote.

        What was merged into another lead stands as its seller hears of it.
        """
        stored = await self._archive.lead(lead_id)
        if stored is None:
            return None
        events = await self._archive.timeline(lead_id)
        if stored.row.claim is not None:  # else nobody can have come after it
            events = woven(events, await self._archive.merged(lead_id))
        first = None if stored.end is None else stored.end.original
        original = await self.original(stored.row.seller_id, first)
        return standing(stored, events, self._market(), original)

    async def explained(self, standing: Standing) -> Standing:
        """Return it with every offer that was left out by itself, and all there is to say of it.

        Less the person, whom its buyers may have named.
        """
        lead_id = LeadId(standing.answer.lead_id)
        standing = veiled(standing, await self._archive.record(lead_id))
        versions = {event.version for event in standing.events if event.version is not None}
        if not versions:
            return standing
        records = await self._archive.records(lead_id)
        screened = Screened(
            campaign_id=standing.campaign_id,
            test=standing.test,
            markets={version: await self._past.at(version) for version in versions},
            records=[None if one is None else facts(one) for one in records],
        )
        told: Standing = msgspec.structs.replace(
            standing,
            events=tuple(explained(standing.events, screened)),
            buyers=screened.buyers(),
        )
        return told

    async def captures(self, lead_id: LeadId) -> tuple[CaptureOut, ...]:
        """Return the exact requests and answers that are still kept, identity masked."""
        kept = await self._archive.captures(lead_id)
        return published(kept, await self._archive.record(lead_id) if kept else None)

    async def without_person(self, lead_id: LeadId, *words: str | None) -> tuple[str | None, ...]:
        """Return somebody's words on a lead without its person; none once that was erased."""
        said = any(text is not None for text in words)
        record = await self._archive.record(lead_id) if said else None
        person = None if record is None else read(record).person
        return tuple(words_without(text, person) for text in words)

    async def ended(self, lead_id: LeadId, timeout_s: float, sale_id: SaleId | None = None) -> None:
        """Wait until the lead, or this sale of it, has ended, on whichever worker.

        But no longer than this.
        """
        async with self._waiting.of(lead_id) as moved:
            deadline = self._stations.monotonic() + timeout_s
            while (left_s := deadline - self._stations.monotonic()) > 0:
                stored = await self._archive.lead(lead_id)
                if stored is None or stored.end is not None or sale_id in ended_sales(stored):
                    return
                await moved(min(left_s, LOOK_AGAIN_S))

    async def original(self, seller_id: str, lead_id: LeadId | None) -> Original | None:
        """Return the first lead of a duplicate, where the same seller sent it."""
        first = None if lead_id is None else await self._archive.lead(lead_id)
        if first is None or first.row.seller_id != seller_id:
            return None
        return as_original(first)


def ended_sales(stored: StoredLead) -> set[SaleId]:
    """Return the sales of a lead that have their end."""
    return {sale.award.sale_id for sale in stored.sales if sale.end is not None}
