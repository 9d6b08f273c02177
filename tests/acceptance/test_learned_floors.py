"""Learned floors over HTTP: tried, learned from what was bid, told in pings and the timeline."""

import asyncio
from collections import Counter
from typing import Any

from bidders.fleet import BuyerSpec, Fixed, Fleet, Uniform
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.house import House, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, reasons

SOON = {"seal_every_s": 1.0, "learn_every_s": 0.1}
REPORT = "/v1/admin/reports/learned-floors"
SECOND = 'method = "auction"\nprice_rule = "second_price"'
LEADS = 240


def learning(explore: float, more: str = "") -> str:
    bounds = f"min = 1.00, max = 20.00, hours = 24{more}"
    return f"learn_floor = {{ explore = {explore}, {bounds} }}"


def market_of(fleet: Fleet, lines: str, stage: str = SECOND) -> str:
    buyers = (buyer(name, fleet.base_url, ping_ms=900) for name in fleet.specs)
    return market(*buyers, campaign(lines=lines, stages=[stage]))


async def report(house: House) -> dict[str, Any]:
    answer = await house.call("GET", REPORT, key=await house.key("operator", "tests"))
    assert answer.status == 200, answer.body
    [campaign] = answer.body["campaigns"]
    return campaign


def groups(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["model"]: one for one in told["groups"]}


async def posted(house: House, count: int, **changes: Any) -> list[list[dict[str, Any]]]:
    """Post so many leads, some at once; return their timelines."""
    room = asyncio.Semaphore(8)

    async def one(number: int) -> list[dict[str, Any]]:
        async with room:
            answer = await house.post(person(number, **changes))
            return await house.timeline(answer.body["lead_id"])

    return await asyncio.gather(*map(one, range(count)))


async def test_before_anything_is_learned_the_floor_is_the_operators_minimum(house):
    """It raises the stage's own, is told in the ping, and stands in the timeline."""
    async with Fleet(bidding({"acme": "0.99", "bravo": "5.00"}), keep=4) as fleet:
        await house.apply(market_of(fleet, f"floor = 0.50\n{learning(0)}"))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        [ping] = bodies(fleet.books["acme"].requests, "/ping")
    [line] = of(timeline, "floor")
    assert (line["floor"], line["model"], line["segment"]) == (1, "least", "TX 00-24")
    assert ping["auction"]["floor"] == 1
    assert reasons(timeline, "bid")["acme"] == "below_floor"
    assert answer.body["price"] == 0.85  # second price: the floor


async def test_a_higher_floor_of_another_kind_counts_before_a_learned_one(house):
    """DESIGN's word: of all floors the highest."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await house.apply(market_of(fleet, f"floor = 6.00\n{learning(0)}"))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert of(timeline, "floor")[0]["floor"] == 6
    assert of(timeline, "floor")[0]["detail"] == "least 1.00"
    assert answer.body["price"] == 5.1


async def test_the_floor_that_earns_most_is_learned_from_recorded_bids(house):
    """As good as any on the very bids that were made, and better than none on the next ones."""
    uniform = [BuyerSpec(id=name, price=Uniform(0.01, 10.0)) for name in ("acme", "bravo")]
    async with Fleet(uniform, seed=5) as fleet:
        await house.apply(market_of(fleet, learning(1, ", auctions = 50")))
        await house.open(**SOON)
        timelines = await posted(house, LEADS)
        models = [of(timeline, "floor")[0]["model"] for timeline in timelines]
        assert set(models) == {"explored", "control"}

        async def known() -> bool:
            told = await report(house)
            seen = {one["segment"]: one["auctions"] for one in told["floors"]}
            return seen.get("TX 00-24") == LEADS

        await until(known)
        told = await report(house)
        floor = next(one["floor"] for one in told["floors"] if one["segment"] == "TX 00-24")
        counts = {model: group["auctions"] for model, group in groups(told).items()}
        assert counts == {model: models.count(model) for model in ("explored", "control")}

        await house.apply(market_of(fleet, learning(0, ", auctions = 50")))
        answer = await house.post(person(9_000))
        [line] = of(await house.timeline(answer.body["lead_id"]), "floor")
    assert (line["model"], line["floor"]) == ("learned", floor)
    assert line["detail"] == f"learned {floor:.2f} of TX 00-24"
    tops = [top(timeline) for timeline in timelines]
    best = max(earned(tops, cents / 100) for cents in range(100, 1000, 5))
    assert earned(tops, floor) >= 0.95 * best
    assert 3.0 <= floor <= 7.0


def top(timeline: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the two best bids, whether they reached the floor or not."""
    best, second = sorted((line["price"] for line in of(timeline, "bid")), reverse=True)
    return best, second


def earned(tops: list[tuple[float, float]], floor: float) -> float:
    """Return what these auctions had brought under second price with this floor."""
    return sum(max(second, floor) for best, second in tops if best >= floor)


async def test_the_report_compares_what_leads_brought(house):
    """Explored, control, and the rest: auctions, sales and money, as the books have them."""
    async with Fleet(bidding({"acme": "8.00", "bravo": "3.00"})) as fleet:
        await house.apply(market_of(fleet, learning(0.5, ", auctions = 1000")))
        await house.open(**SOON)
        timelines = await posted(house, 40)

        auctions = Counter(of(timeline, "floor")[0]["model"] for timeline in timelines)
        revenue: Counter[str] = Counter()
        sold: Counter[str] = Counter()
        for timeline in timelines:
            for line in of(timeline, "accepted"):
                model = of(timeline, "floor")[0]["model"]
                revenue[model] += round(line["price"] * 100)
                sold[model] += 1

        async def known() -> bool:
            told = groups(await report(house))
            return sum(one["sold"] for one in told.values()) >= sum(sold.values())

        await until(known)
        told = groups(await report(house))
    assert set(told) >= {"explored", "least"}
    assert {model: group["auctions"] for model, group in told.items()} == auctions
    assert Counter({model: group["sold"] for model, group in told.items()}) == sold
    assert Counter({name: round(one["revenue"] * 100) for name, one in told.items()}) == revenue


async def test_a_state_without_enough_auctions_has_the_campaigns_floor(house):
    """Backing off: what Texas taught holds for a lead from elsewhere, and is named so."""
    uniform = [BuyerSpec(id=name, price=Uniform(0.01, 10.0)) for name in ("acme", "bravo")]
    async with Fleet(uniform, seed=6) as fleet:
        await house.apply(market_of(fleet, learning(1, ", auctions = 30")))
        await house.open(**SOON)
        await posted(house, 90)

        async def known() -> bool:
            return any(one["segment"] == "* *" for one in (await report(house))["floors"])

        await until(known)
        await house.apply(market_of(fleet, learning(0, ", auctions = 30")))
        answer = await house.post(person(9_000, zip="10001", phone="2125550123"))
        [line] = of(await house.timeline(answer.body["lead_id"]), "floor")
    assert line["segment"] == "NY 00-24"
    assert line["detail"].endswith(" of * 00-24")


async def test_a_quote_keeps_the_floor_under_which_it_was_made(house):
    """Its post sells at the promise, whatever floor would be drawn now; test leads have none."""
    specs = [BuyerSpec(id="acme", price=Fixed(9.0)), BuyerSpec(id="bravo", price=Fixed(4.0))]
    async with Fleet(specs) as fleet:
        await house.apply(market_of(fleet, learning(0)))
        await house.open()
        quote = await house.post({"zip": "78701", "currently_insured": True}, path="/v1/pings")
        assert quote.body["price"] == 3.4
        await house.apply(market_of(fleet, learning(0).replace("min = 1.00", "min = 9.50")))
        answer = await house.post(person(1), ping_id=quote.body["ping_id"])
        assert (answer.body["status"], answer.body["price"]) == ("sold", 3.4)
        timeline = await house.timeline(answer.body["lead_id"])
        assert [line["floor"] for line in of(timeline, "floor")] == [1]
        answer = await house.post(person(2), test=True)
        assert not of(await house.timeline(answer.body["lead_id"]), "floor")
