"""Every cent is booked twice and explained once: after faults, lower prices, tests and losses."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PingFault, PostFault, Uniform
from exchange.domain.money import from_decimal
from tests.acceptance.audit import audit, by_state, settled, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of

LEADS = 120
DECIDED = [fault for fault in PostFault if fault not in {PostFault.MUTE, PostFault.UNDECIDED}]
"""What a buyer does wrong that tells its decision when it is asked again."""


async def balances(house):
    """Return what every account has, in currency units; they are all in dollars."""
    async with house.ledger() as ledger:
        return {one.account: one.amount / 1_000_000 for one in await ledger.balances()}


async def test_after_mixed_traffic_with_every_fault_the_books_agree(house):
    """Issue 2: two workers, buyers with faults, direct posts and quotes: no violation, sum zero.

    Buyers and ledger agree on every sale, sellers heard what the ledger says, counters are what
    the sales make them, nothing is held.
    """
    faults = {
        "ping_faults": dict.fromkeys(PingFault, 0.02),
        "post_faults": dict.fromkeys(DECIDED, 0.02) | {PostFault.REFUSING: 0.15},
        "late_ms": 400.0,
        "drip_ms": 1.0,
    }
    names = [f"buyer-{number}" for number in range(6)]
    specs = [BuyerSpec(id=name, price=Uniform(4, 14), **faults) for name in names]
    async with Fleet(specs, seed=7) as fleet:
        await house.apply(
            market(
                *(
                    buyer(
                        name,
                        fleet.base_url,
                        own='billing = { mode = "prepaid", opening_balance = 150.00 }',
                        offer='caps = [ { leads = 12, per = "day" }, { concurrent = 8 } ]',
                        ping_ms=800,
                        post_ms=300,
                        no_answer="advance" if number % 3 == 0 else "wait",
                    )
                    for number, name in enumerate(names)
                ),
                buyer("house", offer="price = 2.00"),
                campaign(
                    lines="floor = 1.50\nauction_deadline_ms = 3000\n"
                    'duplicates = { window_hours = 24, on = ["phone"] }',
                    stages=['method = "auction"', 'method = "waterfall"\noffers = ["house"]'],
                ),
            )
        )
        await house.open()
        await house.open()
        await house.key("seller", "fastquotes")
        at_once = asyncio.Semaphore(40)
        heard = await asyncio.gather(*(a_seller(house, n, at_once) for n in range(LEADS)))
        sales = await audit(house, fleet)
        states = by_state(sales)
        assert states["accepted"] > LEADS / 2
        assert states["refused"] > 5
        assert states["void"] >= 1
        statuses = Counter(body["status"] for body in heard)
        assert statuses["sold"] == states["accepted"]
        assert statuses["duplicate"] > 0
        paid = sum(Decimal(str(body["price"])) for body in heard if body["status"] == "sold")
        async with house.ledger() as ledger:
            assert await ledger.balance("seller/fastquotes") == {"USD": from_decimal(paid)}


async def a_seller(house, number, at_once):
    """Post one person, every third by a ping first, every tenth a second time."""
    who, base = person(number - number % 10 // 9), number % 2
    async with at_once:
        if number % 3:
            return (await house.post(who, base=base)).body
        shown = {name: who[name] for name in ("zip", "currently_insured", "birth_date")}
        ping = await house.post(shown, path="/v1/pings", base=base)
        if ping.body["status"] != "quoted":
            return ping.body
        return (await house.post(who, base=base, ping_id=ping.body["ping_id"])).body


@pytest.mark.parametrize(
    ("lower_by", "margin", "booked"),
    [
        # Bid 12.00: the seller was promised 10.20 and gets it.
        (0.1, "margin", {"buyer/acme": -10.8, "seller/fastquotes": 10.2, "margin/auto-us": 0.6}),
        (0.5, "loss", {"buyer/acme": -6.0, "seller/fastquotes": 10.2, "margin/auto-us": -4.2}),
    ],
)
async def test_a_lower_price_on_the_post_is_taken_and_the_margin_bears_it(
    house, lower_by, margin, booked
):
    """The seller gets what was promised; the buyer pays, and its budget counts, what it said."""
    spec = bidding({"acme": "12.00"}, post_faults={PostFault.LOWER_PRICE: 1.0}, lower_by=lower_by)
    async with Fleet(spec) as fleet:
        lines = 'caps = [ { spend = 100.00, per = "day" } ]'
        await house.apply(market(buyer("acme", fleet.base_url, offer=lines), campaign()))
        await house.open()
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
        assert await balances(house) == booked
        kinds = {row["kind"] for row in await house.fetch("SELECT kind FROM transfer")}
        assert kinds == {"payout", margin}
        (accepted,) = of(await house.timeline(answer.body["lead_id"]), "accepted")
        assert (accepted["price"], accepted["detail"]) == (
            -booked["buyer/acme"],
            "lower price taken",
        )
        await audit(house, fleet)
        assert settled(await standing(house, "acme"), "spend") == -booked["buyer/acme"] * 1_000_000


async def test_a_lower_price_may_be_disputed(house):
    """`on_lower_price = "dispute"`: the buyer owes what it bid, and the timeline says why."""
    spec = bidding({"acme": "12.00"}, post_faults={PostFault.LOWER_PRICE: 1.0})
    async with Fleet(spec) as fleet:
        await house.apply(
            market(buyer("acme", fleet.base_url, offer='on_lower_price = "dispute"'), campaign())
        )
        await house.open()
        answer = await house.post()
        assert answer.body["price"] == 10.2
        assert (await balances(house))["buyer/acme"] == -12.0
        (accepted,) = of(await house.timeline(answer.body["lead_id"]), "accepted")
        assert (accepted["price"], accepted["detail"]) == (12.0, "lower price disputed")


async def test_what_is_not_sold_and_what_is_a_test_moves_no_money(house):
    """Refused, unsold, rejected, a test: not one entry."""
    async with Fleet([BuyerSpec(id="acme", price=Fixed(9.0))]) as fleet:
        fleet.change(BuyerSpec(id="acme", price=Fixed(9.0), post_faults={PostFault.REFUSING: 1.0}))
        await house.apply(
            market(
                buyer("acme", fleet.base_url),
                buyer("trial", offer="price = 9.00\ntest = true"),
                campaign(lines="qualify = 'currently_insured'"),
            )
        )
        await house.open()
        told = [
            (await house.post(person(1))).body["status"],
            (await house.post(person(2, currently_insured=False))).body["status"],
            (await house.post(person(3), test=True)).body["status"],
        ]
        assert told == ["unsold", "rejected", "sold"]
        assert await balances(house) == {}
        await audit(house, fleet)
