"""Who is tried after whom: turns are taken one by one, and who answers late joins those left."""

import asyncio

import msgspec
import pytest

from exchange.domain.bid import Bid
from exchange.domain.campaign import Method, Weights
from exchange.domain.money import Micros
from exchange.market.errors import MarketUnavailable
from exchange.story.ending import Course
from exchange.story.succession import InTurn, Joined, Succession
from exchange.story.turning import Turning
from tests.making import DOLLAR, a_lead, a_stage, an_offer


class Turns:
    """Market state that gives turns in the order of names, or is away."""

    def __init__(self, *, is_up=True):
        self.asked = []
        self.is_up = is_up

    async def turn(self, turn):
        self.asked.append(turn)
        if not self.is_up:
            raise MarketUnavailable(address="its server", problem="is away")
        names = sorted(one.offer_id for one in turn.candidates)
        return tuple(sorted(names, key=lambda name: name != turn.chosen))


def bids(*names, priority=0):
    return tuple(
        Bid(offer=an_offer(name, priority=priority, weight=7), price=Micros(DOLLAR))
        for name in names
    )


def in_turn(turns, standing, *, promised=False, posted_to=(), **stage):
    """Return the succession of a stage, its course, and where its first order is told."""
    told, course = [], Course()
    turning = Turning(turns, a_lead(), a_stage(method=Method.ROUND_ROBIN, **stage))
    order = InTurn(standing, turning, course, posted_to, told.append, is_promised=promised)
    return order, course, told


async def names_of(order):
    return [bid.offer.id async for bid in order]


async def test_each_attempt_is_a_turn_among_those_who_are_left():
    """A refusal is told with the next turn; a cap that was full is none."""
    turns, posted_to = Turns(), set()
    order, _, told = in_turn(turns, bids("c-1", "a-1", "b-1"), posted_to=posted_to)
    tried = []
    async for bid in order:
        tried.append(bid.offer.id)
        if bid.offer.id == "a-1":
            posted_to.add(bid.offer.buyer.id)  # posted, and refused; b-1 had no room
    assert tried == ["a-1", "b-1", "c-1"]
    assert [(one.step, one.refused, len(one.candidates)) for one in turns.asked] == [
        (1, "", 3),
        (2, "a-1", 2),
        (3, "", 1),
    ]
    assert [[bid.offer.id for bid in standing] for standing in told] == [["a-1", "b-1", "c-1"]]


async def test_an_offer_whose_buyer_was_sent_the_lead_has_no_turn_and_refused_none():
    """Two offers of one buyer: the second is only named, and the next turn tells of the first."""
    turns, posted_to = Turns(), set()
    first, second, other = bids("a-1", "a-2", "b-1")
    buyer = msgspec.structs.replace(second.offer.buyer, id=first.offer.buyer.id)
    offer = msgspec.structs.replace(second.offer, buyer=buyer)
    second = msgspec.structs.replace(second, offer=offer)
    order, _, _ = in_turn(turns, (first, second, other), posted_to=posted_to)
    tried = []
    async for bid in order:
        tried.append(bid.offer.id)
        posted_to.add(bid.offer.buyer.id)
    assert tried == ["a-1", "a-2", "b-1"]
    asked = [[one.offer_id for one in turn.candidates] for turn in turns.asked]
    assert asked == [["a-1", "a-2", "b-1"], ["b-1"]]
    assert [turn.refused for turn in turns.asked] == ["", "a-1"]


async def test_a_promised_turn_is_taken_by_the_one_it_was_promised_to():
    """Its ranking stands already; after it turns are as they are."""
    turns = Turns()
    order, _, told = in_turn(turns, bids("c-1", "a-1", "b-1"), promised=True)
    assert await names_of(order) == ["c-1", "a-1", "b-1"]
    assert [one.chosen for one in turns.asked] == ["c-1", "", ""]
    assert told == []


async def test_nobody_has_a_turn_once_the_time_is_over():
    """Those left are named, each for its reason; no turn is spent on them."""
    turns = Turns()
    order, course, _ = in_turn(turns, bids("a-1", "b-1", "c-1"))
    assert (await anext(order)).offer.id == "a-1"
    course.out_of_time = True
    assert await names_of(order) == ["b-1", "c-1"]
    assert len(turns.asked) == 1


async def test_where_market_state_is_away_the_lot_decides_and_all_are_tried():
    """Selling goes on: what a turn is worth is fairness, not a lead."""
    order, _, _ = in_turn(Turns(is_up=False), bids("a-1", "b-1", "c-1"))
    assert sorted(await names_of(order)) == ["a-1", "b-1", "c-1"]


@pytest.mark.parametrize(
    ("method", "weights", "weight", "follows"),
    [
        (Method.ROUND_ROBIN, Weights.FIXED, 1, False),
        (Method.WEIGHTED, Weights.FIXED, 7, False),
        (Method.WEIGHTED, Weights.ACCEPTANCE, 7, True),
    ],
)
async def test_a_turn_is_asked_for_as_its_stage_says(method, weights, weight, follows):
    """Round robin knows no weights; test leads have turns of their own."""
    turns = Turns()
    stage = a_stage(method=method, weights=weights, number=3)
    await Turning(turns, a_lead(test=True), stage).take(bids("a-1", "b-1"))
    [turn] = turns.asked
    assert (turn.scope, turn.stage) == ("campaign:auto-us:test", 3)
    assert [one.weight for one in turn.candidates] == [weight, weight]
    assert turn.follows_acceptance is follows


@pytest.mark.parametrize("weights", [Weights.FIXED, Weights.ACCEPTANCE])
async def test_the_last_refusal_is_told_where_weights_follow_acceptance(weights):
    """Nobody is left to take a turn with which it would be told."""
    turns, posted_to = Turns(), set()
    order, _, _ = in_turn(turns, bids("a-1"), posted_to=posted_to, weights=weights)
    async for bid in order:
        posted_to.add(bid.offer.buyer.id)
    told = [(one.step, one.refused, len(one.candidates)) for one in turns.asked]
    assert told == [(1, "", 1), (2, "a-1", 0)][: 1 + (weights is Weights.ACCEPTANCE)]


async def test_a_look_at_one_costs_no_question():
    """It is its turn in any case."""
    turns = Turns()
    await Turning(turns, a_lead(), a_stage(method=Method.WEIGHTED)).look(bids("a-1"))
    assert turns.asked == []


async def test_plain_bids_are_tried_as_they_stand_and_those_left_are_known():
    """What the next one pays may depend on them."""
    order = Succession(bids("a-1", "b-1"))
    first = await anext(order)
    assert (first.offer.id, [bid.offer.id for bid in order.left]) == ("a-1", ["b-1"])
    assert await names_of(order) == ["b-1"]


async def test_who_answers_late_joins_and_the_silent_are_waited_for_at_the_end():
    """Nobody is waited for while somebody is left."""
    news = [bids("late-1"), (), bids("last-1"), ()]
    waited = []

    def late(left):
        return [*left, *news.pop(0)]

    async def hear_out():
        await asyncio.sleep(0)
        waited.append(len(news))

    order = Joined(bids("a-1"), late, hear_out)
    assert (await anext(order)).offer.id == "a-1"
    assert (await anext(order)).offer.id == "late-1"
    assert waited == []
    assert (await anext(order)).offer.id == "last-1"
    assert waited == [2]
    news += [(), ()]
    assert await names_of(order) == []
