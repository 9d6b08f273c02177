"""The rate of an offer: no stretch of its length holds more pings, from however many workers."""

from random import Random

import pytest

from exchange.domain.money import Micros
from exchange.domain.offer import PingTerms, Rate
from exchange.market.link import Link
from exchange.market.rates import Rates
from tests.integration.market.conftest import PATIENT_S
from tests.making import NOW_US, an_offer

SECOND_US = 1_000_000
AHEAD_US = 30_000


def rated(name, most):
    ping = PingTerms("http://x/ping", 300, Micros(1), rate=Rate(most, SECOND_US))
    return an_offer(name, ping=ping)


@pytest.mark.parametrize("seed", range(4))
async def test_no_second_holds_more_than_the_rate_and_none_is_wasted(link, market_url, seed):
    """Two workers whose clocks are 30 ms apart, at random moments: each time as a model says."""
    chance = Random(seed)
    now = {"us": NOW_US}
    async with Link(market_url, timeout_s=PATIENT_S) as second:
        first = Rates(link, clock=lambda: now["us"])
        ahead = Rates(second, clock=lambda: now["us"] + AHEAD_US)
        most = chance.choice((1, 3, 7))
        offer = rated(f"acme-{seed}", most)
        taken = []
        for _ in range(300):
            now["us"] += chance.choice((0, 1, 20_000, 150_000, 700_000))
            worker, skew_us = chance.choice(((first, 0), (ahead, AHEAD_US)))
            at_us = max([now["us"] + skew_us, *taken[-1:]])
            had = not await worker.without_turn([offer])
            assert had == (sum(at_us - at < SECOND_US for at in taken) < most)
            if had:
                taken.append(at_us)


async def test_each_offer_has_turns_of_its_own(link):
    """Several offers of several buyers are asked for in one go."""
    rates = Rates(link, clock=lambda: NOW_US)
    offers = [rated("acme-one", 1), rated("acme-two", 2), rated("bravo", 1)]
    assert await rates.without_turn(offers) == frozenset()
    assert await rates.without_turn(offers) == {"acme-one", "bravo"}
    assert await rates.without_turn(offers) == {"acme-one", "acme-two", "bravo"}


async def test_a_clock_that_was_far_ahead_stops_nobody(link):
    """Its turns are forgotten, instead of refused until then."""
    now = {"us": NOW_US + 3600 * SECOND_US}
    rates = Rates(link, clock=lambda: now["us"])
    assert not await rates.without_turn([rated("ahead", 1)])
    now["us"] = NOW_US
    assert not await rates.without_turn([rated("ahead", 1)])
    assert await rates.without_turn([rated("ahead", 1)])
