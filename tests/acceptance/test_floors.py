"""Floors by a table of rules: the most specific counts, is told to buyers, and stands on record."""

from datetime import datetime

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of

TABLE = """floor = 4.00
[campaign.floors]
fields = ["state", "source", "credit"]
[campaign.floors.values]
"TX|*|excellent" = 9.00
"TX,OK|*|*" = 7.00
"*|search|*" = 6.50
"*|search|poor" = 2.00
"""
NEW_YORK = {"zip": "10001"}
PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}


async def opened(house, fleet: Fleet, told: str) -> None:
    """Make a market of the fleet's buyers and this campaign, and open a worker."""
    buyers = (buyer(name, fleet.base_url, ping_ms=900) for name in fleet.specs)
    await house.apply(market(*buyers, told))
    await house.open()


async def test_the_most_specific_rule_is_every_buyers_floor_and_stands_on_record(house):
    """Row 46: by state, source and credit; what no rule is for has the campaign's floor."""
    async with Fleet(bidding({"acme": "50.00"}), keep=9) as fleet:
        await opened(house, fleet, campaign(lines=TABLE))
        leads = [
            ({"credit": "excellent"}, "search", 9, "TX|*|excellent"),
            ({"credit": "good"}, "search", 7, "TX,OK|*|*"),
            ({"credit": "poor"}, "search", 2, "*|search|poor"),
            (NEW_YORK, "search", 6.5, "*|search|*"),
            (NEW_YORK, "elsewhere", 4, "default"),
        ]
        for number, (changes, source, floor, rule) in enumerate(leads):
            answer = await house.post(person(number, **changes), source=source)
            timeline = await house.timeline(answer.body["lead_id"])
            (stage,) = of(timeline, "stage")
            assert (stage["floor"], stage["detail"]) == (floor, f"auction, floor by {rule}")
            ping = bodies(fleet.books["acme"].requests, "/ping")[-1]
            assert ping["auction"]["floor"] == floor
            assert of(timeline, "bid", "acme")[0]["floor"] == floor


async def test_a_seller_sees_neither_floor_nor_rule(house):
    """Its own view of the same lead has the stage, and nothing of what it asked of buyers."""
    async with Fleet(bidding({"acme": "50.00"})) as fleet:
        await opened(house, fleet, campaign(lines=TABLE))
        answer = await house.post()
        key = await house.key("seller", "fastquotes")
        seen = await house.call("GET", f"/v1/leads/{answer.body['lead_id']}", key=key)
    (stage,) = of(seen.body["timeline"], "stage")
    assert "floor" not in stage
    assert "detail" not in stage
    assert "TX" not in str(seen.body["timeline"])


async def test_a_bid_below_its_rules_floor_loses_and_a_stage_has_its_own(house):
    """7.00 for Texas: 6.99 goes down to a stage whose own floor stands in place of the table."""
    stages = ['method = "auction"', 'method = "waterfall"\noffers = ["house"]\nfloor = 2.00']
    async with Fleet(bidding({"acme": "6.99"})) as fleet:
        buyers = buyer("acme", fleet.base_url, ping_ms=900), buyer("house", offer="price = 2.00")
        await house.apply(market(*buyers, campaign(lines=TABLE, stages=stages)))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert answer.body["price"] == 1.7
    assert of(timeline, "bid", "acme")[0]["reason"]["reason"] == "below_floor"
    second = of(timeline, "stage")[1]
    assert ("floor" not in second, second["detail"]) == (True, "waterfall")


async def test_a_changed_table_is_planned_by_its_keys_and_holds_at_once(house):
    """Loaded with the market file: the next lead meets the new floor."""
    async with Fleet(bidding({"acme": "8.00"})) as fleet:
        await opened(house, fleet, campaign(lines=TABLE))
        assert (await house.post(person(1))).body["status"] == "sold"
        raised = campaign(lines=TABLE.replace("= 7.00", "= 8.01"))
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=900), raised))
        answer = await house.post(person(2))
    assert answer.body["reason"]["reason"] == "no_bid_above_floor"


async def test_a_quotes_floor_holds_to_its_end_whatever_the_post_tells(house):
    """Quoted under the rule of a Texan; the post's credit would raise the floor, and does not.

    A direct lead with all of that is under the higher one.
    """
    async with Fleet(bidding({"acme": "8.00"})) as fleet:
        await opened(house, fleet, campaign(lines=TABLE))
        ping = await house.post(PING, path="/v1/pings")
        assert ping.body["status"] == "quoted"
        told = {**IDENTITY, "credit": "excellent"}
        path = f"/v1/pings/{ping.body['ping_id']}/post"
        answer = await house.post(told, path=path, campaign=None, source=None)
        assert (answer.body["status"], answer.body["price"]) == ("sold", 6.8)
        stages = of(await house.timeline(answer.body["lead_id"]), "stage")
        assert {stage["floor"] for stage in stages} == {7}
        direct = await house.post(person(2, credit="excellent"))
        assert direct.body["reason"]["reason"] == "no_bid_above_floor"


async def test_a_floor_by_the_hour_is_the_leads_own_hour_and_no_quote_feels_it_strike(house, clock):
    """Eight o'clock in Texas costs 9.00, a quote of 7:59 posted at 8:01 is sold at its own."""
    hours = """[campaign.floors]
fields = ["hour"]
values = { "8-11" = 9.00 }
default = 5.00
"""
    async with Fleet(bidding({"acme": "6.00"})) as fleet:
        clock.set(datetime.fromisoformat("2026-11-20T07:59:00-06:00"))
        await opened(house, fleet, campaign(lines=hours))
        ping = await house.post(PING, path="/v1/pings")
        clock.set(datetime.fromisoformat("2026-11-20T08:01:00-06:00"))
        direct = await house.post(person(1))
        path = f"/v1/pings/{ping.body['ping_id']}/post"
        answer = await house.post(IDENTITY, path=path, campaign=None, source=None)
    assert direct.body["reason"]["reason"] == "no_bid_above_floor"
    assert (answer.body["status"], answer.body["price"]) == ("sold", 5.1)
