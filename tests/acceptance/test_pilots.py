"""Pilots of offers, sellers and campaigns: what each may bring or cost, hard, and then a pause."""

import asyncio
from decimal import Decimal

import pytest

from bidders.fleet import Fixed, Fleet, PostFault
from exchange.configuration.store import read_market
from exchange.domain.caps import Hold, HoldLine
from exchange.domain.reason import Reason
from tests.acceptance.audit import audit, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import AUTO, buyer, campaign, market
from tests.acceptance.test_caps import PATIENT, UNHURRIED, patient, sell
from tests.acceptance.test_confirm import confirm
from tests.acceptance.test_pilot import paused, pilots
from tests.acceptance.test_reconcile import compared
from tests.acceptance.timelines import of, reasons

DOLLAR = 1_000_000
SELLER = '[[seller]]\nid = "fastquotes"\npilot = { PILOT }\n'


def sellers_market(limits, *parts):
    """A market whose seller is in a pilot."""
    return "\n".join((AUTO, SELLER.replace("PILOT", limits), *parts))


async def lost(house):
    """Empty market state, and let it be built from the books."""
    async with house.market() as client:
        await client.flushdb()
    for worker in house.workers:
        await worker._rebuilding.look()


async def counted(house, holder):
    """What is settled of a holder's pilot, by kind, once nothing of it is held."""

    async def rests():
        return not (await standing(house, holder)).holds

    await until(rests)
    found = (await standing(house, holder)).settled
    parts = {name: name.split("|") for name in found}
    return {kind: found[name] for name, (scope, kind, *_) in parts.items() if "test/" not in scope}


async def written(house, kind, name):
    """Whether the market file that would be exported says that this one is paused."""
    async with house.connection() as connection:
        found = await read_market(connection)
    offers = [offer for one in found.buyer for offer in one.offer]
    parts = {"offer": offers, "seller": found.seller, "campaign": found.campaign}[kind]
    return {one.id: one.paused for one in parts}[name]


# Offers


async def test_a_new_offer_is_tried_and_paused_alone(house):
    """Its buyer's other offer goes on, under two workers; a loss of market state opens nothing."""
    second = '[[buyer.offer]]\nid = "acme-old"\nvertical = "auto_insurance"\nprice = 7.00'
    one = buyer("acme", offer=f"price = 9.00\npilot = {{ leads = 8, spend = 500.00 }}\n{second}")
    text = market(one, buyer("bravo", offer="price = 5.00"), PATIENT)
    await house.apply(text)
    await house.open(**UNHURRIED)
    await house.open(**UNHURRIED)
    told = await sell(house, 24, bases=2)
    assert sorted(float(body["price"]) for body in told) == [5.95] * 16 + [7.65] * 8
    await paused(house, "acme")
    figures = {**(await pilots(house))["acme"]}
    assert (figures["kind"], figures["leads"], figures["spend"]) == ("offer", 8, 72.0)
    assert (figures["payout"], figures["payout_max"]) == (None, None)
    assert await written(house, "offer", "acme")
    assert not await written(house, "offer", "acme-old")
    assert (await compared(house))["differences"] == []
    raised = text.replace("leads = 8", "leads = 9")
    await house.apply(raised)
    await lost(house)
    told = await sell(house, 3, first=50)
    assert sorted(float(body["price"]) for body in told) == [5.95, 5.95, 7.65]
    timeline = await house.timeline((await sell(house, 1, first=60))[0]["lead_id"])
    assert reasons(timeline, "offer_left_out") == {"acme": "paused"}
    await paused(house, "acme")


async def test_an_offer_that_is_full_says_which_limit_of_its_pilot_it_was(house):
    """Before the pause, by the counter of its own."""
    one = buyer("acme", offer="price = 9.00\npilot = { spend = 10.00 }")
    await house.apply(market(one, campaign()))
    worker = await house.open(**UNHURRIED)

    async def not_now(_kind, _name):
        return False

    worker._piloting._end = not_now
    told = [(await sell(house, 1, first=number))[0] for number in range(2)]
    assert [body["status"] for body in told] == ["sold", "unsold"]
    (line,) = of(await house.timeline(told[1]["lead_id"]), "hold_failed")
    detail = "offer-pilot/acme|spend|total|0"
    assert (line["reason"]["reason"], line["detail"]) == ("budget_at_award", detail)


# Sellers


async def test_a_sellers_pilot_ends_where_the_next_payout_would_pass_it(house):
    """Two leads at 7.65 of 20.00: nobody sells the third, then it is paused, and told 429."""
    parts = buyer("acme", offer="price = 9.00"), campaign()
    await house.apply(sellers_market("leads = 100, payout = 20.00", *parts))
    await house.open(**UNHURRIED)
    told = [(await sell(house, 1, first=number))[0] for number in range(3)]
    assert [body["status"] for body in told] == ["sold", "sold", "unsold"]
    (line,) = of(await house.timeline(told[2]["lead_id"]), "hold_failed")
    detail = "pilot/fastquotes|payout|total|0"
    assert (line["reason"]["reason"], line["detail"]) == ("budget_at_award", detail)
    await paused(house, "fastquotes")
    figures = (await pilots(house))["fastquotes"]
    assert (figures["leads"], figures["payout"], figures["payout_max"]) == (3, 15.3, 20.0)
    assert await written(house, "seller", "fastquotes")
    after = await house.post(person(9))
    assert (after.status, after.body["status"]) == (200, "rejected")
    assert (await compared(house))["differences"] == []


@pytest.mark.parametrize("faults", [{}, {PostFault.REFUSING: 0.4}], ids=["taken", "refused"])
async def test_no_more_is_paid_out_than_a_pilot_allows_by_any_worker(house, faults):
    """60 leads at once, two workers, 100.00 at 7.65 each: 13, whatever was refused meanwhile.

    Who comes while refused sales still hold the money is turned away; so more come until nobody is
    sold any more. Then as many come once again, to an empty till.
    """
    async with Fleet(bidding({"acme": "9.00"}, post_faults=faults), seed=3) as fleet:
        parts = patient("acme", fleet, ""), PATIENT
        text = sellers_market("payout = 100.00", *parts)
        await house.apply(text)
        for worker in (await house.open(**UNHURRIED), await house.open(**UNHURRIED)):
            worker._piloting._end = hold_on
        prices, first = [], 0
        while len(prices) < 13 and first < 1200:
            prices += await paid_at_once(house, first)
            first += 60
        assert prices + await paid_at_once(house, first) == [Decimal("7.65")] * 13
        assert await counted(house, "seller:fastquotes") == {"payout": 99_450_000}
        await lost(house)
        assert await counted(house, "seller:fastquotes") == {"payout": 99_450_000}
        assert (await compared(house))["differences"] == []
        async with house.market() as client:
            await client.hincrby(
                "{seller:fastquotes}:counters", "pilot/fastquotes|payout|total|0|s", -9
            )
        await compared(house, differs={("settled", "seller:fastquotes")})
        assert (await compared(house, repair=True))["left"] == []
        await audit(house, fleet)


async def paid_at_once(house, first):
    """What the sold ones of 60 leads bring, sent at once to two workers."""
    told = await asyncio.gather(*(house.post(person(first + n), base=n % 2) for n in range(60)))
    assert {answer.status for answer in told} <= {200, 429}
    return [Decimal(str(one.body["price"])) for one in told if one.body["status"] == "sold"]


async def hold_on(_kind, _name):
    """Pause nobody: the limits alone keep everybody out."""
    return False


async def test_money_of_a_sale_in_doubt_is_held_and_comes_back_with_its_end(house):
    """While a buyer thinks nothing else is sold; lost market state holds it again; it refuses."""
    mute = bidding({"acme": "9.00"}, post_faults={PostFault.MUTE: 1.0})
    async with Fleet(mute) as fleet:
        parts = buyer("acme", fleet.base_url, post_ms=300, in_doubt_s=60), campaign()
        await house.apply(sellers_market("payout = 10.00", *parts))
        await house.open(**UNHURRIED)
        doubted = await house.post(person(1), timeout_ms=1500)
        assert doubted.body["status"] == "pending"
        assert (await standing(house, "seller:fastquotes")).held == {
            "pilot/fastquotes|payout|total|0": 7_650_000
        }
        await lost(house)
        assert sum((await standing(house, "seller:fastquotes")).held.values()) == 7_650_000
        assert (await house.post(person(2))).body["status"] == "unsold"
        sale_id = (await house.admin(doubted.body["lead_id"]))["sales"][0]["sale_id"]
        assert (await confirm(house, sale_id, accepted=False)).status == 200
        assert await counted(house, "seller:fastquotes") == {}
        fleet.change(bidding({"acme": "9.00"})[0])
        assert (await house.post(person(3))).body["status"] == "sold"
        assert await counted(house, "seller:fastquotes") == {"payout": 7_650_000}


GHOST = "0199c0de-0000-7000-8000-000000000001"
SALE = "0199c0de-0000-7000-8000-000000000002"


async def test_money_that_was_held_for_a_sale_that_never_came_is_given_back(house):
    """A worker that dies between hold and award leaves nothing: the sweeper asks the books."""
    parts = buyer("acme", offer="price = 9.00"), campaign(lines="pilot = { spend = 10.00 }")
    await house.apply(sellers_market("payout = 10.00", *parts))
    worker = await house.open(hold_lease_s=0, **UNHURRIED)
    for holder, counter in (
        ("seller:fastquotes", "pilot/fastquotes|payout|total|0"),
        ("campaign:auto-us", "campaign-pilot/auto-us|spend|total|0"),
    ):
        line = HoldLine(counter, 5 * DOLLAR, 10 * DOLLAR, Reason.BUDGET_AT_AWARD)
        hold = Hold(sale_id=SALE, lead_id=GHOST, buyer_id=holder, held_at_us=0, lines=(line,))
        assert await worker._state.market.hold(hold) is None
        assert await counted(house, holder) == {}
    assert (await house.post(person(1))).body["status"] == "sold"
    assert await counted(house, "seller:fastquotes") == {"payout": 7_650_000}
    assert await counted(house, "campaign:auto-us") == {"spend": 9_000_000}


# Campaigns


async def test_a_new_campaign_is_tried_with_so_many_leads_and_paused_alone(house):
    """The third lead of 2 hears 429, its ping too; the seller's other campaign goes on."""
    tried, usual = campaign("new", lines="pilot = { leads = 2 }"), campaign()
    await house.apply(market(buyer("acme", offer="price = 9.00"), tried, usual))
    await house.open(**UNHURRIED)
    told = [await house.post(person(number), campaign="new") for number in range(3)]
    assert [answer.status for answer in told] == [200, 200, 429]
    assert "this campaign's pilot of 2 leads is over" in told[2].body["detail"]
    await paused(house, "new")
    assert (await pilots(house))["new"] == {
        "kind": "campaign",
        "id": "new",
        "leads": 2,
        "leads_max": 2,
        "spend": None,
        "spend_max": None,
        "payout": None,
        "payout_max": None,
        "paused": True,
    }
    assert await written(house, "campaign", "new")
    assert not await written(house, "campaign", "auto-us")
    assert (await house.post(person(7), path="/v1/pings", campaign="new")).status == 429
    assert (await house.post(person(8))).body["status"] == "sold"
    test = await house.post(person(9), campaign="new", test=True)
    assert test.body["reason"]["reason"] == "paused_source"
    await lost(house)
    assert await counted(house, "campaign:new") == {"leads": 2}
    assert (await compared(house))["differences"] == []


async def test_test_leads_are_tried_as_often_as_anybody_likes_and_end_no_pilot(house):
    """Of a seller, a campaign, a buyer and its test offer; the books say so, too."""
    one = "leads = 1"
    tried = campaign(lines=f"pilot = {{ {one} }}\nfloor = 2.00")
    offer = f"price = 9.00\ntest = true\npilot = {{ {one} }}"
    await house.apply(
        sellers_market(one, buyer("acme", own=f"pilot = {{ {one} }}", offer=offer), tried)
    )
    await house.open(**UNHURRIED)
    told = [await house.post(person(number), test=True) for number in range(3)]
    assert [answer.body["status"] for answer in told] == ["sold", "sold", "sold"]
    assert (await compared(house))["differences"] == []
    await lost(house)
    assert (await compared(house))["differences"] == []
    assert {one["leads"] for one in (await pilots(house)).values()} == {0}
    assert (await house.post(person(7))).status == 200
    assert (await house.post(person(8))).status == 429


async def test_a_campaigns_money_is_what_its_buyers_pay_shared_leads_included(house):
    """Three at 9, 8 and 7 share each lead; 50.00 hold two leads and no part of a third too much."""
    prices = {"acme": "9.00", "bravo": "8.00", "coda": "7.00"}
    async with Fleet(bidding(prices, post_latency_ms=Fixed(5))) as fleet:
        lines = (
            "auction_deadline_ms = 20000\npilot = { spend = 50.00 }\n"
            '[[campaign.stage]]\nmethod = "auction"\nmax_buyers = 3'
        )
        parts = [patient(name, fleet, "") for name in prices]
        await house.apply(market(*parts, campaign(lines=lines)))
        for worker in (await house.open(**UNHURRIED), await house.open(**UNHURRIED)):
            worker._piloting._end = hold_on
        await sell(house, 1)
        told = await asyncio.gather(
            *(house.post(person(1 + number), base=number % 2) for number in range(20))
        )
        assert {answer.status for answer in told} <= {200, 429}
        spent = (await counted(house, "campaign:auto-us"))["spend"]
        booked = await house.fetch("SELECT sum(amount) FROM transfer WHERE debit LIKE 'buyer/%'")
        assert spent == booked[0][0] <= 50 * DOLLAR
        assert spent > 43 * DOLLAR, "what is left is less than anybody pays"
        await lost(house)
        assert await counted(house, "campaign:auto-us") == {"spend": spent}
        assert (await compared(house))["differences"] == []
        await audit(house, fleet)


async def test_two_pilots_of_one_sale_are_held_together_or_not_at_all(house):
    """Where the campaign has no room, buyer and seller have theirs back."""
    parts = (
        buyer("acme", own="pilot = { spend = 100.00 }", offer="price = 9.00"),
        campaign(lines="pilot = { spend = 12.00 }"),
    )
    await house.apply(sellers_market("payout = 90.00", *parts))
    worker = await house.open(**UNHURRIED)
    worker._piloting._end = hold_on
    told = [(await sell(house, 1, first=number))[0] for number in range(2)]
    assert [body["status"] for body in told] == ["sold", "unsold"]
    (line,) = of(await house.timeline(told[1]["lead_id"]), "hold_failed")
    assert line["detail"] == "campaign-pilot/auto-us|spend|total|0"
    assert await counted(house, "acme") == {"spend": 9 * DOLLAR}
    assert await counted(house, "seller:fastquotes") == {"payout": 7_650_000}
    assert await counted(house, "campaign:auto-us") == {"spend": 9 * DOLLAR}
    assert (await compared(house))["differences"] == []


# Limits that are new


async def test_a_limit_that_is_new_counts_what_came_before_it(house):
    """Three were sold: a cap of five a day lets two more in, a pilot of five is over with them."""
    plain = buyer("acme", offer="price = 9.00"), buyer("bravo", offer="price = 5.00"), PATIENT
    await house.apply(market(*plain))
    await house.open(**UNHURRIED)
    await house.open(**UNHURRIED)
    await sell(house, 3, bases=2)
    capped = buyer("acme", offer='price = 9.00\ncaps = [ { leads = 5, per = "day" } ]')
    await house.apply(market(capped, *plain[1:]))
    await known(house, "acme", 3)
    told = await sell(house, 4, first=10, bases=2)
    assert sorted(float(body["price"]) for body in told) == [4.25, 4.25, 7.65, 7.65]
    pilot = buyer("acme", own="pilot = { leads = 5 }", offer="price = 9.00")
    seller = SELLER.replace("PILOT", "leads = 100, payout = 500.00")
    tried = campaign(lines="auction_deadline_ms = 20000\npilot = { leads = 200, spend = 900.00 }")
    await house.apply("\n".join((AUTO, seller, pilot, plain[1], tried)))
    await paused(house, "acme")
    assert (await sell(house, 1, first=20))[0]["price"] == 4.25
    assert await counted(house, "seller:fastquotes") == {"leads": 8, "payout": 51_000_000}
    assert await counted(house, "campaign:auto-us") == {"leads": 8, "spend": 60_000_000}
    assert (await compared(house))["differences"] == []


async def known(house, holder, leads):
    """Return once so many leads count in a new limit."""

    async def is_known():
        return leads in (await standing(house, holder)).settled.values()

    await until(is_known)
