"""Plays recorded leads under a market: the real story, with buyers who say what they said."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog

from exchange.domain.caps import Hold, hold_lines
from exchange.domain.events import Event
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.quote import Quote
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.replay.books import Books, Sealing, unposted
from exchange.replay.recorded import Recorded, Sale, Sums
from exchange.replay.steps import Asked, Ended, Held, Step
from exchange.replay.surroundings import US_PER_S, Surroundings
from exchange.replay.unknown import Supposed, supposed
from exchange.replay.unlike import NOT_PLAYED, is_unlike, why_unlike
from exchange.story.carrying import carried_by
from exchange.story.patience import any_done
from exchange.story.quoting import Quoting
from exchange.story.sale import LeadSale

LONGEST_S = 1e8
"""Some years: nobody waits for so long for anything that comes."""
FAILED = "failed"

logger = structlog.get_logger(__name__)


class Quoted(NamedTuple):
    """What came of a ping that waits for its post."""

    quote: Quote | None
    events: tuple[Event, ...]


class Player:
    """Plays leads one after the other under markets of its own making; keeps counters between."""

    def __init__(
        self,
        markets: Mapping[int, Snapshot],
        settled: Mapping[tuple[str, str], int],
        before: "Player | None" = None,
    ) -> None:
        """Take the market of each recorded version, and what was settled before the first lead.

        `before`: plays the same leads first, under their own markets; it knows whose post wanted
        just what was promised, and which leads cannot be compared.
        """
        self.is_first = before is None
        self.insisted: dict[LeadId, bool] = {} if before is None else before.insisted
        self.left_out: dict[LeadId, str] = {} if before is None else before.left_out
        """Leads that are not compared, and why: what they took is taken as it was then."""
        self.markets = markets
        self.recorded: Mapping[int, Snapshot] = markets if before is None else before.markets
        self.around = Surroundings(settled)
        self.counting = self.around.counting
        self.supposed: dict[LeadId, Supposed] = {}
        self._quoted: dict[LeadId, Quoted] = {}

    async def take(self, step: Step) -> Sums | None:
        """Let one thing happen again; return what comes of a lead that can be compared."""
        self.counting.lapse(step.at_us)
        if isinstance(step, Asked):
            await self._asked(step.lead)
        elif isinstance(step, Held):
            self._hold(step)
        elif isinstance(step, Ended):
            self._count(step.version, step.lead_id, step.sales)
        else:
            return await self._come(step.lead)
        return None

    async def _come(self, lead: Recorded) -> Sums | None:
        """Sell a lead, or take what it took then where that cannot be compared."""
        lead_id = lead.lead_id
        if lead_id not in self.left_out:
            self.counting.begin()
            books = Books()
            end = await self._ended(lead, books)
            if end.status == FAILED:
                self.left_out[lead_id] = NOT_PLAYED
            elif self._is_known(lead, end, books):
                return end
            else:
                self.left_out[lead_id] = why_unlike(lead, books.events)
            self.counting.undo()
        self._quoted.pop(lead_id, None)
        self.counting.give_back(lead_id)
        self._count(lead.version, lead_id, lead.sales)
        return None

    async def _ended(self, lead: Recorded, books: Books) -> Sums:
        """Return what came of a lead; of one that cannot be played, that it cannot."""
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._play(lead, books)
        except Exception as error:  # noqa: BLE001 - one lead of thousands, of another version
            logger.warning("lead not played", lead_id=lead.lead_id, error=type(error).__name__)
            return Sums(status=FAILED)
        finally:
            self._quiet()
        return books.sums(lead.received_at_us)

    async def _play(self, lead: Recorded, books: Books) -> None:
        market = self.markets[lead.version]
        if not may_come(lead, market):
            return
        if lead.pinged is None:
            self.around.go_back_to(lead)
            await self._sell(LeadSale(self.around.stations(lead, books), market, lead.submission))
            return
        if lead.lead_id not in self._quoted:
            await self._ask(lead)
        quote, books.asked = self._quoted.pop(lead.lead_id)
        if quote is None:
            books.moments.append(unposted(lead, LeadStatus.UNSOLD))
            return
        self.around.go_back_to(lead)
        posted = self._as_wanted(lead, quote)
        carried = carried_by(quote, posted, market)
        await self._sell(LeadSale(self.around.stations(lead, books), market, posted, carried))

    async def _asked(self, lead: Recorded) -> None:
        """Quote a ping before its post comes; one that cannot be played is looked at again then."""
        try:
            await self._ask(lead)
        except Exception as error:  # noqa: BLE001 - likewise
            logger.warning("ping not played", lead_id=lead.lead_id, error=type(error).__name__)
        finally:
            self._quiet()

    async def _ask(self, lead: Recorded) -> None:
        """Quote a ping that was posted later; one without a price has no post."""
        assert lead.pinged is not None, "only pings are quoted"
        market = self.markets[lead.quoted_under]
        sealing, books = Sealing(), Books()
        if may_come(lead, market):
            self.around.go_back_to(lead)
            self.counting.original = None  # it was quoted: nobody had come first by then
            at_us = lead.pinged.lead.received_at_us
            stations = self.around.stations(lead, books, at_us=at_us, tokens=sealing)
            await Quoting(stations, market, lead.pinged).run()
        self._quoted[lead.lead_id] = Quoted(sealing.quote, books.events)

    @staticmethod
    def _quiet() -> None:
        """End what was begun beside a story."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def _is_known(self, lead: Recorded, end: Sums, books: Books) -> bool:
        """Tell whether, as it was, a lead ends as it was written and nothing had to be supposed."""
        then, now = self.recorded[lead.version], self.markets[lead.version]
        rests_on = supposed(lead, books.events, then, now)
        if self.is_first:
            return not is_unlike(lead, end) and rests_on == Supposed()
        self.supposed[lead.lead_id] = rests_on
        return True

    # What is as it was

    def _hold(self, held: Held) -> None:
        sale = Sale(held.offer_id, held.price, held.at_us)
        hold = self._hold_of(held.version, held.lead_id, held.sale_id, sale)
        if hold is not None:
            until: Hold = msgspec.structs.replace(hold, until_us=held.until_us)
            self.counting.take(until)

    def _count(self, version: int, lead_id: LeadId, sales: Sequence[Sale]) -> None:
        for number, sale in enumerate(sales):
            sale_id = SaleId(f"{lead_id}/{number}")
            hold = self._hold_of(version, lead_id, sale_id, sale)
            if hold is not None:
                self.counting.take(hold)
                self.counting.count(hold.buyer_id, sale_id)

    def _hold_of(self, version: int, lead_id: LeadId, sale_id: SaleId, sale: Sale) -> Hold | None:
        """Return what a recorded sale takes of the limits of its offer, if there still is one."""
        market = self.markets.get(version)
        offer = None if market is None else market.offers.get(sale.offer_id)
        if offer is None:
            return None
        lines = hold_lines(offer, sale.charge, sale.held_at_us, credited=Micros(0), test=False)
        return Hold(
            sale_id=sale_id,
            lead_id=lead_id,
            buyer_id=offer.buyer.id,
            held_at_us=sale.held_at_us,
            lines=lines,
        )

    # The story

    def _as_wanted(self, lead: Recorded, quote: Quote) -> Submission:
        """Return a post that wants what its quote promises, where it wanted just that then."""
        posted = lead.submission
        if self.is_first:
            self.insisted[lead.lead_id] = posted.lead.min_price == quote.least
        if not self.insisted.get(lead.lead_id):
            return posted
        wanted = msgspec.structs.replace(posted.lead, min_price=quote.least)
        changed: Submission = msgspec.structs.replace(posted, lead=wanted)
        return changed

    async def _sell(self, sale: LeadSale) -> None:
        """Run the story to its end; its seller hears `pending` where its time is up first."""
        task = asyncio.ensure_future(sale.run())
        wait_s = (sale.lead.answer_by_us - sale.lead.received_at_us) / US_PER_S
        await any_done((task,), max(0.0, wait_s))
        if not task.done():
            await sale.tell_pending()
        await task


def may_come(lead: Recorded, market: Snapshot) -> bool:
    """Tell whether a market takes leads of this seller in this campaign at all."""
    campaign = market.campaigns.get(lead.campaign_id)
    seller_id = lead.submission.lead.seller_id
    return campaign is not None and seller_id in campaign.sellers and seller_id in market.sellers
