"""Caps, budgets and balances: held before the post, never passed by anyone, given back in full."""

import asyncio
from datetime import datetime
from decimal import Decimal

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.audit import audit, by_state, settled, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, offers, reasons

NO_ROOM = 507


UNHURRIED = {
    "loop_lag_target_ms": 9000,
    "loop_lag_max_ms": 9000,
    "database_timeout_ms": 9000,
    "market_timeout_ms": 9000,
}
"""On a busy machine nothing is shed."""

PATIENT = campaign(lines="auction_deadline_ms = 20000")
"""However busy the machine, no bid is late: only limits decide."""


def patient(name: str, fleet: Fleet, lines: str) -> str:
    """Return a buyer that is waited for."""
    return buyer(name, fleet.base_url, offer=lines, ping_ms=20_000, post_ms=20_000)


def caps(*limits: str) -> str:
    return f"caps = [ {', '.join(f'{{ {limit} }}' for limit in limits)} ]"


async def sell(house, count, *, first=0, bases=1, **control):
    """Post so many persons at once, in turn to each worker; return the answers' bodies."""
    await house.key("seller", "fastquotes")
    answers = await asyncio.gather(
        *(
            house.post(person(first + number), base=number % bases, **control)
            for number in range(count)
        )
    )
    assert {answer.status for answer in answers} == {200}
    return [answer.body for answer in answers]


def has_room(body):
    return body["status"] == "sold" or body["reason"]["code"] != NO_ROOM


# Nobody passes a limit


async def test_two_exchanges_sell_exactly_as_many_as_a_cap_allows(house):
    """Issue 2, row 60: 200 sales at once on a cap of 100, from two processes, settle 100."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        lines = caps('leads = 100, per = "day"')
        await house.apply(market(patient("acme", fleet, lines), PATIENT))
        await asyncio.gather(house.start(**UNHURRIED), house.start(**UNHURRIED))
        told = await sell(house, 200, bases=2)
        sold = [body for body in told if body["status"] == "sold"]
        rest = [body["reason"]["reason"] for body in told if body["status"] != "sold"]
        assert (len(sold), rest) == (100, ["no_eligible_offer"] * 100)
        assert len(fleet.books["acme"].accepted()) == 100
        assert by_state(await audit(house, fleet)) == {"accepted": 100}
        assert settled(await standing(house, "acme"), "leads") == 100


async def test_a_budget_is_never_passed_and_what_refusals_free_is_spent(house):
    """Row 62: $1000 under 250 auctions at once, of which a third are refused by the buyer."""
    specs = [
        BuyerSpec(
            id="acme",
            price=Fixed(Decimal("7.00")),
            post_latency_ms=Fixed(5),
            post_faults={PostFault.REFUSING: 0.3},
        )
    ]
    async with Fleet(specs, seed=2) as fleet:
        lines = caps('spend = 1000, per = "month"')
        await house.apply(market(patient("acme", fleet, lines), PATIENT))
        await house.open()
        await house.open()
        await sell(house, 250, bases=2)
        first = 250
        while any(has_room(body) for body in await sell(house, 25, first=first, bases=2)):
            first += 25
            assert first < 1000
        sales = await audit(house, fleet)
        spent = sum(sale.charged for sale in sales if sale.state == "accepted")
        assert spent == 994_000_000
        assert by_state(sales)["refused"] > 20  # 61 on average, 9 the standard deviation
        assert settled(await standing(house, "acme"), "spend") == spent


async def test_each_window_is_enforced_and_the_first_that_is_full_decides(house):
    """Row 61: hour, day, week, month and total; with two at once the tighter one counts."""
    windows = {per: caps(f'leads = 2, per = "{per}"') for per in ("hour", "day", "week", "month")}
    windows |= {
        "total": caps('leads = 2, per = "total"'),
        "tighter": caps('leads = 9, per = "day"', 'leads = 2, per = "hour"'),
        "money": caps('leads = 9, per = "day"', 'spend = 19.99, per = "hour"'),
    }
    full = {"tighter": "hour", "money": "hour"}
    parts = [buyer(name, offer=f"price = 9.00\n{lines}") for name, lines in windows.items()]
    plans = [
        campaign(name, stages=[f'method = "waterfall"\noffers = ["{name}"]']) for name in windows
    ]
    await house.apply(market(*parts, *plans))
    await house.open()
    for number, name in enumerate(windows):
        told = [
            (await sell(house, 1, first=10 * number + turn, campaign=name))[0] for turn in range(3)
        ]
        assert [body["status"] for body in told] == ["sold", "sold", "unsold"], name
        (line,) = of(await house.timeline(told[2]["lead_id"]), "offer_left_out")
        assert line["reason"]["reason"] == ("budget" if name == "money" else "cap")
        assert f"|{full.get(name, name)}|" in line["detail"]


async def test_a_buyers_own_cap_stands_beside_those_of_its_offers(house):
    """Rows 60 and 63: two offers of 2 each, and 3 for their buyer: whichever is full first."""
    second = """
[[buyer.offer]]
id = "acme-second"
vertical = "auto_insurance"
price = 8.00
caps = [ { leads = 2, per = "day" } ]
"""
    lines = caps('leads = 2, per = "day"')
    acme = buyer(
        "acme", own=caps('leads = 3, per = "day"'), offer=f"price = 9.00\n{lines}\n{second}"
    )
    await house.apply(market(acme, campaign()))
    await house.open()
    told = [(await sell(house, 1, first=number))[0] for number in range(4)]
    assert [body["price"] for body in told] == [7.65, 7.65, 6.8, None]
    counts = (await standing(house, "acme")).settled
    assert {name.split("|")[0]: count for name, count in counts.items()} == {
        "offer/acme": 2,
        "offer/acme-second": 1,
        "buyer/acme": 3,
    }


# What is full is not asked, and the next buyer has the lead at once


async def test_a_full_buyer_is_not_pinged_and_the_next_wins_at_once(house):
    """Row 60: lead 3 of a cap of 2 goes to the second buyer, without a ping to the first."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "10.00"})) as fleet:
        lines = caps('leads = 2, per = "day"')
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer=lines),
                buyer("bravo", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        told = [(await sell(house, 1, first=number))[0] for number in range(3)]
        assert [body["price"] for body in told] == [10.2, 10.2, 8.5]
        assert fleet.books["acme"].pings == 2
        timeline = await house.timeline(told[2]["lead_id"])
        assert reasons(timeline, "offer_left_out") == {"acme": "cap"}
        await audit(house, fleet)


@pytest.mark.parametrize(
    "billing",
    ['mode = "prepaid", opening_balance = 24.00', 'mode = "credit", limit = 24.00'],
)
async def test_a_buyer_without_money_left_is_not_pinged(house, billing):
    """Rows 62 and 69: after two leads at 12 a balance of 24 is used up: reason `budget`."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "5.00"})) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, own=f"billing = {{ {billing} }}"),
                buyer("bravo", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        told = [(await sell(house, 1, first=number))[0] for number in range(3)]
        assert [body["price"] for body in told] == [10.2, 10.2, 4.25]
        assert fleet.books["acme"].pings == 2
        timeline = await house.timeline(told[2]["lead_id"])
        assert reasons(timeline, "offer_left_out") == {"acme": "budget"}
        await audit(house, fleet)
        async with house.ledger() as ledger:
            left = {"USD": 0} if "prepaid" in billing else {"USD": -24_000_000}
            assert await ledger.balance("buyer/acme") == left


async def test_a_buyer_that_becomes_prepaid_later_buys_of_what_it_paid_in(house):
    """It bought one at 12 before it had an account of money: of 30, one more can be paid."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "5.00"})) as fleet:
        billing = 'billing = { mode = "prepaid", opening_balance = 30.00 }'
        rest = (buyer("bravo", fleet.base_url), campaign())
        await house.apply(market(buyer("acme", fleet.base_url), *rest))
        await house.open()
        told = await sell(house, 1)
        await house.apply(market(buyer("acme", fleet.base_url, own=billing), *rest))

        async def is_counted() -> bool:
            counters = (await standing(house, "acme")).settled
            return 12_000_000 in counters.values()

        await until(is_counted)
        told += [(await sell(house, 1, first=number))[0] for number in (1, 2)]
        assert [body["price"] for body in told] == [10.2, 10.2, 4.25]
        await audit(house, fleet)
        async with house.ledger() as ledger:
            assert await ledger.balance("buyer/acme") == {"USD": 6_000_000}


async def test_a_bid_above_what_is_left_is_not_payable_and_the_next_wins(house):
    """Row 62: 8 left of 20, a bid of 12: it loses at the hold, with the reason for it."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "5.00"})) as fleet:
        billing = 'billing = { mode = "prepaid", opening_balance = 20.00 }'
        await house.apply(
            market(
                buyer("acme", fleet.base_url, own=billing),
                buyer("bravo", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        told = [(await sell(house, 1, first=number))[0] for number in range(2)]
        assert [body["price"] for body in told] == [10.2, 4.25]
        timeline = await house.timeline(told[1]["lead_id"])
        assert reasons(timeline, "hold_failed") == {"acme": "budget_at_award"}
        await audit(house, fleet)


async def test_a_bid_for_which_nothing_is_left_for_good_is_passed_over_without_a_call(house):
    """Three have 10, 11 and 12 left and bid more: no hold could succeed; none is quoted."""
    bids = {"acme": "20.00", "bravo": "19.00", "cargo": "18.00", "delta": "5.00"}
    budget = caps('spend = 30.00, per = "day"')
    async with Fleet(bidding(bids)) as fleet:
        buyers = (buyer(name, fleet.base_url, offer=budget, ping_ms=900) for name in bids)
        await house.apply(market(*buyers, campaign()))
        worker = await house.open()
        told = [(await sell(house, 1, first=number))[0] for number in range(3)]
        assert [body["price"] for body in told] == [17, 16.15, 15.3]
        await worker._state.market.read_rooms()
        ping = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
        quote = await house.post(ping, path="/v1/pings")
        (last,) = await sell(house, 1, first=3)
        timeline = await house.timeline(last["lead_id"])
        await audit(house, fleet)
    assert last["price"] == 4.25
    assert sorted(offers(timeline, "pinged")) == list(bids)
    assert set(reasons(timeline, "hold_failed").values()) == {"budget_at_award"}
    details = {line["offer"]: line["detail"] for line in of(timeline, "hold_failed")}
    assert list(details) == ["acme", "bravo", "cargo"]
    assert all(detail.endswith("|spent") for detail in details.values())
    assert quote.body["price"] == 4.25


async def test_what_is_concurrent_is_free_again_with_the_end_of_its_sale(house):
    """Row 60: one sale under way at a time; a second lead meanwhile goes to the next buyer."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "5.00"})) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer=caps("concurrent = 1")),
                buyer("bravo", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        fleet.change(bidding({"acme": "12.00"}, post_latency_ms=Fixed(400))[0])
        slow = asyncio.create_task(house.post(person(1)))
        await fleet.received("acme", posts=1)
        meanwhile = await house.post(person(2))
        assert meanwhile.body["price"] == 4.25
        assert (await slow).body["price"] == 10.2
        fleet.change(bidding({"acme": "12.00"}, post_faults={PostFault.REFUSING: 1.0})[0])
        assert (await house.post(person(3))).body["price"] == 4.25, "refused: the slot is free"
        fleet.change(bidding({"acme": "12.00"})[0])
        assert (await house.post(person(4))).body["price"] == 10.2
        await audit(house, fleet)
        assert not any((await standing(house, "acme")).settled.values())


async def test_test_leads_use_no_cap_and_no_money(house):
    """A test runs against test offers, on counters of its own, and charges nobody."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        lines = "test = true\n" + caps('leads = 2, per = "day"')
        own = 'billing = { mode = "prepaid", opening_balance = 5.00 }'
        await house.apply(market(buyer("acme", fleet.base_url, own=own, offer=lines), campaign()))
        await house.open()
        told = [(await sell(house, 1, first=number, test=True))[0] for number in range(3)]
        assert [body["status"] for body in told] == ["sold", "sold", "unsold"]
        async with house.ledger() as ledger:
            assert await ledger.balance("buyer/acme") == {"USD": 5_000_000}
        await audit(house, fleet)


# Windows end by the buyer's own clock


TURNS = [  # per, full until, free from; in the order of time, at the buyer in Chicago
    ("day", "2026-03-08T23:59:50-05:00", "2026-03-09T00:00:01-05:00"),
    ("month", "2026-03-31T23:59:50-05:00", "2026-04-01T00:00:01-05:00"),
    ("week", "2026-04-05T23:59:50-05:00", "2026-04-06T00:00:01-05:00"),
    ("hour", "2026-11-01T01:59:50-05:00", "2026-11-01T01:00:01-06:00"),
    ("day", "2026-11-01T23:59:50-06:00", "2026-11-02T00:00:01-06:00"),
]


async def test_a_cap_is_free_again_when_its_window_turns_at_the_buyer(house, clock):
    """Row 60: midnight in Chicago, on the days of 23 and 25 hours too; no second before it."""
    zone = 'time_zone = "America/Chicago"\n'
    limits = {per: zone + caps(f'leads = 1, per = "{per}"') for per, _, _ in TURNS}
    await house.apply(
        market(
            *(buyer(per, own=limit, offer="price = 9.00") for per, limit in limits.items()),
            *(
                campaign(per, stages=[f'method = "waterfall"\noffers = ["{per}"]'])
                for per in limits
            ),
        )
    )
    clock.set(datetime.fromisoformat(TURNS[0][1]))
    await house.open()
    for number, (per, full, fresh) in enumerate(TURNS):
        told = []
        for turn, moment in enumerate((full, full, fresh, fresh)):
            clock.set(datetime.fromisoformat(moment))
            answer = await house.post(person(10 * number + turn), campaign=per)
            told.append(answer.body["status"])
        assert told == ["sold", "unsold", "sold", "unsold"], per
