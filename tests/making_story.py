"""One lead's story on scripted stations: every call is a step that may fail or be cut off there.

What was done stands in one journal, in order, so that a test can say what must hold whatever
went wrong. The real stores tell the rest of the story in the integration and acceptance tests.
"""

import asyncio
import os
from enum import Enum, auto

import msgspec

from exchange.auction.tender import AuctionResult
from exchange.configuration.compiling.plans import plans_of
from exchange.delivery.answer import Accepted
from exchange.delivery.delivery import Delivered
from exchange.domain.bid import Bid
from exchange.domain.campaign import Against, DuplicateRule, DuplicateScope, MatchOn
from exchange.domain.caps import HoldRefused
from exchange.domain.moment import LeadEnd
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind, OnNoAnswer, Per, PostTerms
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import StoredLead, StoredSale
from exchange.market.errors import MarketUnavailable
from exchange.story.stations import Limits, Stations
from exchange.story.story import Story
from exchange.story.waiting import Waiting
from tests.making import DOLLAR, NOW_US, a_campaign, a_lead, a_stage, a_submission, an_offer
from tests.making_intake import AUTO, SELLER

BUYERS = ("acme", "bravo", "cargo")
"""In the order of their bids, the best first."""

ENDED_BY_ANOTHER = LeadEnd(status=LeadStatus.UNSOLD, reason=Reason.DEADLINE)

REPEAT_S, IN_DOUBT_S, POST_MS = 0.002, 0.04, 20


class Fault(Enum):
    """What may befall a step."""

    DOWN = auto()
    """The store does not answer, and did nothing."""
    LOST = auto()
    """The store did it, but its answer was lost."""
    FENCED = auto()
    """Somebody else wrote this moment before; no other step knows of such a thing."""
    CUT = auto()
    """The worker closes here, before the store did it (what was handed to the ledger is done)."""
    CUT_LATE = auto()
    """The worker closes here; the store did it."""


class Done(msgspec.Struct, frozen=True):
    """What was done: by which station, for which sale, and with a moment what was written."""

    what: str
    sale_id: str | None = None
    moment: object = None


class Observer:
    """Counts nothing."""

    def __getattr__(self, name):
        return lambda *_args, **_more: None


class Scene:
    """The stations of one story; `faults` says by step, its number or its name, what goes wrong."""

    def __init__(
        self, *answers, faults=None, wait_s=30.0, on_no_answer=OnNoAnswer.WAIT, is_patient=False,
        most=1,
    ):  # fmt: skip
        self.answers = list(answers)
        self.faults = faults or {}
        self.steps = []
        self.journal = []
        self.moments = {}
        self.beside = set()
        self.answering_for = set()
        self.refuses_holds = False
        self.posted = asyncio.Event()
        self.snapshot = a_market(on_no_answer, is_patient=is_patient, most=most)
        # A market takes its time, too: it stands before the clock begins.
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.now_us = lambda: NOW_US + int((loop.time() - began) * 1e6)
        self.submission = a_submission(lead=a_lead(answer_by_us=NOW_US + int(wait_s * 1e6)))
        self.stations = Stations(
            ledger=self, market=self, auction=self, delivery=self, tokens=self,
            observer=Observer(), now_us=self.now_us, monotonic=loop.time, entropy=os.urandom,
            spawn=self.spawn, claim_secret=b"s", limits=Limits(repeat_first_s=REPEAT_S),
        )  # fmt: skip
        self.story = Story(self.stations, self, self, lambda: self.snapshot, self, Waiting())

    async def sell(self):
        """Return what the seller hears: an answer, or the outage that it is told of."""
        try:
            return await self.story.sell(self.submission, self.snapshot)
        except (LedgerUnavailable, MarketUnavailable) as outage:
            return outage

    async def end(self):
        """Let all that goes on beside the story come to its end, as a shutdown does."""
        while self.beside or self.story.under_way:  # noqa: ASYNC110 - tasks come and go
            await asyncio.sleep(0.001)

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.beside.add(task)
        task.add_done_callback(self.beside.discard)
        return task

    async def step(self, name, do, outage):
        """Do one thing, unless something befalls it."""
        fault = self.faults.get(len(self.steps), self.faults.get(name))
        self.steps.append(name)
        if fault is Fault.CUT_LATE or (
            fault is Fault.CUT and isinstance(outage, LedgerUnavailable)
        ):
            result = do()
            self.spawn(self.story.close())
            await asyncio.sleep(0.001)
            return result
        if fault is Fault.CUT:
            self.spawn(self.story.close())
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        if fault is Fault.DOWN:
            raise outage
        result = do()
        await asyncio.sleep(0)
        if fault is Fault.LOST:
            raise outage
        return result

    # The ledger and its archive

    async def commit(self, moment):
        def write():
            if moment.number in self.moments:
                return False
            assert moment.number == len(self.moments) + 1, "no moment leaves a gap"
            self.moments[moment.number] = moment
            sale_id = moment.award.sale_id if moment.award else None
            self.journal.append(Done(str(moment.kind), sale_id, moment))
            return True

        fault = self.faults.get(len(self.steps), self.faults.get(str(moment.kind)))
        if fault is Fault.FENCED:
            self.moments[moment.number] = None
        return await self.step(str(moment.kind), write, LedgerUnavailable())

    async def lead(self, lead_id):
        rows = [moment.lead for moment in self.moments.values() if moment and moment.lead]
        if not rows:
            return None
        ends = [moment.lead_end for moment in self.moments.values() if moment and moment.lead_end]
        if self.is_anothers:
            ends = [ENDED_BY_ANOTHER]
        return StoredLead(
            lead_id=lead_id, received_at_us=NOW_US, row=rows[0], last_number=len(self.moments),
            pending=False, end=ends[0] if ends else None, ended_at_us=NOW_US,
            sales=self.sales(),
        )  # fmt: skip

    def sales(self):
        """Every award that was written, and its end."""
        written = [moment for moment in self.moments.values() if moment]
        ends = {one.sale_end.sale_id: one.sale_end for one in written if one.sale_end}
        return tuple(
            StoredSale(award=one.award, end=ends.get(one.award.sale_id), ended_at_us=NOW_US)
            for one in written
            if one.award
        )

    @property
    def is_anothers(self):
        """Another worker wrote a moment of this lead; it ended it, too."""
        return None in self.moments.values()

    async def at(self, version):
        return self.snapshot if version == self.snapshot.version else None

    async def quote(self, lead_id):
        del lead_id

    async def timeline(self, lead_id):
        del lead_id
        return []

    async def merged(self, lead_id):
        del lead_id
        return ()

    # The leases

    def opened(self, lead_id, received_at_us):
        del received_at_us
        self.answering_for.add(lead_id)

    def closed(self, lead_id):
        self.answering_for.discard(lead_id)

    # Market state

    epoch = ""

    async def market(self, what, sale_id=None, answer=None):
        def do():
            self.journal.append(Done(what, sale_id))
            return answer

        return await self.step(what, do, MarketUnavailable(address="here", problem="down"))

    async def claim(self, claim):
        del claim
        return await self.market("claim")

    async def keep_claim(self, claim):
        del claim
        await self.market("keep_claim")

    async def unclaim(self, claim):
        del claim
        await self.market("unclaim")

    async def hold(self, hold):
        line = hold.lines[0]
        refused = HoldRefused(line.counter, line.reason) if self.refuses_holds else None
        return await self.market("hold", hold.sale_id, refused)

    async def settle(self, buyer_id, sale_id, amount=None):
        del buyer_id, amount
        return await self.market("settle", sale_id, answer=True)

    async def release(self, buyer_id, sale_id):
        del buyer_id
        return await self.market("release", sale_id, answer=True)

    def doubt(self, holder):
        self.journal.append(Done("doubt", holder))

    def used(self, buyer_id):
        del buyer_id
        return {}

    def settled(self, buyer_id):
        del buyer_id
        return {}

    # The buyers

    async def run(self, tender):
        await asyncio.sleep(0)
        bids = [
            Bid(offer=contender.offer, price=Micros((20 - number) * DOLLAR))
            for number, contender in enumerate(tender.contenders)
        ]
        return AuctionResult(ranked=tuple(bids), results=(), exchanged=())

    async def post(self, parcel, *, repeated):
        """Answer with the next of the script, after its seconds where it has some."""
        self.steps.append("post")
        self.journal.append(Done("repeat" if repeated else "post", parcel.sale_id))
        self.posted.set()
        answer = self.answers.pop(0) if self.answers else Accepted()
        after_s, result = answer if isinstance(answer, tuple) else (0, answer)
        await asyncio.sleep(after_s)
        return Delivered(result, 1.0)


def a_market(on_no_answer, *, is_patient=False, most=1):
    """Three buyers with a cap each, and a campaign that checks for duplicates.

    `most`: so many of them share a lead.
    """
    post_ms, in_doubt_s = (1000, 60) if is_patient else (POST_MS, IN_DOUBT_S)
    post = PostTerms("http://127.0.0.1:9/post", post_ms, on_no_answer, in_doubt_s)
    offers = {
        name: an_offer(name, post=post, caps=(Cap(f"offer/{name}", CapKind.LEADS, 9, Per.DAY),))
        for name in BUYERS
    }
    rule = DuplicateRule(3600, ("phone",), MatchOn.ANY, Against.SOLD, DuplicateScope.CAMPAIGN)
    campaigns = {
        "auto-us": a_campaign(stages=(a_stage(*BUYERS, max_buyers=most),), duplicates=rule)
    }
    verticals = {"auto": AUTO}
    return Snapshot(
        version=1,
        verticals=verticals,
        sellers={"fastquotes": SELLER},
        buyers={name: offer.buyer for name, offer in offers.items()},
        offers=offers,
        campaigns=campaigns,
        keys={},
        credited={},
        plans=plans_of(1, campaigns.values(), offers, verticals),
    )
