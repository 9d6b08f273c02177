"""One buyer alone or several together: whoever brings most, each under the terms it was told."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from bidders.fleet.reply import message
from exchange import app
from exchange.auction.bids import NO_AMOUNT
from tests.acceptance.audit import audit, by_state, keys_of, standing
from tests.acceptance.buyers import bidding, bodies, let_answer
from tests.acceptance.cables import cables
from tests.acceptance.hooked import a_hook
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import AUTO, buyer, campaign, market
from tests.acceptance.timelines import events, of, offers, reasons, verdicts

REFUSING = {PostFault.REFUSING: 1.0}
MUTE = {PostFault.MUTE: 1.0}
FOUR = {"acme": "7.00", "bravo": "6.00", "cargo": "5.00", "delta": "4.00"}

CAP = 'caps = [ { leads = 9, per = "day" } ]'
SMALL_BUDGET = 'caps = [ { spend = 5, per = "day" } ]'


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


def shared(most: int, *names: str, method: str = "auction", **more: Any) -> str:
    lines = "\n".join(f"{key} = {value}" for key, value in more.items())
    listed = f"offers = {list(names)}\n" if names else ""
    return f'method = "{method}"\n{listed}max_buyers = {most}\n{lines}'


def asked(name: str, fleet: Fleet, **more: Any) -> str:
    """Return a buyer that has time to answer, however busy the machine is."""
    return buyer(name, fleet.base_url, **{"ping_ms": 900, **more})


def bids(fleet: Fleet, **bodies_by_name: bytes) -> None:
    """Let these buyers answer pings with these bodies."""
    let_answer(
        fleet,
        {name: message(body, 200, b"application/json") for name, body in bodies_by_name.items()},
    )


def sent(fleet: Fleet, ending: str) -> list[dict[str, Any]]:
    """Return the decoded bodies of what all buyers were sent to paths with this ending."""
    return [body for book in fleet.books.values() for body in bodies(book.requests, ending)]


async def opened(house, fleet, *stages: str, offers: dict[str, str] | None = None, **more) -> None:
    """Make a market of all buyers of the fleet with these stages, and open a worker."""
    own = offers or {}
    lines = more.pop("lines", "")
    buyers = (asked(name, fleet, offer=own.get(name, ""), **more) for name in fleet.specs)
    await house.apply(market(*buyers, campaign(stages=stages, lines=lines)))
    await house.open()


def bought(body) -> list[float]:
    return sorted((sale["price"] for sale in body["sales"]), reverse=True)


# Together or alone


async def test_the_three_who_bring_most_share_a_lead_and_each_pays_its_own_bid(house):
    """One lead, three sales: the seller's price is their sum, each with its own entries."""
    async with Fleet(bidding(FOUR), keep=30) as fleet:
        await opened(house, fleet, shared(3), offers=dict.fromkeys(FOUR, CAP))
        answer = await house.post()
        body = answer.body
        timeline = await house.timeline(body["lead_id"])
        async with house.ledger() as ledger:
            paid = {name: await ledger.balance(f"buyer/{name}") for name in FOUR}
            earned = await ledger.balance("seller/fastquotes")
        pings = sent(fleet, "/ping")
        posts = sent(fleet, "/post")
        seen = await house.call(
            "GET", f"/v1/leads/{body['lead_id']}", key=await house.key("seller", "fastquotes")
        )
        await audit(house, fleet)
        settled = {name: [*(await standing(house, name)).settled.values()] for name in FOUR}
    assert settled == {"acme": [1], "bravo": [1], "cargo": [1], "delta": []}
    assert (body["status"], body["price"], body["reason"]) == ("sold", 15.3, None)
    assert bought(body) == [5.95, 5.1, 4.25]
    assert earned == {"USD": 15_300_000}
    assert {name: amount.get("USD") for name, amount in paid.items()} == {
        "acme": -7_000_000,
        "bravo": -6_000_000,
        "cargo": -5_000_000,
        "delta": None,
    }
    assert {ping["auction"]["max_buyers"] for ping in pings} == {3}
    assert sorted((post["price"], post["max_buyers"]) for post in posts) == [(5, 3), (6, 3), (7, 3)]
    assert verdicts(timeline) == {
        "acme": ["accepted"],
        "bravo": ["accepted"],
        "cargo": ["accepted"],
        "delta": ["outbid"],
    }
    assert offers(timeline, "chosen") == ["acme", "bravo", "cargo"]
    assert {(line["detail"], line["price"]) for line in of(timeline, "chosen")} == {
        ("3 of at most 3", 18)
    }
    assert (seen.body["status"], seen.body["price"]) == ("sold", 15.3)
    assert {sale["sale_id"] for sale in seen.body["sales"]} == {s["sale_id"] for s in body["sales"]}


async def test_one_alone_gets_it_where_its_exclusive_bid_brings_more(house):
    """Three would pay 18 together; who pays 20 for being alone gets it, at that price, alone."""
    async with Fleet(bidding(FOUR), keep=30) as fleet:
        fleet.change(BuyerSpec(id="delta", price=Fixed(4.0), alone_times=5.0))
        await opened(house, fleet, shared(3))
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        (post,) = sent(fleet, "/post")
        await audit(house, fleet)
    assert (answer.body["price"], len(answer.body["sales"])) == (17, 1)
    assert (post["price"], post["max_buyers"]) == (20, 1)
    assert of(timeline, "bid", "delta")[0]["detail"] == "20.00 for it alone"
    assert [line["detail"] for line in of(timeline, "chosen")] == ["alone"]
    assert verdicts(timeline) == {
        "acme": ["offer_left_out outbid"],
        "bravo": ["outbid"],
        "cargo": ["outbid"],
        "delta": ["accepted"],
    }


async def test_whoever_wants_it_alone_only_bids_nothing_for_sharing(house):
    """`bid` 0 with an `exclusive_bid` is a bid for that alone; below the floor it is none."""
    async with Fleet(bidding({"acme": "3.00", "bravo": "3.00"})) as fleet:
        bids(fleet, bravo=b'{"bid": 0, "exclusive_bid": 9.00}')
        await opened(house, fleet, shared(3))
        assert (await house.post()).body["price"] == 7.65
        bids(fleet, bravo=b'{"exclusive_bid": 2.00}')
        assert (await house.post(person(1))).body["price"] == 2.55
        bids(fleet, bravo=b'{"bid": 9, "exclusive_bid": "20"}')
        answer = await house.post(person(2))
        timeline = await house.timeline(answer.body["lead_id"])
    assert of(timeline, "no_bid", "bravo")[0]["detail"] == f"exclusive_bid {NO_AMOUNT}"


async def test_where_only_one_may_have_it_a_higher_exclusive_bid_counts(house):
    """Being alone is what such a stage sells."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "3.00"}), keep=9) as fleet:
        bids(fleet, bravo=b'{"bid": 3.00, "exclusive_bid": 10.00}')
        await opened(house, fleet)
        answer = await house.post()
        (post,) = sent(fleet, "/post")
    assert answer.body["price"] == 8.5
    assert "max_buyers" not in post


async def test_offers_say_with_how_many_and_with_whom_they_share(house):
    """Each is pinged for its own terms, and the set keeps all of them."""
    offers_ = {"acme": "share_with_max = 1", "bravo": 'not_with = ["cargo"]'}
    prices = {"acme": "12.00", "bravo": "6.00", "cargo": "5.00", "delta": "4.00"}
    async with Fleet(bidding(prices), keep=30) as fleet:
        await opened(house, fleet, shared(3), offers=offers_)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        pings = {p["auction"]["max_buyers"] for p in sent(fleet, "/acme/ping")}
        fleet.change(BuyerSpec(id="acme", price=Fixed(1.0)))
        second = await house.post(person(1))
    assert bought(answer.body) == [10.2, 5.1]
    assert pings == {2}
    assert offers(timeline, "chosen") == ["acme", "bravo"]
    ends = verdicts(timeline)
    assert (ends["cargo"], ends["delta"]) == (["offer_left_out outbid"], ["outbid"])
    # 6 + 4 without the competitor; 5 + 4 with it.
    assert bought(second.body) == [5.1, 3.4]


# Refusals, full caps


async def test_after_a_refusal_the_set_is_chosen_anew_beside_who_has_it(house):
    """Who accepted under a limit of two keeps it; the next best comes in for who refused."""
    async with Fleet(bidding(FOUR)) as fleet:
        fleet.change(bidding({"bravo": "6.00"}, post_faults=REFUSING)[0])
        offers_ = {"acme": "share_with_max = 1", "delta": 'not_with = ["acme"]'}
        prices = dict(FOUR, acme="9.00", delta="5.50")
        for name in ("acme", "delta"):
            fleet.change(bidding({name: prices[name]})[0])
        await opened(house, fleet, shared(3), offers=offers_)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    # 6 + 5.50 + 5 is more than 9 + 6; bravo refuses, and who has it keeps the other out.
    assert bought(answer.body) == [4.67, 4.25]
    assert verdicts(timeline) == {
        "acme": ["offer_left_out outbid"],
        "bravo": ["refused refused"],
        "cargo": ["accepted"],
        "delta": ["accepted"],
    }


async def test_who_is_refused_alone_leaves_it_to_those_who_share(house):
    """Nobody has it: all is open again, but for whom it was sent to."""
    async with Fleet(bidding(FOUR)) as fleet:
        fleet.change(bidding({"acme": "7.00"}, post_faults=REFUSING)[0])
        bids(fleet, acme=b'{"bid": 7.00, "exclusive_bid": 30.00}')
        await opened(house, fleet, shared(2))
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert bought(answer.body) == [5.1, 4.25]
    assert [line["detail"] for line in of(timeline, "chosen")] == ["alone", *2 * ["2 of at most 2"]]
    assert verdicts(timeline)["acme"] == ["refused refused"]


async def test_a_full_budget_releases_all_and_the_set_is_chosen_anew(house):
    """Nobody is posted before all are held; what was held of the first set is given back."""
    async with Fleet(bidding(FOUR)) as fleet:
        offers_ = dict.fromkeys(FOUR, CAP) | {"bravo": SMALL_BUDGET}
        await opened(house, fleet, shared(3), offers=offers_)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert bought(answer.body) == [5.95, 4.25, 3.4]
    assert reasons(timeline, "hold_failed") == {"bravo": "budget_at_award"}
    assert offers(timeline, "released") == ["acme", "cargo"]
    assert offers(timeline, "posted") == ["acme", "cargo", "delta"]


async def test_who_cannot_pay_for_being_alone_is_quoted_for_sharing(house):
    """The same of a ping: what a quote promises is what its buyers have money for."""
    async with Fleet(bidding({"acme": "5.00", "bravo": "4.00"})) as fleet:
        bids(fleet, acme=b'{"bid": 5.00, "exclusive_bid": 20.00}')
        budget = 'caps = [ { spend = 10, per = "day" } ]'
        await opened(house, fleet, shared(2), offers={"acme": budget})
        ping = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
        quote = await house.post(ping, path="/v1/pings")
        assert [leg["price"] for leg in quote.body["legs"]] == [4.25, 3.4]
        rest = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
        path = f"/v1/pings/{quote.body['ping_id']}/post"
        answer = await house.post(rest, path=path, campaign=None, source=None)
        await audit(house, fleet)
    assert bought(answer.body) == [4.25, 3.4]


async def test_nothing_is_released_of_who_needs_no_room(house):
    """Acme has no limit: nothing is held for it, nor given back where another one has no room."""
    async with Fleet(bidding(FOUR)) as fleet:
        offers_ = {"bravo": SMALL_BUDGET, "cargo": CAP}
        await opened(house, fleet, shared(3), offers=offers_)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert bought(answer.body) == [5.95, 4.25, 3.4]
    assert offers(timeline, "released") == ["cargo"]


async def test_who_cannot_pay_for_being_alone_may_still_share(house):
    """10 are left: not the 20 for it alone, but the 5 beside others; and by itself in a pair's."""
    async with Fleet(bidding({"acme": "5.00", "bravo": "4.00"})) as fleet:
        bids(fleet, acme=b'{"bid": 5.00, "exclusive_bid": 20.00}')
        budget = 'caps = [ { spend = 10, per = "day" } ]'
        await opened(house, fleet, shared(2), offers={"acme": budget})
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        alone = await house.post(person(1), exclude_buyers=["bravo"])
        await audit(house, fleet)
    assert bought(answer.body) == [4.25, 3.4]
    assert [line["detail"] for line in of(timeline, "chosen")] == ["alone", *2 * ["2 of at most 2"]]
    assert reasons(timeline, "hold_failed") == {"acme": "budget_at_award"}
    assert bought(alone.body) == [4.25]


async def test_one_buyer_gets_one_post_whichever_of_its_offers_won(house):
    """Its second offer never shares with its first, nor is it tried after a refusal."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "7.00"})) as fleet:
        calls = "\n".join(
            f'{kind} = {{ url = "{fleet.base_url}/acme/{kind}", timeout_ms = 900 }}'
            for kind in ("ping", "post")
        )
        second = f'[[buyer.offer]]\nid = "acme-2"\nvertical = "auto_insurance"\n{calls}'
        parts = (
            buyer("acme", offer=f"{calls}\n{second}"),
            asked("bravo", fleet),
            campaign(stages=[shared(3)]),
        )
        await house.apply(market(*parts))
        await house.open()
        assert bought((await house.post()).body) == [7.65, 5.95]
        fleet.change(bidding({"acme": "9.00"}, post_faults=REFUSING)[0])
        answer = await house.post(person(1))
        timeline = await house.timeline(answer.body["lead_id"])
        assert fleet.books["acme"].posts == 2
    assert bought(answer.body) == [5.95]
    ends = sorted(verdict for name in ("acme", "acme-2") for verdict in verdicts(timeline)[name])
    assert ends == ["offer_left_out duplicate_for_buyer", "refused refused"]


async def test_all_refuse_and_the_next_stage_has_it(house):
    """509 where nobody else is left; a waterfall may be shared, too, in its order."""
    async with Fleet(bidding(FOUR)) as fleet:
        for name in ("acme", "bravo"):
            fleet.change(bidding({name: FOUR[name]}, post_faults=REFUSING)[0])
        static = {name: f"price = {FOUR[name]}" for name in ("cargo", "delta")}
        stages = shared(2, "acme", "bravo"), shared(2, "delta", "cargo", method="waterfall")
        await opened(house, fleet, *stages, offers=static)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert bought(answer.body) == [4.25, 3.4]
        assert offers(timeline, "posted") == ["acme", "bravo", "delta", "cargo"]
        for name in ("cargo", "delta"):
            fleet.change(bidding({name: FOUR[name]}, post_faults=REFUSING)[0])
        answer = await house.post(person(1))
        assert answer.body["reason"]["reason"] == "all_refused"
        await audit(house, fleet)


# Doubt


async def test_the_seller_hears_what_is_certain_and_the_rest_follows(house):
    """One of three is in doubt at the answer deadline: sold with two; its buyer confirms: three."""
    async with Fleet(bidding(FOUR), keep=30) as fleet:
        fleet.change(BuyerSpec(id="bravo", price=Fixed(6.0), post_faults=MUTE))
        await opened(house, fleet, shared(3), post_ms=100)
        answer = await house.post(timeout_ms=600)
        lead_id = answer.body["lead_id"]
        assert (answer.body["status"], answer.body["reason"]) == ("sold", None)
        assert answer.body["price"] == 10.2
        assert bought(answer.body) == [5.95, 4.25]
        key = await house.key("seller", "fastquotes")
        seen = await house.call("GET", f"/v1/leads/{lead_id}", key=key)
        assert (seen.body["status"], seen.body["price"]) == ("sold", 10.2)
        await house.call(
            "POST",
            f"/v1/sales/{keys_of(fleet, 'bravo')[0]}/confirm",
            key=await house.key("buyer", "bravo"),
            json={"accepted": True},
        )
        ended = await house.call("GET", f"/v1/leads/{lead_id}?wait_s=10", key=key)
        timeline = await house.timeline(lead_id)
        await audit(house, fleet)
    assert (ended.body["status"], ended.body["price"]) == ("sold", 15.3)
    assert bought(ended.body) == [5.95, 5.1, 4.25]
    assert [line["event"] for line in timeline].count("pending") == 1


async def test_whoever_heard_of_some_sales_is_told_of_all(house):
    """The webhook of a lead that was `sold` to two while a third doubted says what became of it."""
    async with a_hook() as hook, Fleet(bidding(FOUR)) as fleet:
        never = BuyerSpec(id="bravo", price=Fixed(6.0), post_faults={PostFault.NEVER: 1.0})
        fleet.change(never)
        seller = f'[[seller]]\nid = "fastquotes"\nwebhook = {{ url = "{hook.url}" }}\n'
        buyers = (asked(name, fleet, post_ms=100) for name in fleet.specs)
        await house.apply("\n".join((AUTO, seller, *buyers, campaign(stages=[shared(3)]))))
        await house.key("signing", "fastquotes")
        await house.open(webhook_look_every_s=0.1)
        answer = await house.post(timeout_ms=500)
        assert (answer.body["status"], bought(answer.body)) == ("sold", [5.95, 4.25])
        [told] = await hook.until_told(1)
        await audit(house, fleet)
    assert told.says["type"] == "lead.resolved"
    assert (told.says["data"]["status"], told.says["data"]["price"]) == ("sold", 15.3)
    assert bought(told.says["data"]) == [5.95, 5.1, 4.25]


async def test_who_is_in_doubt_keeps_its_place_and_nobody_comes_in_after_the_seller_heard(house):
    """Void at last: sold with two, at what was told; the fourth is never asked behind its back."""
    async with Fleet(bidding(FOUR)) as fleet:
        fleet.change(BuyerSpec(id="bravo", price=Fixed(6.0), post_faults=MUTE))
        await opened(house, fleet, shared(3), post_ms=100, in_doubt_s=1)
        answer = await house.post(timeout_ms=500)
        lead_id = answer.body["lead_id"]
        key = await house.key("seller", "fastquotes")
        ended = await house.call("GET", f"/v1/leads/{lead_id}?wait_s=10", key=key)
        timeline = await house.timeline(lead_id)
        states = by_state(await audit(house, fleet))
    assert (answer.body["price"], ended.body["price"]) == (10.2, 10.2)
    assert events(timeline, "delta") == ["pinged", "bid", "ranked", "offer_left_out"]
    assert reasons(timeline, "offer_left_out")["delta"] == "in_doubt"
    assert states == {"accepted": 2, "void": 1}


async def test_while_all_are_in_doubt_the_seller_hears_pending(house):
    """Nothing is certain; the first who accepts makes it sold."""
    async with Fleet(bidding({"acme": "7.00", "bravo": "6.00"}), keep=30) as fleet:
        for name, price in (("acme", 7.0), ("bravo", 6.0)):
            fleet.change(BuyerSpec(id=name, price=Fixed(price), post_faults=MUTE))
        await opened(house, fleet, shared(2), post_ms=100)
        answer = await house.post(timeout_ms=400)
        lead_id = answer.body["lead_id"]
        assert (answer.body["status"], answer.body["price"]) == ("pending", None)
        key = await house.key("seller", "fastquotes")

        async def say(name: str, *, accepted: bool) -> None:
            told = await house.call(
                "POST",
                f"/v1/sales/{keys_of(fleet, name)[0]}/confirm",
                key=await house.key("buyer", name),
                json={"accepted": accepted},
            )
            assert told.status == 200

        async def is_sold() -> bool:
            seen = await house.call("GET", f"/v1/leads/{lead_id}", key=key)
            return seen.body["status"] == "sold" and seen.body["price"] == 5.1

        await say("bravo", accepted=True)
        await until(is_sold)
        await say("acme", accepted=True)
        ended = await house.call("GET", f"/v1/leads/{lead_id}?wait_s=10", key=key)
        await audit(house, fleet)
    assert (ended.body["status"], bought(ended.body)) == ("sold", [5.95, 5.1])


async def test_once_somebody_may_have_it_to_share_nobody_gets_it_alone(house):
    """Who was to share it did not answer and was left: the rest share, in this stage and below."""
    async with Fleet(bidding({"acme": "7.00", "bravo": "6.00"})) as fleet:
        fleet.change(BuyerSpec(id="acme", price=Fixed(7.0), post_faults={PostFault.NEVER: 1.0}))
        bids(fleet, bravo=b'{"bid": 6.00, "exclusive_bid": 6.50}')
        hasty = asked("acme", fleet, post_ms=100, no_answer="advance")
        alone = 'method = "waterfall"\noffers = ["house"]'
        await house.apply(
            market(
                hasty,
                asked("bravo", fleet, offer='not_with = ["acme"]'),
                buyer("house", offer="price = 50.00"),
                campaign(stages=[shared(2, "acme", "bravo"), alone]),
            )
        )
        await house.open()
        answer = await house.post()
        assert bought(answer.body) == [5.1]  # not 6.50 for it alone
        fleet.change(bidding({"bravo": "6.00"}, post_faults=REFUSING)[0])
        answer = await house.post(person(1))
        timeline = await house.timeline(answer.body["lead_id"])
    assert (answer.body["status"], answer.body["reason"]["reason"]) == ("unsold", "void")
    assert verdicts(timeline)["house"] == ["offer_left_out suppressed"]


# What the seller says


async def test_who_is_being_posted_is_not_broken_off_where_nobody_else_can_be_held(house):
    """One refuses while market state is away: the other's answer counts, and is asked for once."""
    specs = [
        *bidding({"acme": "9.00"}, post_faults=REFUSING, post_latency_ms=Fixed(300.0)),
        *bidding({"bravo": "6.00"}, post_latency_ms=Fixed(1200.0)),
        *bidding({"cargo": "5.00"}),
    ]
    async with Fleet(specs) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        buyers = (asked(name, fleet, offer=CAP, post_ms=9000) for name in fleet.specs)
        await house.apply(market(*buyers, campaign(stages=[shared(2)])))
        await house.open(line.urls, market_timeout_ms=250.0, hold_lease_s=1.0)
        posting = asyncio.ensure_future(house.post())
        await fleet.received("acme", posts=1)
        await fleet.received("bravo", posts=1)
        await line.market.cut()
        answer = await posting
        await line.market.mend()
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
        assert (fleet.books["bravo"].repeats, fleet.books["cargo"].posts) == (0, 0)
    assert bought(answer.body) == [5.1]
    assert reasons(timeline, "offer_left_out") == {"cargo": "cap_at_award"}


async def test_already_sold_counts_against_every_limit(house):
    """Fewer buyers, nobody alone; who shares with none is not asked; nothing left is 507."""
    async with Fleet(bidding(FOUR), keep=60) as fleet:
        bids(fleet, acme=b'{"bid": 7.00, "exclusive_bid": 50.00}')
        offers_ = {"delta": "share_with_max = 0"}
        await opened(house, fleet, shared(3), offers=offers_)
        answer = await house.post(already_sold=1)
        timeline = await house.timeline(answer.body["lead_id"])
        posts = sent(fleet, "/post")
        full = await house.post(person(1), already_sold=3)
        told = await house.timeline(full.body["lead_id"])
        await audit(house, fleet)
    assert bought(answer.body) == [5.95, 5.1]
    assert {post["max_buyers"] for post in posts} == {3}
    assert "pinged" not in events(timeline, "delta")
    assert reasons(timeline, "offer_left_out")["delta"] == "suppressed"
    assert (full.body["status"], full.body["reason"]["reason"]) == ("unsold", "no_eligible_offer")
    assert set(reasons(told, "offer_left_out").values()) == {"suppressed"}


async def test_a_lead_that_was_sold_is_not_sold_alone(house):
    """In a stage for one buyer there is no room beside the seller's own sale."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet)
        answer = await house.post(already_sold=1)
        assert sum(book.pings for book in fleet.books.values()) == 0
    assert answer.body["status"] == "unsold"


async def test_a_seller_excludes_buyers_by_id_or_by_the_name_it_was_told(house):
    """Nobody excluded is pinged; where it was sold before, who does not share with them is not."""
    async with Fleet(bidding(FOUR)) as fleet:
        offers_ = {"cargo": 'not_with = ["acme"]'}
        await opened(house, fleet, shared(3), offers=offers_)
        first = await house.post(exclude_buyers=["acme", "BRAVO", "nobody"])
        second = await house.post(person(1), exclude_buyers=["Acme"], already_sold=1)
    assert bought(first.body) == [4.25, 3.4]
    assert bought(second.body) == [5.1, 3.4]


# Crashes


async def test_after_a_crash_every_sale_of_a_shared_lead_is_found(house):
    """Two accepted, one in doubt when its worker is killed: another one ends it, once, with all."""
    async with Fleet(bidding(FOUR), keep=30) as fleet:
        fleet.change(BuyerSpec(id="bravo", price=Fixed(6.0), post_faults={PostFault.UNREAD: 1.0}))
        caps = dict.fromkeys(FOUR, CAP)
        buyers = (asked(name, fleet, offer=caps[name], post_ms=200) for name in FOUR)
        await house.apply(market(*buyers, campaign(stages=[shared(3)])))
        process = await house.start(worker_lease_s=1)
        asking = asyncio.ensure_future(house.post())

        async def two_are_sold() -> bool:
            rows = await house.fetch("SELECT count(*) AS n FROM sale_end WHERE state = 'accepted'")
            return rows[0]["n"] == 2 and fleet.books["bravo"].posts > 0

        await until(two_are_sold)
        await process.kill()
        await asyncio.gather(asking, return_exceptions=True)
        fleet.change(bidding({"bravo": "6.00"})[0])
        await house.open(worker_lease_s=1)
        (row,) = await house.fetch("SELECT lead_id::text FROM lead")
        key = await house.key("seller", "fastquotes")
        ended = await house.call("GET", f"/v1/leads/{row['lead_id']}?wait_s=20", key=key, base=1)
        sales = await audit(house, fleet)
    assert (ended.body["status"], ended.body["price"]) == ("sold", 15.3)
    assert bought(ended.body) == [5.95, 5.1, 4.25]
    assert len(sales) == 3
    assert sum(sale.charged for sale in sales) == Decimal(18_000_000)
