"""Turns are fair across workers: round robin and weights, over HTTP, by the books."""

import asyncio
from collections import Counter

from bidders.fleet import Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import offers

AT_ONCE = 24


def static(name: str, offer: str = "") -> str:
    """Return a buyer that is never called: what it bought, it fetches."""
    return buyer(name, offer=f"price = 9.00\n{offer}")


async def sell(house, leads, bases, first=0):
    """Sell so many leads, some at once, over all workers in turn."""
    busy = asyncio.Semaphore(AT_ONCE)

    async def one(number):
        async with busy:
            answer = await house.post(person(number), base=number % bases)
            assert answer.body["status"] == "sold"

    await asyncio.gather(*(one(number) for number in range(first, first + leads)))


async def shares(house):
    rows = await house.fetch(
        "SELECT offer, count(*) AS sales FROM award JOIN sale_end USING (sale_id) "
        "WHERE state = 'accepted' GROUP BY offer"
    )
    return Counter({row["offer"]: row["sales"] for row in rows})


async def test_round_robin_gives_three_buyers_a_hundred_leads_each_with_eight_workers(house):
    """Row 48: 300 leads at once over eight workers, 100 each, plus or minus one."""
    plan = campaign(stages=['method = "round_robin"'])
    await house.apply(market(*map(static, ("a", "b", "c")), plan))
    for _ in range(8):
        await house.open()
    await sell(house, 300, bases=8)
    assert all(99 <= count <= 101 for count in (await shares(house)).values())
    assert (await shares(house)).total() == 300


async def test_weights_of_60_and_40_give_600_and_400_of_a_thousand(house):
    """Row 49: smooth weighted round robin, with four workers."""
    plan = campaign(stages=['method = "weighted"'])
    await house.apply(market(static("big", "weight = 60"), static("small", "weight = 40"), plan))
    for _ in range(4):
        await house.open()
    await sell(house, 1000, bases=4)
    counts = await shares(house)
    assert abs(counts["big"] - 600) <= 1
    assert abs(counts["small"] - 400) <= 1


async def test_a_full_buyers_turns_are_handed_on_and_it_does_not_catch_up(house):
    """A cap of ten: it gets ten; the other two share what is left alike."""
    plan = campaign(stages=['method = "round_robin"'])
    capped = static("full", 'caps = [ { leads = 10, per = "day" } ]')
    await house.apply(market(capped, static("b"), static("c"), plan))
    for _ in range(2):
        await house.open()
    await sell(house, 90, bases=2)
    counts = await shares(house)
    assert counts["full"] == 10
    assert abs(counts["b"] - counts["c"]) <= 2


def posted(name: str, base_url: str, offer: str = "") -> str:
    """Return a buyer that is posted to at its static price, and may refuse."""
    post = f'post = {{ url = "{base_url}/{name}/post", timeout_ms = 5000 }}'
    return buyer(name, offer=f"price = 9.00\n{post}\n{offer}")


async def test_a_refused_turn_is_handed_on_and_the_others_stay_equal(house):
    """Who refuses everything has its third of the turns and no more; the others share the leads."""
    plan = campaign(stages=['method = "round_robin"'])
    async with Fleet(bidding(dict.fromkeys(("a", "b", "never"), "9.00"))) as fleet:
        fleet.change(bidding({"never": "9.00"}, post_faults={PostFault.REFUSING: 1.0})[0])
        await house.apply(market(*(posted(name, fleet.base_url) for name in fleet.specs), plan))
        for _ in range(2):
            await house.open()
        await sell(house, 90, bases=2)
        posts = {name: book.posts for name, book in fleet.books.items()}
    counts = await shares(house)
    assert counts.total() == 90
    # A turn among three is worth more than one that is handed on among two: which of the two get
    # more of which is chance, by a few of 90.
    assert abs(counts["a"] - counts["b"]) <= 9
    assert posts["never"] <= sum(posts.values()) / 3 + 1


async def test_weights_by_acceptance_fall_with_refusals(house):
    """Row 49: of two of equal weight the one that refuses half is offered about half as much."""
    plan = campaign(stages=['method = "weighted"\nweights = "acceptance"'])
    async with Fleet(bidding(dict.fromkeys(("keen", "picky"), "9.00"))) as fleet:
        fleet.change(bidding({"picky": "9.00"}, post_faults={PostFault.REFUSING: 0.5})[0])
        await house.apply(market(*(posted(name, fleet.base_url) for name in fleet.specs), plan))
        for _ in range(2):
            await house.open()
        await sell(house, 300, bases=2)
        timelines = await house.fetch(
            "SELECT offer, count(*) AS first FROM (SELECT DISTINCT ON (lead_id) lead_id, offer "
            "FROM award ORDER BY lead_id, sale_id) AS tried GROUP BY offer"
        )
    first = {row["offer"]: row["first"] for row in timelines}
    assert sum(first.values()) == 300
    assert 75 <= first["picky"] <= 135


async def test_a_second_stage_has_turns_of_its_own_for_the_leads_that_come_down_to_it(house):
    """Whoever is first refuses every lead: the two below it have half of them each, in turn."""
    plan = campaign(
        stages=[
            'method = "round_robin"\noffers = ["never"]',
            'method = "round_robin"\noffers = ["a", "b"]',
        ]
    )
    async with Fleet(bidding({"never": "9.00"}, post_faults={PostFault.REFUSING: 1.0})) as fleet:
        below = map(static, ("a", "b"))
        await house.apply(market(posted("never", fleet.base_url), *below, plan))
        for _ in range(2):
            await house.open()
        await sell(house, 20, bases=2)
        assert fleet.books["never"].posts == 20
    assert await shares(house) == {"a": 10, "b": 10}


async def test_test_leads_have_turns_of_their_own(house):
    """What is tried out moves nobody's turn."""
    plan = campaign(stages=['method = "round_robin"'])
    names = ("a", "b", "test-a", "test-b")
    parts = [static(name, "test = true" if name.startswith("test") else "") for name in names]
    await house.apply(market(*parts, plan))
    await house.open()
    won = []
    for number, test in enumerate((False, True, False, True)):
        answer = await house.post(person(number), test=test)
        won += offers(await house.timeline(answer.body["lead_id"]), "accepted")
    assert won == ["a", "test-a", "b", "test-b"]


async def test_turns_that_were_lost_begin_anew(house):
    """Market state that was emptied costs nobody a sale: turns start again, the books stand."""
    plan = campaign(stages=['method = "round_robin"'])
    await house.apply(market(*map(static, ("a", "b", "c")), plan))
    await house.open()
    await sell(house, 4, bases=1)
    async with house.market() as client:
        for key in await house.market_keys("*turn*"):
            await client.delete(key)
    answer = await house.post(person(50))
    assert offers(await house.timeline(answer.body["lead_id"]), "accepted") == ["a"]
