"""An auction that is decided early: who was silent has its result at once, and is heard later."""

import asyncio

import pytest

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.health import Health, HealthLimits
from exchange.auction.tender import Tender
from exchange.domain.bid import Contender
from exchange.domain.closing import Closing
from exchange.domain.lead import Fingerprint
from exchange.domain.money import Micros
from exchange.domain.offer import PingTerms, PriceRule
from exchange.domain.reason import Reason
from exchange.wire.call import Outcome
from exchange.wire.endpoints import Endpoints
from tests.making import DOLLAR, NOW_US, an_offer
from tests.unit.test_auction import SHOWING


class Script:
    """A wire whose calls are answered when a test says so."""

    def __init__(self):
        self.calls = {}
        self.hear = None
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def fan_out(self, calls, deadline_at, on_answer=None):
        del deadline_at
        self.calls = {call.tag.offer.id: call for call in calls}
        self.hear = on_answer
        self.begun.set()
        try:
            await self.ended.wait()
        finally:
            for call in calls:
                if call.outcome is Outcome.WAITING:
                    call.outcome = Outcome.ABANDONED

    def answer(self, name, bid):
        call = self.calls[name]
        call.outcome, call.status = Outcome.ANSWERED, 200
        call.body = b'{"bid": %d}' % bid
        self.hear(call)
        if all(one.outcome is not Outcome.WAITING for one in self.calls.values()):
            self.ended.set()


class Running:
    """One auction under way."""

    def __init__(self, closing, *offers, floor=0):
        self.wire = Script()
        self.health = Health(HealthLimits(), lambda: 5.0)
        auction = Auction(
            self.wire,
            self.health,
            Endpoints({}),
            monotonic=lambda: 5.0,
            entropy=lambda count: b"e" * count,
            limits=AuctionLimits(),
            racing=self.wire,
        )
        contenders = [Contender(one, Micros(floor), one.static_price({})) for one in offers]
        tender = Tender(
            auction_id="lead/1", showing=SHOWING, fingerprint=Fingerprint(), hashed=(),
            seller_id="fast", source_id="s", contenders=tuple(contenders), at_us=NOW_US,
            timeout_ms=300.0, closing=closing,
        )  # fmt: skip
        self.reasons = []
        """Why each contender did not bid, as whoever waits for the auction finds it."""
        self.task = asyncio.ensure_future(self.run(auction, tender))

    async def run(self, auction, tender):
        result = await auction.run(tender)
        self.reasons = [one.reason for one in result.results]
        return result

    @property
    def in_flight(self):
        return sum(one.in_flight for one in self.health.offers.values())


def asked(name, most):
    return an_offer(name, ping=PingTerms("http://127.0.0.1:9/", 200, Micros(most * DOLLAR)))


def static(name, price):
    return an_offer(name, ping=None, prices=(PriceRule(None, Micros(price * DOLLAR)),))


BOUNDS = Closing(by_bounds=True)


async def test_the_silent_are_cut_off_and_heard_for_whoever_needs_a_stand_in():
    """The result stands at once; their answers come in one by one, below the floor or not."""
    running = Running(BOUNDS, asked("a-1", 50), asked("b-1", 9), asked("c-1", 9), floor=3 * DOLLAR)
    await running.wire.begun.wait()
    running.wire.answer("a-1", 10)
    result = await running.task
    assert [bid.offer.id for bid in result.ranked] == ["a-1"]
    assert [one.reason for one in result.results] == [None, Reason.CUT_OFF, Reason.CUT_OFF]
    assert result.early.left_ms == 200
    assert running.in_flight == 2
    assert result.early.rest.take() == ()
    running.wire.answer("c-1", 8)
    running.wire.answer("b-1", 2)
    await result.early.rest.heard_out()
    late = [one.contender for one in result.early.rest.take()]
    assert [(one.offer.id, one.reason) for one in late] == [
        ("c-1", None),
        ("b-1", Reason.BELOW_FLOOR),
    ]
    assert (running.in_flight, result.early.rest.take()) == (0, ())


async def test_where_all_have_answered_nothing_was_early():
    """The last answer ends an auction as it always did, also where it reaches a price."""
    closing = Closing(by_bounds=True, buy_now={"b-1": Micros(DOLLAR)})
    running = Running(closing, asked("a-1", 50), asked("b-1", 50))
    await running.wire.begun.wait()
    running.wire.answer("a-1", 10)
    running.wire.answer("b-1", 5)
    result = await running.task
    assert result.early is None
    assert [bid.offer.id for bid in result.ranked] == ["a-1", "b-1"]


@pytest.mark.parametrize("is_last", [True, False])
async def test_who_answers_right_behind_the_answer_that_decided_is_cut_off(is_last):
    """Whether or not it was there already before anybody was told; it stands in all the same."""
    more = () if is_last else (asked("c-1", 50),)
    closing = Closing(buy_now={name: Micros(5 * DOLLAR) for name in ("a-1", "b-1")})
    running = Running(closing, asked("a-1", 50), asked("b-1", 50), *more)
    await running.wire.begun.wait()
    running.wire.answer("a-1", 5)
    running.wire.answer("b-1", 9)
    result = await running.task
    assert [bid.offer.id for bid in result.ranked] == ["a-1"]
    assert running.reasons[:2] == [None, Reason.CUT_OFF]
    running.wire.ended.set()
    await result.early.rest.heard_out()
    late = [(one.contender.offer.id, one.bid.price) for one in result.early.rest.take() if one.bid]
    assert late == [("b-1", 9 * DOLLAR)]
    assert running.in_flight == 0


async def test_buy_now_wins_before_a_higher_bid_that_came_first():
    """Who reaches its own price first has it; the better bid that did not stands in."""
    closing = Closing(buy_now={"b-1": Micros(5 * DOLLAR)})
    running = Running(closing, asked("a-1", 50), asked("b-1", 50), asked("c-1", 50))
    await running.wire.begun.wait()
    running.wire.answer("a-1", 10)
    running.wire.answer("b-1", 5)
    result = await running.task
    assert [bid.offer.id for bid in result.ranked] == ["b-1", "a-1"]
    assert result.results[2].reason is Reason.CUT_OFF
    running.wire.ended.set()
    await result.early.rest.heard_out()


async def test_a_static_price_decides_before_anybody_has_answered():
    """All are asked all the same, for they may have to stand in."""
    closing = Closing(buy_now={"s-1": Micros(5 * DOLLAR)})
    running = Running(closing, static("s-1", 6), asked("a-1", 50))
    result = await running.task
    assert [bid.offer.id for bid in result.ranked] == ["s-1"]
    await running.wire.begun.wait()
    running.wire.answer("a-1", 9)
    await result.early.rest.heard_out()
    assert [one.bid.price for one in result.early.rest.take()] == [9 * DOLLAR]


@pytest.mark.parametrize("begun", [True, False])
async def test_an_auction_that_is_cancelled_leaves_no_call_under_way(begun):
    """Whether its pings were out or not: whoever was admitted has ended."""
    running = Running(BOUNDS, asked("a-1", 50), asked("b-1", 9))
    if begun:
        await running.wire.begun.wait()
    else:
        await asyncio.sleep(0)
    running.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running.task
    for _ in range(5):
        await asyncio.sleep(0)
    assert running.in_flight == 0
