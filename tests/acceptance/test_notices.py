"""Bidders that ask for it hear what became of their bids, batched and beside the sales."""

import asyncio
from decimal import Decimal

from bidders.fleet import BuyerSpec, Fixed, Fleet, PingFault, PostFault
from tests.acceptance.audit import audit
from tests.acceptance.buyers import bidding
from tests.acceptance.hooked import a_hook
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market

SOON = {"webhook_look_every_s": 0.05, "notices_every_s": 0.1}


def noticed(name, fleet, hook, *, more="", events="", **calls):
    asked = f", events = {events}" if events else ""
    lines = f'notices = {{ url = "{hook.url}"{asked} }}\n{more}'
    return buyer(name, fleet.base_url, offer=lines, **calls)


async def heard(hook, notices):
    """What each offer was told, once it is so many notices."""
    found = {}
    async with asyncio.timeout(20):
        while sum(map(len, found.values())) < notices:
            messages = await hook.until_told(1)
            found = {}
            for message in {one.id: one for one in messages}.values():
                data = message.says["data"]
                found.setdefault(data["offer"], []).extend(data["notices"])
            seen = len(messages)
            if sum(map(len, found.values())) < notices:
                await hook.until_told(seen + 1)
    return found


def results(found):
    return {name: [one["result"] for one in told] for name, told in found.items()}


async def test_everybody_who_asks_hears_what_became_of_its_bid(house):
    """Won with its price, outbid with the band, below the floor, late, invalid; signed."""
    specs = [
        *bidding({"high": "12.00", "second": "9.00", "low": "3.00", "silent": "11.00"}),
        BuyerSpec(id="slow", price=Fixed(20.0), ping_faults={PingFault.SILENT: 1.0}),
        BuyerSpec(id="odd", price=Fixed(20.0), ping_faults={PingFault.NEGATIVE: 1.0}),
    ]
    async with a_hook() as hook, Fleet(specs, keep=20) as fleet:
        names = ("high", "second", "low", "slow", "odd")
        await house.apply(
            market(
                *(noticed(name, fleet, hook) for name in names),
                buyer("silent", fleet.base_url),
                campaign(lines="floor = 5.00"),
            )
        )
        secret = await house.key("signing", "high")
        await house.open(**SOON)
        answer = await house.post()
        assert answer.body["status"] == "sold"
        found = await heard(hook, 5)
        assert results(found) == {
            "high": ["won"],
            "second": ["outbid"],
            "low": ["below_floor"],
            "slow": ["late"],
            "odd": ["invalid"],
        }
        assert found["high"][0]["price"] == 12
        assert found["second"][0]["price_band"] == {"low": 10, "high": 15}
        assert (found["low"][0]["bid"], found["low"][0]["floor"]) == (3, 5)
        pings = [one for one in fleet.books["second"].requests if one.path.endswith("/ping")]
        assert found["second"][0]["ping_id"].encode() in pings[0].body
        [won] = [one for one in hook.told if one.says["data"]["offer"] == "high"]
        won.verify(secret)
        assert won.says["type"] == "bid.notices"
        everything = b"".join(one.body for one in hook.told)
        assert answer.body["lead_id"].encode() not in everything
        assert b"5125550123" not in everything
        await audit(house, fleet)


async def test_who_refuses_what_it_won_or_does_not_answer_hears_of_no_outbidding(house):
    """Whoever bought it then paid less: a band below its own bid would only mislead it."""
    specs = [
        BuyerSpec(id="refuses", price=Fixed(Decimal(20)), post_faults={PostFault.REFUSING: 1.0}),
        BuyerSpec(id="silent", price=Fixed(Decimal(15)), post_faults={PostFault.MUTE: 1.0}),
        *bidding({"buys": "9.00", "low": "8.00"}),
    ]
    names = ("refuses", "silent", "buys", "low")
    async with a_hook() as hook, Fleet(specs) as fleet:
        sellable = (noticed(name, fleet, hook, post_ms=300, no_answer="advance") for name in names)
        await house.apply(market(*sellable, campaign()))
        await house.open(**SOON)
        answer = await house.post()
        assert answer.body["price"] == 7.65
        found = await heard(hook, 2)
        assert results(found) == {"buys": ["won"], "low": ["outbid"]}


async def test_a_full_bidder_hears_that_it_would_have_won(house):
    """Two leads at once for a cap of one: the hold decides, and the loser of it is told."""
    specs = bidding({"high": "12.00", "second": "9.00"})
    async with a_hook() as hook, Fleet(specs) as fleet:
        await house.apply(
            market(
                noticed("high", fleet, hook, more='caps = [ { leads = 1, per = "day" } ]'),
                buyer("second", fleet.base_url),
                campaign(),
            )
        )
        await house.open(**SOON, caps_read_every_ms=60_000.0)
        await house.key("seller", "fastquotes")
        await asyncio.gather(*(house.post(person(number)) for number in range(2)))
        found = await heard(hook, 2)
        assert sorted(one["result"] for one in found["high"]) == ["capped", "won"]
        await audit(house, fleet)


async def test_a_quote_tells_what_is_known_at_once_and_the_rest_when_it_is_posted(house):
    """The winner is known by then, and nobody is told twice."""
    specs = [
        *bidding({"high": "12.00", "second": "9.00"}),
        BuyerSpec(id="slow", price=Fixed(20.0), ping_faults={PingFault.SILENT: 1.0}),
    ]
    async with a_hook() as hook, Fleet(specs) as fleet:
        names = ("high", "second", "slow")
        await house.apply(market(*(noticed(name, fleet, hook) for name in names), campaign()))
        await house.open(**SOON)
        ping = {"zip": "78701", "currently_insured": True}
        quote = await house.post(ping, path="/v1/pings")
        assert quote.body["status"] == "quoted"
        assert results(await heard(hook, 1)) == {"slow": ["late"]}
        sold = await house.post(path=f"/v1/pings/{quote.body['ping_id']}/post")
        assert sold.body["status"] == "sold"
        found = await heard(hook, 3)
        assert results(found) == {
            "slow": ["late"],
            "high": ["won"],
            "second": ["outbid"],
        }


async def test_who_was_quoted_and_not_chosen_hears_that_it_was_outbid(house):
    """The seller posts one leg of three, or a consent names its buyer: the others' bids stood."""
    specs = bidding({"high": "12.00", "second": "9.00", "third": "8.00", "low": "7.00"})
    async with a_hook() as hook, Fleet(specs) as fleet:
        names = ("high", "second", "third", "low")
        plan = 'method = "auction"\nmax_buyers = 3'
        sellable = (noticed(name, fleet, hook) for name in names)
        await house.apply(market(*sellable, campaign(stages=[plan])))
        await house.open(**SOON)
        ping = {"zip": "78701", "currently_insured": True}
        quote = await house.post(ping, path="/v1/pings")
        path = f"/v1/pings/{quote.body['ping_id']}/post"
        sold = await house.post(path=path, legs=["2"])
        assert sold.body["price"] == 7.65
        found = await heard(hook, 4)
        assert results(found) == {
            "high": ["outbid"],
            "second": ["won"],
            "third": ["outbid"],
            "low": ["outbid"],
        }


async def test_many_leads_leave_few_messages_and_an_endpoint_that_is_down_stops_no_sale(house):
    """Batched; what could not be told waits in the outbox, and is there when it is back."""
    async with a_hook() as hook, Fleet(bidding({"high": "12.00", "second": "9.00"})) as fleet:
        await house.apply(
            market(
                noticed("second", fleet, hook, events='["outbid"]'),
                buyer("high", fleet.base_url),
                campaign(),
            )
        )
        await house.open(webhook_look_every_s=0.05, notices_every_s=0.5)
        hook.status = 503
        answers = await asyncio.gather(*(house.post(person(number)) for number in range(30)))
        assert {answer.body["status"] for answer in answers} == {"sold"}
        await hook.until_told(1)
        hook.status = 200
        key = await house.key("operator", "tests")
        path = "/v1/admin/webhooks/deliveries?recipient=offer/second"
        listed = (await house.call("GET", path, key=key)).body["deliveries"]
        assert 1 <= len(listed) < 10
        assert listed[0]["lead_id"] is None
        for one in listed:
            await house.call("POST", f"{path.partition('?')[0]}/{one['id']}/replay", key=key)
        found = await heard(hook, 30)
        assert len(found["second"]) == 30


async def test_a_simulated_buyer_hears_notices_as_a_real_one_would(house):
    """Signed under its own secret; its book counts them by what they say."""
    async with Fleet(bidding({"high": "12.00", "second": "9.00"})) as fleet:
        lines = f'notices = {{ url = "{fleet.base_url}/second/notices" }}'
        await house.apply(
            market(
                buyer("high", fleet.base_url),
                buyer("second", fleet.base_url, offer=lines),
                campaign(),
            )
        )
        secret = await house.key("signing", "second")
        fleet.change(bidding({"second": "9.00"}, secret=secret)[0])
        await house.open(**SOON)
        assert (await house.post()).body["status"] == "sold"
        book = fleet.books["second"]

        async def told():
            return bool(book.notices)

        await until(told)
        assert (book.notices, book.unsigned) == ({"outbid": 1}, 0)
