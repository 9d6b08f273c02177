"""How many people a ping could be about is told in the timeline, as a distribution, in plans."""

import re

import pytest

from bidders.fleet import Fleet
from exchange import app
from exchange.commands.market import plan
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import AUTO, SELLERS, buyer, campaign
from tests.acceptance.timelines import of

COUNTED = AUTO.replace('name = "Auto insurance"', 'name = "Auto insurance"\nanonymity = {}')
PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}


@pytest.fixture(autouse=True)
def _counts_often(monkeypatch):
    """Workers in this loop count ten times a second."""
    monkeypatch.setattr(app, "COUNT_PEOPLE_EVERY_S", 0.1)


def the_market(fleet, vertical=COUNTED):
    acme = buyer("acme", fleet.base_url, ping_ms=2000)
    return "\n".join((vertical, SELLERS, acme, campaign(lines="auction_deadline_ms = 5000")))


async def told(house, lead):
    """What the timeline of a new lead says of its ping: how many people, and by which fields."""
    answer = await house.post(lead)
    return [
        (one["people"], one["detail"])
        for one in of(await house.timeline(answer.body["lead_id"]), "anonymity")
    ]


async def counted(house, population):
    """Return once each worker has counted so many people."""

    async def has():
        found = [w._census._ready.get("auto_insurance") for w in house.workers]
        return all(one is not None and one.people == population for one in found)

    await until(has)


async def test_a_timeline_says_how_many_people_look_the_same_in_a_ping(house):
    """Two workers, one population; everybody once; another ZIP code is another look."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet))
        await house.open()
        await house.open()
        await counted(house, 0)
        assert await told(house, person(1)) == [(1, "zip, age_band")]
        await counted(house, 1)
        assert (await house.post(person(2), base=1)).body["status"] == "sold"
        assert (await house.post(person(2), base=1)).body["status"] == "sold"
        assert (await house.post(person(3, zip="90210"))).body["status"] == "sold"
        await counted(house, 3)
        assert await told(house, person(4, birth_date="1990-05-05")) == [(3, "zip, age_band")]
        assert await told(house, person(5, zip="90210")) == [(2, "zip, age_band")]
        assert await told(house, person(6, birth_date="1950-01-01")) == [(1, "zip, age_band")]
        quoted = (await house.post(PING, path="/v1/pings")).body
        assert quoted["status"] == "quoted"
        key = await house.key("seller", "fastquotes")
        lead_id = (await house.post(person(7))).body["lead_id"]
        seen = (await house.call("GET", f"/v1/leads/{lead_id}", key=key)).body
        assert "people" not in str(seen["timeline"])


async def distribution(house):
    """How many pings of the campaign were about so many people at most, by the metrics."""
    page = (await house.call("GET", "/metrics")).body
    line = r'exchange_people_alike_bucket\{campaign="auto-us",le="(\d+)\.0"\} (\d+)\.0'
    return {int(most): int(pings) for most, pings in re.findall(line, page)}


async def test_each_campaign_has_its_distribution_and_pings_stay_as_they_are(house):
    """Two pings about one person and one about three, shown in full all the same."""
    async with Fleet(bidding({"acme": "12.00"}), keep=9) as fleet:
        await house.apply(the_market(fleet))
        await house.open()
        await counted(house, 0)
        assert await told(house, person(1)) == [(1, "zip, age_band")]
        await counted(house, 1)
        await house.post(person(2))
        await counted(house, 2)
        before = await distribution(house)
        assert await told(house, person(3)) == [(3, "zip, age_band")]
        assert await told(house, person(4, zip="90210")) == [(1, "zip, age_band")]
        assert await told(house, person(5, zip="10001")) == [(1, "zip, age_band")]
        after = await distribution(house)
        pings = bodies(fleet.books["acme"].requests, "/ping")
    assert {most: after[most] - before[most] for most in (1, 4, 9999)} == {1: 2, 4: 3, 9999: 3}
    assert [ping["lead"]["zip"] for ping in pings[-3:]] == ["78701", "90210", "10001"]
    assert {ping["lead"]["age_band"] for ping in pings} == {"35-39"}


async def test_who_is_erased_is_counted_no_more_by_the_next_worker(house):
    """Nor is a test lead by any."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet))
        await house.open()
        await counted(house, 0)
        leads = [(await house.post(person(number))).body["lead_id"] for number in (1, 2)]
        await house.post(person(3), test=True)
        await counted(house, 2)
        async with house.ledger() as ledger:
            assert await ledger.erase(leads[0], 1, "test")
        await house.open()

        async def has():
            population = house.workers[1]._census._ready.get("auto_insurance")
            return population is not None and population.people == 1

        await until(has)


async def test_where_nobody_counts_nothing_is_told(house):
    """Off by default: no line, no number."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet, AUTO))
        worker = await house.open()
        assert await told(house, person(1)) == []
        assert worker._census._ready == {}


async def test_a_plan_shows_what_another_show_would_do(house, printed, spoken, tmp_path):
    """Four people of one area: alone by ZIP code, alike by its first three digits."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet))
        await house.open()
        for number, zip_code in enumerate(("78701", "78702", "78703", "78704", "78704")):
            await house.post(person(min(number, 3), zip=zip_code))
        file = tmp_path / "coarse.toml"
        file.write_text(the_market(fleet, COUNTED.replace('"as_is" }', '"zip3" }', 1)))
        [shown] = (await printed(plan, [file]))["anonymity"]
        assert (shown["vertical"], shown["window_days"]) == ("auto_insurance", 30)
        assert shown["before"]["people"] == shown["after"]["people"] == 4
        assert (shown["before"]["alone"], shown["before"]["median"]) == (1.0, 1)
        assert (shown["after"]["alone"], shown["after"]["below_5"]) == (0.0, 1.0)
        assert shown["after"]["median"] == 4
        table, _ = await spoken(plan, [file])
        assert re.search(r"nobody else\W+100\.0%\W+0\.0%", table)
        assert re.search(r"median\W+1\W+4", table)
        file.write_text(the_market(fleet))
        assert "anonymity" not in await printed(plan, [file])
        table, _ = await spoken(plan, [file])
        assert "people" not in table
