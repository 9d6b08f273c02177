"""How many people a ping could be about is told in the timeline, as a distribution, in plans."""

import base64

import msgspec
import pytest

from bidders.fleet import Fleet
from exchange import app
from exchange.commands.market import plan
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, MASTER_KEY, person, until
from tests.acceptance.market import AUTO, SELLERS, buyer, campaign
from tests.acceptance.timelines import of

COUNTED = AUTO.replace('name = "Auto insurance"', 'name = "Auto insurance"\nanonymity = {}')
PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}


def printed(capsys):
    """The JSON that a command printed last; workers in this loop may log meanwhile."""
    return msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])


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
        page = (await house.call("GET", "/metrics")).body
        assert 'exchange_people_alike_bucket{campaign="auto-us",le="1.0"}' in page
        key = await house.key("seller", "fastquotes")
        lead_id = (await house.post(person(7))).body["lead_id"]
        seen = (await house.call("GET", f"/v1/leads/{lead_id}", key=key)).body
        assert "people" not in str(seen["timeline"])


async def test_where_nobody_counts_nothing_is_told(house):
    """Off by default: no line, no number."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet, AUTO))
        worker = await house.open()
        assert await told(house, person(1)) == []
        assert worker._census._ready == {}


async def test_a_plan_shows_what_another_show_would_do(house, tmp_path, capsys):
    """Four people of one area: alone by ZIP code, alike by its first three digits."""
    settings = msgspec.structs.replace(
        house.settings,
        database_url=house.urls.database_url,
        market_url=house.urls.market_url,
        master_key=base64.b64encode(MASTER_KEY).decode(),
    )
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(the_market(fleet))
        await house.open()
        for number, zip_code in enumerate(("78701", "78702", "78703", "78704", "78704")):
            await house.post(person(min(number, 3), zip=zip_code))
        file = tmp_path / "coarse.toml"
        file.write_text(the_market(fleet, COUNTED.replace('"as_is" }', '"zip3" }', 1)))
        capsys.readouterr()
        await plan([file], as_json=True, settings=settings)
        [shown] = printed(capsys)["anonymity"]
        assert (shown["vertical"], shown["window_days"]) == ("auto_insurance", 30)
        assert shown["before"]["people"] == shown["after"]["people"] == 4
        assert (shown["before"]["alone"], shown["before"]["median"]) == (1.0, 1)
        assert (shown["after"]["alone"], shown["after"]["below_5"]) == (0.0, 1.0)
        assert shown["after"]["median"] == 4
        file.write_text(the_market(fleet))
        await plan([file], as_json=True, settings=settings)
        assert "anonymity" not in printed(capsys)
        await plan([file], settings=settings)
