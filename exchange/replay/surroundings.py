"""What surrounds a lead that is sold again: stations that answer from the record."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any, cast

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.tender import AuctionResult, Tender
from exchange.replay.books import Books, Sealing
from exchange.replay.buyers import Admission, Courier, Nowhere, Rates, Said, Unheard, Wire
from exchange.replay.counting import Counting
from exchange.replay.lessons import Remembered
from exchange.replay.recorded import Recorded
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


class Surroundings:
    """Knows what was known when a lead came; keeps counters from one lead to the next."""

    def __init__(self, settled: Mapping[tuple[str, str], int]) -> None:
        """Take what was settled before the first lead."""
        self.counting = Counting(settled)
        self._said = Said()
        self._remembered = Remembered()

    def go_back_to(self, lead: Recorded) -> None:
        """Let everybody know what was known when this lead came."""
        self._said.of(lead)
        self._remembered.of(lead.campaign_id, lead.learned)
        self.counting.original, self.counting.bought = lead.original, lead.bought_by
        self.counting.tried = lead.tried

    def stations(
        self,
        lead: Recorded,
        books: Books,
        *,
        at_us: int | None = None,
        tokens: Sealing | None = None,
    ) -> Stations:
        """Return what a story stands on; its time begins now, at the lead's own or `at_us`."""
        loop = asyncio.get_running_loop()
        began_s, began_us = loop.time(), lead.received_at_us if at_us is None else at_us
        beside: list[asyncio.Task[object]] = []

        def now_us() -> int:
            return began_us + round((loop.time() - began_s) * US_PER_S)

        def spawn(work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
            task = asyncio.ensure_future(work)
            beside.append(task)
            return task

        wire = Wire(self._said)
        auction = Auction(
            wire,
            Admission(self._said),
            Nowhere(),
            monotonic=loop.time,
            entropy=chance(lead.lead_id),
            limits=AuctionLimits(),
            racing=wire,
        )
        return Stations(
            ledger=books,
            market=self.counting,
            auction=Asking(self._said, auction),
            delivery=Courier(self._said),
            tokens=tokens or Sealing(),
            observer=cast("Any", Unheard()),
            now_us=now_us,
            monotonic=loop.time,
            entropy=chance(f"sale/{lead.lead_id}"),
            spawn=spawn,
            claim_secret=b"replay",
            lessons=lambda: cast("Any", self._remembered),
            rates=Rates(self._said),
            limits=LIMITS,
        )


def chance(seed: str) -> Callable[[int], bytes]:
    """Return a source of bytes that follows from its seed."""
    numbers = count()

    def drawn(size: int) -> bytes:
        return hashlib.sha256(f"{seed}/{next(numbers)}".encode()).digest()[:size]

    return drawn
