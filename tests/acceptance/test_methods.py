"""Methods that choose by fit, by speed, by rule or by turn; each holds and falls back alike."""

import asyncio
import re
from decimal import Decimal

import pytest

from bidders.fleet import Fixed, Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import events, of, offers, reasons, verdicts

REFUSING = {PostFault.REFUSING: 1.0}
PATIENT_MS = 20_000
"""A ping's timeout that no test of these waits for."""
LONG = "auction_deadline_ms = 25000\nanswer_deadline_ms = 60000"


def asked(fleet: Fleet, name: str, *, own: str = "", offer: str = "", most: str = "1000") -> str:
    """Return a buyer that is asked, may take long, and bids at most so much."""
    post = f'post = {{ url = "{fleet.base_url}/{name}/post", timeout_ms = 5000 }}'
    ping = (
        f'ping = {{ url = "{fleet.base_url}/{name}/ping", timeout_ms = {PATIENT_MS}, '
        f"max_bid = {most} }}"
    )
    return buyer(name, own=own, offer=f"{ping}\n{post}\n{offer}")


def static(fleet: Fleet, name: str, price: str, *, own: str = "", offer: str = "") -> str:
    """Return a buyer that is never asked."""
    post = f'post = {{ url = "{fleet.base_url}/{name}/post", timeout_ms = 5000 }}'
    return buyer(name, own=own, offer=f"price = {price}\n{post}\n{offer}")


def stage(method: str, *names: str, more: str = "") -> str:
    named = f"offers = {list(names)}\n" if names else ""
    return f'method = "{method}"\n{named}{more}'


async def sold(house, lead=None, **control):
    """Sell one lead and return its answer and its timeline."""
    answer = await house.post(lead, **control)
    return answer.body, await house.timeline(answer.body["lead_id"])


# First to accept


async def test_the_first_bid_that_reaches_its_buy_now_price_ends_the_auction(house):
    """Row 45: a slow rival with a higher bid is cut off, with its reason; nobody waits for it."""
    async with Fleet(bidding({"quick": "12.00", "slow": "50.00"})) as fleet:
        fleet.change(bidding({"slow": "50.00"}, latency_ms=Fixed(10_000.0))[0])
        plan = stage("first_accept", more="buy_now = 11.00")
        await house.apply(
            market(*(asked(fleet, n) for n in fleet.specs), campaign(lines=LONG, stages=[plan]))
        )
        await house.open()
        body, timeline = await sold(house)
    assert (body["status"], body["price"]) == ("sold", 10.2)
    assert verdicts(timeline) == {"quick": ["accepted"], "slow": ["no_bid cut_off"]}
    [closed] = of(timeline, "closed_early")
    assert closed["detail"].startswith("quick reached its buy-now price; up to ")
    assert closed["ms"] == of(timeline, "no_bid", "slow")[0]["ms"]


async def test_an_offers_own_buy_now_price_comes_before_the_stages(house):
    """A bid below it does not end the auction: the best of all answers wins."""
    async with Fleet(bidding({"quick": "12.00", "later": "13.00"})) as fleet:
        fleet.change(bidding({"later": "13.00"}, latency_ms=Fixed(80.0))[0])
        plan = stage("first_accept", more="buy_now = 11.00")
        await house.apply(
            market(
                asked(fleet, "quick", offer="buy_now = 12.01"),
                asked(fleet, "later"),
                campaign(lines=LONG, stages=[plan]),
            )
        )
        await house.open()
        body, timeline = await sold(house)
    assert body["price"] == 11.05
    assert verdicts(timeline) == {"quick": ["outbid"], "later": ["accepted"]}
    assert of(timeline, "closed_early") == []


async def test_who_was_cut_off_is_still_heard_where_the_winner_refuses(house):
    """What was bid in time stands in, the best first; nothing is lost by having been quick."""
    async with Fleet(bidding({"quick": "12.00", "slow": "50.00", "low": "2.00"})) as fleet:
        fleet.change(
            bidding({"quick": "12.00"}, post_faults=REFUSING, post_latency_ms=Fixed(30.0))[0]
        )
        fleet.change(bidding({"slow": "50.00"}, latency_ms=Fixed(400.0))[0])
        fleet.change(bidding({"low": "2.00"}, latency_ms=Fixed(400.0))[0])
        plan = stage("first_accept", more="buy_now = 11.00\nfloor = 3.00")
        await house.apply(
            market(*(asked(fleet, n) for n in fleet.specs), campaign(lines=LONG, stages=[plan]))
        )
        await house.open()
        body, timeline = await sold(house)
    assert body["price"] == 42.5
    assert offers(timeline, "posted") == ["quick", "slow"]
    assert events(timeline, "slow")[-5:] == ["ranked", "held", "awarded", "posted", "accepted"] or (
        events(timeline, "slow")[-4:] == ["ranked", "awarded", "posted", "accepted"]
    )
    assert events(timeline, "slow")[:3] == ["pinged", "no_bid", "bid"]
    assert verdicts(timeline)["low"] == ["no_bid cut_off", "bid below_floor"]


# Early close


async def test_an_auction_ends_when_nobody_silent_can_outbid_the_best(house):
    """Row 45 by bounds: who may bid 10 at most is not waited for once 12 is bid."""
    async with Fleet(bidding({"acme": "12.00", "small": "9.00", "big": "5.00"})) as fleet:
        fleet.change(bidding({"small": "9.00"}, latency_ms=Fixed(10_000.0))[0])
        await house.apply(
            market(
                asked(fleet, "acme", most="80"),
                asked(fleet, "small", most="10"),
                asked(fleet, "big", most="60"),
                campaign(lines=LONG, stages=[stage("auction", more="early_close = true")]),
            )
        )
        await house.open()
        body, timeline = await sold(house)
        assert body["price"] == 10.2
        assert verdicts(timeline) == {
            "acme": ["accepted"], "small": ["no_bid cut_off"], "big": ["outbid"],
        }  # fmt: skip
        [closed] = of(timeline, "closed_early")
        assert "could change who wins; up to" in closed["detail"]
        # What is said to be saved is what was left of its time.
        saved = float(re.search(r"up to (\d+) ms saved", closed["detail"])[1])
        left = await house.call("GET", "/metrics")
        name = 'exchange_early_close_left_seconds_{}{{campaign="auto-us"}} (.*)'
        count, total = (
            float(re.search(name.format(what), left.body)[1]) for what in ("count", "sum")
        )
        assert count == 1
        assert total == pytest.approx(saved / 1000, abs=0.001)
        # The one that may bid more than the best is waited for.
        fleet.change(bidding({"big": "50.00"}, latency_ms=Fixed(150.0))[0])
        body, timeline = await sold(house, person(1))
        assert body["price"] == 42.5
        assert verdicts(timeline)["big"] == ["accepted"]


async def test_without_early_close_everybody_is_waited_for(house):
    """Off by default: bounds alone end nothing."""
    async with Fleet(bidding({"acme": "12.00", "small": "9.00"})) as fleet:
        fleet.change(bidding({"small": "9.00"}, latency_ms=Fixed(120.0))[0])
        await house.apply(
            market(asked(fleet, "acme"), asked(fleet, "small", most="10"), campaign(lines=LONG))
        )
        await house.open()
        _, timeline = await sold(house)
    assert verdicts(timeline) == {"acme": ["accepted"], "small": ["outbid"]}


async def test_a_shared_lead_waits_for_nobody_who_could_not_be_among_its_buyers(house):
    """Two may have it: two bid more than the slow one may; if one of them refuses, it stands in."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "11.00", "slow": "9.00"})) as fleet:
        fleet.change(bidding({"slow": "9.00"}, latency_ms=Fixed(10_000.0))[0])
        plan = stage("auction", more="early_close = true\nmax_buyers = 2")
        await house.apply(
            market(
                asked(fleet, "acme", most="80"),
                asked(fleet, "bravo", most="80"),
                asked(fleet, "slow", most="10"),
                campaign(lines=LONG, stages=[plan]),
            )
        )
        await house.open()
        body, timeline = await sold(house)
        assert body["price"] == 19.55
        assert sorted(offers(timeline, "accepted")) == ["acme", "bravo"]
        assert verdicts(timeline)["slow"] == ["no_bid cut_off"]
        fleet.change(bidding({"slow": "9.00"}, latency_ms=Fixed(300.0))[0])
        fleet.change(bidding({"bravo": "11.00"}, post_faults=REFUSING)[0])
        body, timeline = await sold(house, person(1))
        assert body["price"] == 17.85
        assert sorted(offers(timeline, "accepted")) == ["acme", "slow"]


# Best match


async def test_the_best_fit_wins_whatever_it_pays(house):
    """Row 38: points and formulas instead of prices; the same bids by auction end otherwise."""
    async with Fleet(bidding({"rich": "40.00", "near": "8.00", "formula": "6.00"})) as fleet:
        near = """fit = [
            { when = 'state == "TX"', points = 30 }, { when = "age >= 99", points = 100 },
            { when = "currently_insured", points = -5 },
        ]"""
        await house.apply(
            market(
                asked(fleet, "rich", offer="fit = [ { when = 'known(state)', points = 10 } ]"),
                asked(fleet, "near", offer=near),
                asked(fleet, "formula", offer='fit = "vehicle_year - 2000"'),
                campaign("by-fit", lines=LONG, stages=[stage("best_match")]),
                campaign("by-price", lines=LONG),
            )
        )
        await house.open()
        body, timeline = await sold(house, person(1, vehicle_year=2010), campaign="by-fit")
        assert body["price"] == 6.8
        assert offers(timeline, "ranked") == ["near", "rich", "formula"]
        assert {line["offer"]: line["detail"] for line in of(timeline, "bid")} == {
            "formula": "fit 10", "near": "fit 25", "rich": "fit 10",
        }  # fmt: skip
        _, timeline = await sold(house, person(2, vehicle_year=2026), campaign="by-fit")
        assert offers(timeline, "ranked") == ["formula", "near", "rich"]
        body, _ = await sold(house, person(3), campaign="by-price")
        assert body["price"] == 34


async def test_the_best_fits_share_a_lead_whatever_others_pay_for_it_alone(house):
    """Two may have it: the two whom it fits best, the third and its price for being alone not."""
    async with Fleet(bidding({"rich": "40.00", "near": "8.00", "next": "6.00"})) as fleet:
        plan = stage("best_match", more="max_buyers = 2")
        fits = {"rich": 0, "near": 30, "next": 20}
        await house.apply(
            market(
                *(asked(fleet, name, offer=f'fit = "{points}"') for name, points in fits.items()),
                campaign(lines=LONG, stages=[plan]),
            )
        )
        await house.open()
        body, timeline = await sold(house)
        assert body["price"] == 11.9
        assert sorted(offers(timeline, "accepted")) == ["near", "next"]
        fleet.change(bidding({"near": "8.00"}, post_faults=REFUSING)[0])
        body, timeline = await sold(house, person(1))
        assert sorted(offers(timeline, "accepted")) == ["next", "rich"]


# Rules, and the own team


async def test_a_rule_sends_its_leads_directly_and_the_next_stage_what_it_has_no_room_for(house):
    """Row 52: if and then; capacity gone -> the next rule; another lead -> the auction."""
    async with Fleet(bidding({"first": "1", "second": "1", "bidder": "20.00"})) as fleet:
        rule = """when = 'state == "TX" and currently_insured'"""
        await house.apply(
            market(
                static(fleet, "first", "9.00", offer='caps = [ { leads = 1, per = "day" } ]'),
                static(fleet, "second", "8.00"),
                asked(fleet, "bidder"),
                campaign(
                    lines=LONG,
                    stages=[
                        stage("rule", "first", more=rule),
                        stage("rule", "second", more=rule),
                        stage("auction", "bidder"),
                    ],
                ),
            )
        )
        worker = await house.open()
        won = {}
        for number in range(3):
            lead = person(number, currently_insured=number < 2)
            _, timeline = await sold(house, lead)
            won[number] = offers(timeline, "accepted")
            await worker._state.market.read_rooms()
        assert won == {0: ["first"], 1: ["second"], 2: ["bidder"]}
        assert fleet.books["bidder"].pings == 1
    passed = [line for line in of(timeline, "offer_left_out") if line["offer"] == "first"]
    assert [line["detail"] for line in passed] == [
        'the stage is for state == "TX" and currently_insured'
    ]
    assert reasons(timeline, "offer_left_out") == {"first": "filtered", "second": "filtered"}


async def test_the_own_team_comes_first_and_nobody_outside_is_asked(house):
    """Row 55: its accept means no ping; its refusal opens the auction."""
    async with Fleet(bidding({"team": "1", "outsider": "20.00"})) as fleet:
        await house.apply(
            market(
                static(fleet, "team", "5.00", own="own = true"),
                asked(fleet, "outsider"),
                campaign(lines=LONG, stages=[stage("own_team"), stage("auction", "outsider")]),
            )
        )
        await house.open()
        body, timeline = await sold(house, person(1))
        assert (body["price"], fleet.books["outsider"].pings) == (4.25, 0)
        assert verdicts(timeline) == {
            "team": ["accepted"], "outsider": ["offer_left_out outbid"],
        }  # fmt: skip
        fleet.change(bidding({"team": "1"}, post_faults=REFUSING)[0])
        body, timeline = await sold(house, person(2))
        assert body["price"] == 17
        assert verdicts(timeline) == {"team": ["refused refused"], "outsider": ["accepted"]}


# All of them, in any order


METHODS = (
    *("auction", "first_accept", "best_match", "waterfall", "rule", "own_team", "round_robin"),
    "weighted",
)


@pytest.mark.parametrize("first", range(0, len(METHODS), 3))
async def test_stages_hand_a_lead_on_in_whatever_order_they_stand(house, first):
    """Each method refuses in its turn; the last one accepts; and so backwards."""
    order = [*METHODS[first:], *METHODS[:first]]
    own = {"own_team": "own = true"}
    more = {
        "rule": """when = 'state == "TX"'""", "first_accept": "buy_now = 9.00",
        "weighted": 'weights = "acceptance"',
    }  # fmt: skip
    async with Fleet(bidding(dict.fromkeys(METHODS, "9.00"), post_faults=REFUSING)) as fleet:

        def plan(name, methods):
            stages = [stage(method, method, more=more.get(method, "")) for method in methods]
            return campaign(name, lines=LONG, stages=stages)

        await house.apply(
            market(
                *(asked(fleet, n, own=own.get(n, ""), offer="price = 9.00") for n in METHODS),
                plan("forth", order),
                plan("back", order[::-1]),
            )
        )
        await house.open()
        for number, (name, methods) in enumerate((("forth", order), ("back", order[::-1]))):
            fleet.change(bidding({methods[-1]: "9.00"})[0])
            body, timeline = await sold(house, person(number), campaign=name)
            fleet.change(bidding({methods[-1]: "9.00"}, post_faults=REFUSING)[0])
            assert body["price"] == 7.65
            assert offers(timeline, "posted") == methods
            assert offers(timeline, "refused") == methods[:-1]
            details = [line["detail"].partition(",")[0] for line in of(timeline, "stage")]
            assert details == methods


# Quotes


async def test_a_quote_by_turns_is_kept_and_only_its_post_is_a_turn(house):
    """Pings look: three of them see the same one first; posts take the turn that was promised."""
    async with Fleet(bidding({"a": "1", "b": "1"})) as fleet:
        plan = campaign(lines=LONG, stages=[stage("round_robin")])
        await house.apply(market(static(fleet, "a", "10.00"), static(fleet, "b", "20.00"), plan))
        await house.open()

        async def quote(number):
            # The very same ping would hear the very same quote.
            lead = {k: v for k, v in person(number).items() if k in {"zip", "currently_insured"}}
            lead["vehicle_year"] = 2000 + number
            answer = await house.post(lead, path="/v1/pings")
            return answer.body["price"], answer.body["ping_id"]

        quotes = [await quote(number) for number in range(3)]
        assert [price for price, _ in quotes] == [8.5, 8.5, 8.5]
        for number, (_, token) in enumerate(quotes[:2]):
            answer = await house.post(
                person(number, vehicle_year=2000 + number),
                path=f"/v1/pings/{token}/post",
                campaign=None,
                source=None,
            )
            assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)
        assert (await quote(7))[0] == 17  # two turns of a's: b is first now
        assert {name: len(book.sales) for name, book in fleet.books.items()} == {"a": 2, "b": 0}


async def test_all_methods_hold_and_keep_their_caps(house):
    """However it is handed out, no more is sold than a cap allows, with leads at once."""
    names = ["auction", "first_accept", "best_match", "waterfall", "round_robin", "weighted"]
    async with Fleet(bidding(dict.fromkeys(names, "9.00"))) as fleet:
        capped = 'price = 9.00\ncaps = [ { leads = 2, per = "day" } ]'
        await house.apply(
            market(
                *(asked(fleet, name, offer=capped) for name in names),
                *(
                    campaign(
                        f"by-{name.replace('_', '-')}",
                        lines=LONG,
                        stages=[
                            stage(
                                name, name, more="buy_now = 9.00" if name == "first_accept" else ""
                            )
                        ],
                    )
                    for name in names
                ),
            )
        )
        for _ in range(2):
            await house.open()
        answers = await asyncio.gather(
            *(
                house.post(person(number), campaign=f"by-{name.replace('_', '-')}", base=number % 2)
                for number, name in enumerate(names * 5)
            )
        )
        assert {name: len(book.sales) for name, book in fleet.books.items()} == dict.fromkeys(
            names, 2
        )
        assert all(Decimal("9.00") in book.accepted().values() for book in fleet.books.values())
    assert sum(answer.body["status"] == "sold" for answer in answers) == 2 * len(names)
