"""Plays recorded leads under a market: the real story, with buyers who say what they said."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any, cast

import msgspec

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.tender import AuctionResult, Tender
from exchange.domain.ids import LeadId
from exchange.domain.quote import Quote
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.replay.books import REFUSED, Books, Sealing, unposted
from exchange.replay.buyers import Admission, Courier, Nowhere, Rates, Said, Unheard, Wire
from exchange.replay.counting import Counting
from exchange.replay.lessons import Remembered
from exchange.replay.recorded import Recorded, Sums
from exchange.story.carrying import carried_by
from exchange.story.patience import any_done
from exchange.story.quoting import Quoting
from exchange.story.sale import LeadSale
from exchange.story.stations import Limits, Stations

US_PER_S = 1_000_000
NEVER_S = 1e9
LIMITS = Limits(repeat_first_s=NEVER_S, repeat_longest_s=NEVER_S, written_within_s=(0.0,))
"""Doubts are not repeated here: what came of them is known, and when. The lead of another's claim
was written."""


class Asking:
    """The real auction, by the stage that it is asked for."""

    def __init__(self, said: Said, auction: Auction) -> None:
        """Take whose stage it sets, and who runs it."""
        self._said = said
        self._auction = auction

    async def run(self, tender: Tender) -> AuctionResult:
        """Ask every contender, once."""
        self._said.stage = int(tender.auction_id.rpartition("/")[2])
        return await self._auction.run(tender)


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
        just what was promised.
        """
        self.is_first = before is None
        self.insisted: dict[LeadId, bool] = {} if before is None else before.insisted
        self.markets = markets
        self.counting = Counting(settled)
        self.said = Said()
        self.remembered = Remembered()

    async def play(self, lead: Recorded) -> Sums:
        """Return what would have come of this lead."""
        market = self.markets[lead.version]
        campaign = market.campaigns.get(lead.campaign_id)
        seller_id = lead.submission.lead.seller_id
        if campaign is None or seller_id not in campaign.sellers or seller_id not in market.sellers:
            return Sums(status=REFUSED)
        self.said.of(lead)
        self.remembered.of(lead.campaign_id, lead.learned)
        self.counting.original, self.counting.bought = lead.original, lead.bought_by
        self.counting.tried = lead.tried
        books, beside = Books(), list[asyncio.Task[object]]()
        try:
            if lead.pinged is None:
                await self._sell(
                    LeadSale(self._stations(lead, books, beside), market, lead.submission)
                )
            else:
                await self._sell_quoted(lead, lead.pinged, market, books, beside)
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        return books.sums(lead.received_at_us)

    async def _sell_quoted(
        self,
        lead: Recorded,
        pinged: Submission,
        market: Snapshot,
        books: Books,
        beside: list[asyncio.Task[object]],
    ) -> None:
        """Quote the ping, and post it where it is quoted; a ping without a price has no post."""
        sealing = Sealing()
        at_us = pinged.lead.received_at_us
        stations = self._stations(lead, Books(), beside, at_us=at_us, tokens=sealing)
        await Quoting(stations, market, pinged).run()
        if sealing.quote is None:
            end = LeadStatus.UNSOLD
            books.moments.append(unposted(lead, end))
            return
        posted = self._as_wanted(lead, sealing.quote)
        carried = carried_by(sealing.quote, posted, market)
        stations = self._stations(lead, books, beside)
        await self._sell(LeadSale(stations, market, posted, carried))

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

    def _stations(
        self,
        lead: Recorded,
        books: Books,
        beside: list[asyncio.Task[object]],
        *,
        at_us: int | None = None,
        tokens: Sealing | None = None,
    ) -> Stations:
        loop = asyncio.get_running_loop()
        began_s, began_us = loop.time(), lead.received_at_us if at_us is None else at_us

        def now_us() -> int:
            return began_us + round((loop.time() - began_s) * US_PER_S)

        def spawn(work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
            task = asyncio.ensure_future(work)
            beside.append(task)
            return task

        wire = Wire(self.said)
        auction = Auction(
            wire,
            Admission(self.said),
            Nowhere(),
            monotonic=loop.time,
            entropy=chance(lead.lead_id),
            limits=AuctionLimits(),
            racing=wire,
        )
        return Stations(
            ledger=books,
            market=self.counting,
            auction=Asking(self.said, auction),
            delivery=Courier(self.said),
            tokens=tokens or Sealing(),
            observer=cast("Any", Unheard()),
            now_us=now_us,
            monotonic=loop.time,
            entropy=chance(f"sale/{lead.lead_id}"),
            spawn=spawn,
            claim_secret=b"replay",
            lessons=lambda: cast("Any", self.remembered),
            rates=Rates(self.said),
            limits=LIMITS,
        )


def chance(seed: str) -> Callable[[int], bytes]:
    """Return a source of bytes that follows from its seed."""
    numbers = count()

    def drawn(size: int) -> bytes:
        return hashlib.sha256(f"{seed}/{next(numbers)}".encode()).digest()[:size]

    return drawn
