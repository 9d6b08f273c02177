"""Down the ranking, then down the waterfall: one buyer after the other until one accepts."""

from decimal import Decimal
from typing import Any

from bidders.fleet import Fixed, Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import free_port, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import events, of, offers, reason, verdicts

REFUSING = {PostFault.REFUSING: 1.0}
NEVER = {PostFault.NEVER: 1.0}


def asked(name: str, base_url: str, **more: Any) -> str:
    """Return a buyer that has time to answer, however busy the machine is."""
    return buyer(name, base_url, ping_ms=900, **more)


def auction(*names: str) -> str:
    return f'method = "auction"\noffers = {list(names)}'


def waterfall(*names: str) -> str:
    return f'method = "waterfall"\noffers = {list(names)}'


def static(name: str, base_url: str, price: str, more: str = "") -> str:
    """Return a buyer that is never asked and gets its leads at this price."""
    post = f'post = {{ url = "{base_url}/{name}/post", timeout_ms = 2000 }}'
    return buyer(name, offer=f"price = {price}\n{post}\n{more}")


async def test_a_refusal_gives_the_lead_to_the_next_bid_at_its_own_price(house):
    """Row 47: the winner refuses; the next one pays what it bid itself, nobody pays twice."""
    specs = bidding({"acme": "13.00", "bravo": "12.00", "cargo": "11.00"})
    async with Fleet(specs) as fleet:
        fleet.change(bidding({"acme": "13.00"}, post_faults=REFUSING)[0])
        await house.apply(market(*(asked(s.id, fleet.base_url) for s in specs), campaign()))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        async with house.ledger() as ledger:
            assert await ledger.balance("buyer/acme") == {}
            assert await ledger.balance("buyer/bravo") == {"USD": -12_000_000}
    assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
    assert offers(timeline, "posted") == ["acme", "bravo"]
    assert verdicts(timeline) == {
        "acme": ["refused refused"],
        "bravo": ["accepted"],
        "cargo": ["outbid"],
    }
    assert of(timeline, "refused")[0]["detail"] == "not wanted after all"


async def test_after_all_bids_the_static_buyers_are_tried_in_their_order(house):
    """Row 47: auction, then waterfall by priority, then as listed; the first accept ends it."""
    async with Fleet(bidding(dict.fromkeys("abcdef", "9.00"), post_faults=REFUSING)) as fleet:
        fleet.change(bidding({"e": "1.00"})[0])
        fleet.change(bidding({"b": "8.00"}, post_faults=REFUSING)[0])
        await house.apply(
            market(
                *(asked(name, fleet.base_url) for name in "ab"),
                static("c", fleet.base_url, "5.00", "priority = 20"),
                static("d", fleet.base_url, "4.00", "priority = 10"),
                static("e", fleet.base_url, "6.00", "priority = 20"),
                static("f", fleet.base_url, "99.00", "priority = 30"),
                campaign(stages=[auction("a", "b"), waterfall("f", "c", "d", "e")]),
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert list(fleet.books["e"].accepted().values()) == [Decimal("6.00")]
        assert fleet.books["f"].posts == 0
    assert answer.body["price"] == 5.1
    assert offers(timeline, "posted") == ["a", "b", "d", "c", "e"]
    assert [line["stage"] for line in of(timeline, "awarded")] == [1, 1, 2, 2, 2]
    assert verdicts(timeline) == {
        **{name: ["refused refused"] for name in "abcd"},
        "e": ["accepted"],
        "f": ["outbid"],
    }


async def test_a_stage_that_is_not_reached_asks_nobody(house):
    """What is sold in the auction is never seen further down; those offers have their reason."""
    async with Fleet(bidding({"acme": "9.00", "late": "50.00"})) as fleet:
        stages = [auction("acme"), waterfall("static"), auction("late")]
        await house.apply(
            market(
                *(asked(name, fleet.base_url) for name in fleet.specs),
                static("static", fleet.base_url, "99.00"),
                campaign(stages=stages),
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert fleet.books["late"].pings == 0
    assert verdicts(timeline) == {
        "acme": ["accepted"],
        "static": ["offer_left_out outbid"],
        "late": ["offer_left_out outbid"],
    }


async def test_a_lead_that_everybody_refuses_is_unsold_for_that_reason(house):
    """509: there were bids, and every one of their buyers said no."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "8.00"}, post_faults=REFUSING)) as fleet:
        await house.apply(
            market(
                *(asked(name, fleet.base_url) for name in fleet.specs),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
    assert answer.body["status"] == "unsold"
    assert answer.body["reason"] == {"code": 509, "reason": "all_refused"}
    assert (answer.body["price"], answer.body["sales"]) == (None, [])


async def test_where_nothing_could_be_sent_the_next_bid_is_tried(house):
    """A winner whose address nobody listens at cannot have the lead: like refused."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "8.00"})) as fleet:
        ping = f'ping = {{ url = "{fleet.base_url}/acme/ping", timeout_ms = 900 }}'
        post = f'post = {{ url = "http://127.0.0.1:{free_port()}/", timeout_ms = 900 }}'
        gone = buyer("acme", offer=f"{ping}\n{post}")
        await house.apply(market(gone, asked("bravo", fleet.base_url), campaign()))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert answer.body["price"] == 6.8
    assert verdicts(timeline) == {"acme": ["refused refused"], "bravo": ["accepted"]}
    assert of(timeline, "refused")[0]["detail"] == "connect_refused"


async def test_one_buyer_gets_one_post_whichever_of_its_offers_won(house):
    """After a refusal the buyer's second offer is left out, in the auction and below it."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "7.00"})) as fleet:
        fleet.change(bidding({"acme": "9.00"}, post_faults=REFUSING)[0])
        calls = "\n".join(
            f'{kind} = {{ url = "{fleet.base_url}/acme/{kind}", timeout_ms = 900 }}'
            for kind in ("ping", "post")
        )
        second, third = (
            f'[[buyer.offer]]\nid = "acme-{number}"\nvertical = "auto_insurance"\n{lines}'
            for number, lines in ((2, calls), (3, "price = 50.00"))
        )
        await house.apply(
            market(
                buyer("acme", offer=f"{calls}\n{second}\n{third}"),
                asked("bravo", fleet.base_url),
                campaign(stages=[auction("acme", "acme-2"), waterfall("acme-3"), auction("bravo")]),
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert fleet.books["acme"].posts == 1
    winner, other = offers(timeline, "ranked")[:2]
    assert answer.body["price"] == 5.95
    assert verdicts(timeline) == {
        winner: ["refused refused"],
        other: ["offer_left_out duplicate_for_buyer"],
        "acme-3": ["offer_left_out duplicate_for_buyer"],
        "bravo": ["accepted"],
    }


# No answer


async def test_advance_voids_the_sale_and_goes_on_at_once(house):
    """Row 47: a silent winner is given up at its timeout; the next bid is sold to, once."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"})) as fleet:
        fleet.change(bidding({"acme": "13.00"}, post_faults=NEVER)[0])
        capped = asked(
            "acme",
            fleet.base_url,
            post_ms=150,
            no_answer="advance",
            offer='caps = [ { leads = 1, per = "day" } ]',
        )
        await house.apply(market(capped, asked("bravo", fleet.base_url), campaign()))
        await house.open()
        for number in range(2):  # the hold is given back: the same cap lets the next one in
            answer = await house.post(person(number))
            timeline = await house.timeline(answer.body["lead_id"])
            assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
            assert events(timeline, "acme")[-4:] == ["posted", "in_doubt", "advanced", "voided"]
            assert reason(of(timeline, "voided")[0]) == "void"
            assert verdicts(timeline) == {"acme": ["voided void"], "bravo": ["accepted"]}
        assert fleet.books["acme"].posts == 2
        assert fleet.books["acme"].repeats == 0


async def test_who_accepts_after_it_was_given_up_is_recorded_and_never_charged(house):
    """The lead was sold to the next one by then; the late word stands in the timeline."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"})) as fleet:
        late = bidding({"acme": "13.00"}, post_faults={PostFault.LATE: 1.0}, late_ms=400.0)
        fleet.change(late[0])
        hasty = asked("acme", fleet.base_url, post_ms=150, no_answer="advance")
        await house.apply(market(hasty, asked("bravo", fleet.base_url), campaign()))
        await house.open()
        answer = await house.post()
        assert answer.body["price"] == 10.2

        async def recorded() -> bool:
            timeline = await house.timeline(answer.body["lead_id"])
            return offers(timeline, "late_acceptance") == ["acme"]

        await until(recorded)
        async with house.ledger() as ledger:
            assert await ledger.balance("buyer/acme") == {}
            assert await ledger.balance("buyer/bravo") == {"USD": -12_000_000}
            assert await ledger.balance("seller/fastquotes") == {"USD": 10_200_000}
        view = await house.admin(answer.body["lead_id"])
        assert {sale["offer"]: sale["state"] for sale in view["sales"]} == {
            "acme": "void",
            "bravo": "accepted",
        }


async def test_a_later_auction_is_held_though_the_first_refusal_took_long(house):
    """The auction's deadline binds until the first award; the next stage has its own time."""
    slow = {"post_faults": REFUSING, "post_latency_ms": Fixed(350.0)}
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"})) as fleet:
        fleet.change(bidding({"acme": "13.00"}, **slow)[0])
        plan = campaign(
            lines="auction_deadline_ms = 300", stages=[auction("acme"), auction("bravo")]
        )
        await house.apply(market(*(asked(n, fleet.base_url) for n in fleet.specs), plan))
        await house.open()
        answer = await house.post()
    assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
