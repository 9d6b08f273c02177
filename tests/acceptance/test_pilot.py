"""Pilots: a hard limit of leads and money, then a pause that everybody can see."""

import asyncio

from bidders.fleet import Fixed, Fleet, PostFault
from exchange.configuration.store import read_market
from tests.acceptance.audit import audit
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import AUTO, buyer, campaign, market
from tests.acceptance.test_caps import PATIENT, UNHURRIED, patient, sell
from tests.acceptance.test_reconcile import compared
from tests.acceptance.timelines import of, reasons

REFUSING = {PostFault.REFUSING: 1.0}


async def pilots(house):
    """What an operator sees of pilots, by id."""
    key = await house.key("operator", "tests")
    answer = await house.call("GET", "/v1/admin/pilots", key=key)
    assert answer.status == 200, answer.body
    return {one["id"]: one for one in answer.body["pilots"]}


async def paused(house, name):
    """Return once an operator sees that this pilot's owner is paused."""

    async def is_paused():
        return (await pilots(house))[name]["paused"]

    await until(is_paused)


def in_pilot(fleet, limits, own=""):
    """A buyer in a pilot, waited for."""
    one = patient("acme", fleet, "")
    return one.replace("[[buyer.offer]]", f"pilot = {{ {limits} }}\n{own}\n[[buyer.offer]]")


async def counted(house, name, labels):
    """Return once the workers have counted this once, together."""

    async def is_counted():
        pages = [await house.call("GET", "/metrics", base=base) for base in range(2)]
        lines = [line for page in pages for line in page.body.splitlines()]
        found = [line for line in lines if line.startswith(f"{name}{{{labels}}}")]
        return [line.rpartition(" ")[2] for line in found] == ["1.0"]

    await until(is_counted)


async def test_a_pilot_ends_at_its_leads_and_its_buyer_is_paused_by_everybody(house):
    """Row 93: 40 leads at once, two workers, a pilot of 12: paused after them, until raised."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "5.00"})) as fleet:
        parts = patient("bravo", fleet, ""), PATIENT
        text = market(in_pilot(fleet, "leads = 12, spend = 500.00"), *parts)
        await house.apply(text)
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        told = await sell(house, 40, bases=2)
        assert sorted(float(body["price"]) for body in told) == [4.25] * 28 + [7.65] * 12
        await paused(house, "acme")
        one = (await pilots(house))["acme"]
        assert one == {
            "kind": "buyer",
            "id": "acme",
            "leads": 12,
            "leads_max": 12,
            "spend": 108.0,
            "spend_max": 500.0,
            "payout": None,
            "payout_max": None,
            "paused": True,
        }
        pings = fleet.books["acme"].pings
        (after,) = await sell(house, 1, first=50)
        left_out = reasons(await house.timeline(after["lead_id"]), "offer_left_out")
        assert (left_out["acme"], fleet.books["acme"].pings) == ("paused", pings)
        rows = await house.fetch("SELECT kind, by FROM configuration WHERE by = 'pilot'")
        assert [tuple(row) for row in rows] == [("market", "pilot")]
        async with house.connection() as connection:
            (written, _) = (await read_market(connection)).buyer
            assert written.paused
        await counted(house, "exchange_pilots_ended_total", 'kind="buyer",name="acme"')
        assert (await compared(house))["differences"] == []
        await house.apply(text.replace("leads = 12", "leads = 13"))
        told = await sell(house, 3, first=60)
        assert sorted(float(body["price"]) for body in told) == [4.25, 4.25, 7.65]
        await paused(house, "acme")
        await audit(house, fleet)


async def test_a_pilot_ends_where_the_next_lead_would_pass_its_money(house):
    """Three leads at 9 of 30.00: the fourth does not fit, and nobody waits for a cheaper one."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "5.00"})) as fleet:
        parts = patient("bravo", fleet, ""), PATIENT
        await house.apply(market(in_pilot(fleet, "spend = 30.00"), *parts))
        await house.open(**UNHURRIED)
        told = [(await sell(house, 1, first=number))[0] for number in range(4)]
        assert [float(body["price"]) for body in told] == [7.65, 7.65, 7.65, 4.25]
        (line,) = of(await house.timeline(told[3]["lead_id"]), "hold_failed")
        assert (line["reason"]["reason"], line["detail"]) == (
            "budget_at_award",
            "pilot/acme|spend|total|0",
        )
        await paused(house, "acme")
        assert (await pilots(house))["acme"]["spend"] == 27.0
        await audit(house, fleet)


async def test_before_the_pause_the_limit_itself_keeps_everybody_out(house):
    """The counter is told with the reason `paused`; a loss of market state opens nothing."""
    await house.apply(
        market(buyer("acme", own="pilot = { leads = 2 }", offer="price = 9.00"), campaign())
    )
    worker = await house.open(**UNHURRIED)
    seen = asyncio.Event()

    async def not_now(_kind, _name):
        seen.set()
        return False

    worker._piloting._end = not_now
    told = [(await sell(house, 1, first=number))[0] for number in range(3)]
    assert [body["status"] for body in told] == ["sold", "sold", "unsold"]
    (line,) = of(await house.timeline(told[2]["lead_id"]), "offer_left_out")
    assert (line["reason"]["reason"], line["detail"]) == ("paused", "pilot/acme|leads|total|0")
    async with house.market() as client:
        await client.flushdb()
    await worker._rebuilding.look()
    assert (await sell(house, 1, first=4))[0]["status"] == "unsold"
    await asyncio.wait_for(seen.wait(), 10)


async def test_what_is_under_way_or_refused_ends_no_pilot(house):
    """The one place is held while a buyer thinks, free again as it refuses, and then sold."""
    slow = bidding({"acme": "9.00"}, post_latency_ms=Fixed(300), post_faults=REFUSING)
    async with Fleet(slow) as fleet:
        await house.apply(market(in_pilot(fleet, "leads = 1"), PATIENT))
        worker = await house.open(**UNHURRIED)
        posting = asyncio.ensure_future(house.post(person(1)))
        await fleet.received("acme", posts=1)
        await worker._piloting.look()
        assert (await posting).body["reason"]["reason"] == "all_refused"
        await worker._piloting.look()
        assert not (await pilots(house))["acme"]["paused"]
        fleet.change(bidding({"acme": "9.00"})[0])
        assert (await house.post(person(2))).body["status"] == "sold"
        await paused(house, "acme")
        await audit(house, fleet)


async def test_a_sellers_pilot_ends_with_429_and_it_is_paused(house):
    """The third lead of a pilot of 2 is told so, by the limit, and after the pause as well."""
    seller = '[[seller]]\nid = "fastquotes"\npilot = { leads = 2 }\n'
    text = "\n".join((AUTO, seller, buyer("acme", offer="price = 9.00"), campaign()))
    await house.apply(text)
    await house.open(**UNHURRIED)
    told = [await house.post(person(number)) for number in range(3)]
    assert [answer.status for answer in told] == [200, 200, 429]
    await paused(house, "fastquotes")
    after = await house.post(person(5))
    assert "pilot of 2 leads is over" in after.body["detail"]
    async with house.connection() as connection:
        (written,) = (await read_market(connection)).seller
        assert written.paused
    assert (await compared(house))["differences"] == []
