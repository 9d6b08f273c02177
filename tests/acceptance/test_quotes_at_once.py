"""One quote is posted twice at once: one post has its lead, the other takes nothing of it along."""

import asyncio

import msgspec
import pytest

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import AUTO, buyer, campaign, market
from tests.acceptance.test_reconcile import compared

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


SELLER = """
[[seller]]
id = "fastquotes"
caps = [ { leads = 9, per = "day" } ]
source = [ { id = "search" } ]
"""
HOLDER, TRIED = "seller:fastquotes", "campaign:auto-us"
SOMEBODY = "0199c0de-0000-7000-8000-000000000001"


class Turnstile:
    """Lets one worker ask for its campaign's place only when the test says so."""

    def __init__(self, worker):
        self.market = worker._state.market
        self._hold = self.market.hold
        self.market.hold = self.hold
        self.wanted = asyncio.get_running_loop().create_future()
        self.open = asyncio.Event()

    async def hold(self, hold):
        if hold.buyer_id == TRIED:
            self.wanted.set_result(hold)
            await self.open.wait()
        return await self._hold(hold)


async def two_at_their_turnstiles(house, fleet):
    """Two posts of one quote, each with its seller's place; its campaign's last is somebody's."""
    tried = campaign(lines="pilot = { leads = 1 }")
    await house.apply("\n".join((AUTO, SELLER, buyer("acme", fleet.base_url), tried)))
    turnstiles = [Turnstile(await house.open()) for _ in range(2)]
    quote = await house.post(PING, path="/v1/pings")
    posts = []
    for number, one in enumerate(turnstiles):
        post = posted(house, quote.body["ping_id"], person(1), number)
        posts.append(asyncio.ensure_future(post))
        wanted = await asyncio.wait_for(one.wanted, 10)
    last = msgspec.structs.replace(wanted, sale_id=SOMEBODY, lead_id=SOMEBODY, asker="")
    assert await turnstiles[0]._hold(last) is None
    return turnstiles, posts, wanted


@pytest.mark.parametrize("full", [0, 1])
async def test_a_post_that_meets_a_full_campaign_leaves_its_sellers_place_to_the_other(house, full):
    """Whichever of the two held it first: 429 for the one, and the other counts in the limit."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        turnstiles, posts, wanted = await two_at_their_turnstiles(house, fleet)
        books = turnstiles[0].market
        turnstiles[full].open.set()
        assert (await posts[full]).status == 429
        assert (await books.standing(HOLDER)).holds == {wanted.sale_id: wanted.lead_id}
        assert await books.release(TRIED, SOMEBODY)
        turnstiles[1 - full].open.set()
        assert (await posts[1 - full]).body["status"] == "sold"

        async def one_counts():
            now = await books.standing(HOLDER)
            return not now.holds and list(now.settled.values()) == [1]

        await until(one_counts)
        assert (await compared(house))["differences"] == []


async def test_where_both_posts_meet_a_full_campaign_their_sellers_place_is_free(house):
    """The last one that gives it back takes it along."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        turnstiles, posts, _ = await two_at_their_turnstiles(house, fleet)
        books = turnstiles[0].market
        for one in turnstiles:
            one.open.set()
        assert [answer.status for answer in await asyncio.gather(*posts)] == [429, 429]
        now = await books.standing(HOLDER)
        assert not now.holds
        assert set(now.held.values()) == {0}
