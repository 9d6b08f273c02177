"""One quote is posted twice at once: one post has its lead, the other takes nothing of it along."""

import asyncio

import pytest

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market

PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
RULE = 'duplicates = { window_hours = 24, on = ["phone", "email"] }'


async def posted(house, token, lead, base):
    nothing = {"campaign": None, "source": None}
    return await house.post(lead, path=f"/v1/pings/{token}/post", base=base, **nothing)


def meeting(workers, name):
    """Let nobody go on from its next such call before all of these workers have made it."""
    barrier = asyncio.Barrier(len(workers))
    for worker in workers:
        market = worker._state.market
        setattr(market, name, once(market, name, barrier))


def once(market, name, barrier):
    call = getattr(market, name)

    async def met(*asked):
        setattr(market, name, call)
        answer = await call(*asked)
        async with asyncio.timeout(10):
            await barrier.wait()
        return answer

    return met


@pytest.mark.parametrize("also", ["nothing", "a telephone"])
async def test_whoever_came_too_late_with_another_person_claims_that_one_no_more(house, also):
    """409; that person may be posted as a lead of its own, and the winner's is a duplicate still.

    Where both have one telephone, that is the winner's.
    """
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign(lines=RULE)))
        workers = [await house.open(), await house.open()]
        quote = await house.post(PING, path="/v1/pings")
        same = {"phone": person(1)["phone"]} if also == "a telephone" else {}
        persons = [person(1), person(2, **same)]
        meeting(workers, "claim")
        told = await asyncio.gather(
            *(posted(house, quote.body["ping_id"], who, n) for n, who in enumerate(persons))
        )
        assert sorted(answer.status for answer in told) == [200, 409]
        won = next(n for n, answer in enumerate(told) if answer.status == 200)
        assert told[won].body["status"] == "sold"
        loser = {**persons[1 - won], "phone": person(3)["phone"]}
        assert (await house.post(loser)).body["status"] == "sold"
        for again in (persons[won], {**persons[won], "email": "other@example.com"}):
            assert (await house.post(again)).body["status"] == "duplicate"
