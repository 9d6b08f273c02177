"""Room that a quote holds for a leg: an award takes it over, unless it was given back before."""

from types import SimpleNamespace

import pytest

from exchange.domain.bid import Bid
from exchange.domain.caps import HoldRefused
from exchange.domain.legs import Kept, QuotedLeg
from exchange.domain.money import Micros
from exchange.domain.paying import Deal
from exchange.domain.reason import Reason
from exchange.domain.trials import NO_TRIALS
from exchange.story.awarding import Awarding
from exchange.story.chain import Chain
from exchange.story.concluding import Concluding
from exchange.story.ending import Course
from exchange.story.whose import Sale
from tests.making import DOLLAR, NOW_US
from tests.making_story import Scene

LEG = QuotedLeg(
    leg_id="1",
    offer_id="acme",
    price=Micros(8 * DOLLAR),
    payout=Micros(6 * DOLLAR),
    sale_id="quoted",
    held_at_us=NOW_US - 1,
)


class Room(Scene):
    """Market state in which the leg is held, in the last place of its buyer."""

    def __init__(self):
        super().__init__()
        self.held = {"quoted"}
        self.ended = set()
        self.full = False

    async def hold(self, hold):
        """As hold.lua: who was held before, and given back, hears what it first heard."""
        if hold.sale_id in self.held | self.ended:
            return None
        if self.held or self.full:
            return HoldRefused(hold.lines[0].counter, Reason.CAP_AT_AWARD)
        self.held.add(hold.sale_id)
        return None

    async def release(self, _buyer_id, sale_id):
        self.held.discard(sale_id)
        self.ended.add(sale_id)
        return True


@pytest.fixture
async def room():
    return Room()


@pytest.fixture
def awarding(room):
    lead = room.submission.lead
    course = Course()
    chain = Chain(room, lead.lead_id, room.now_us)
    sale = Sale(
        seller_id=lead.seller_id, campaign=room.snapshot.campaigns["auto-us"],
        plan=SimpleNamespace(), test=False, person=room.submission.person,
        fingerprint=room.submission.fingerprint, trials=NO_TRIALS,
    )  # fmt: skip
    concluding = Concluding(room.stations, chain, course, sale)
    awarding = Awarding(room.stations, room.snapshot, room.submission, chain, course, concluding)
    awarding.kept = Kept(legs=(LEG,), stage=1, held=(LEG,))
    return awarding


def deal(room, dollars):
    bid = Bid(offer=room.snapshot.offers["acme"], price=Micros(20 * DOLLAR))
    return Deal(bid, Micros(dollars * DOLLAR), Micros((dollars - 1) * DOLLAR))


async def test_a_leg_at_its_price_goes_on_with_what_is_held_for_it(room, awarding):
    """However often it is chosen: under its own sale, at the moment of its quote."""
    for _ in range(2):
        won = awarding.win(deal(room, 8), 50)
        assert (won.sale_id, won.at_us) == ("quoted", LEG.held_at_us)
        assert await awarding.hold(won) is None
        await awarding.give_back("acme", won.sale_id)
        assert room.held == {"quoted"}


async def test_a_leg_that_pays_more_is_held_anew_in_the_place_that_was_its_own(room, awarding):
    """Its buyer would have no other one."""
    won = awarding.win(deal(room, 12), 50)
    assert await awarding.hold(won) is None
    assert room.held == {won.sale_id} != {"quoted"}


async def test_a_leg_whose_room_was_given_back_is_not_taken_for_held_when_it_pays_less_again(
    room, awarding
):
    """It was dearer, and had no room after all: what it is sold under next is really held."""
    room.full = True
    assert await awarding.hold(awarding.win(deal(room, 12), 50)) is not None
    assert not room.held
    room.full = False
    won = awarding.win(deal(room, 8), 50)
    assert await awarding.hold(won) is None
    assert room.held == {won.sale_id}


async def test_a_leg_that_was_chosen_at_its_price_before_gives_way_to_a_dearer_one(room, awarding):
    """Its set had no room then: what its quote holds is not in its own way now."""
    cheap = awarding.win(deal(room, 8), 50)
    assert await awarding.hold(cheap) is None
    await awarding.give_back("acme", cheap.sale_id)
    dear = awarding.win(deal(room, 12), 50)
    assert await awarding.hold(dear) is None
    assert room.held == {dear.sale_id}
