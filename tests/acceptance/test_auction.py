"""The auction over HTTP: all are asked at once, every answer is judged, the best bid wins."""

import hashlib
from decimal import Decimal

import pytest

from bidders import phone_hash
from bidders.fleet import BuyerSpec, Fixed, Fleet
from bidders.fleet.reply import NO_CONTENT, chunked, message
from bidders.signature import Signatures
from exchange.auction.bids import NO_AMOUNT
from tests.acceptance.buyers import bidding, bodies, let_answer
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import events, of, offers, reason, reasons, verdicts

PATIENT_MS = 900
"""A ping's timeout where a test wants every answer, however busy the machine is."""
KIB_64 = 65_536


def market_of(fleet: Fleet, *parts: str, **lines: str) -> str:
    """Return a market of all buyers of the fleet, each with further lines of its offer."""
    buyers = (
        buyer(name, fleet.base_url, ping_ms=PATIENT_MS, offer=lines.get(name, ""))
        for name in fleet.specs
    )
    return market(*buyers, *(parts or (campaign(),)))


# Asked at once


async def test_twenty_buyers_are_asked_at_once(house):
    """Row 33: twenty buyers of 100 ms each take far less together than one after the other."""
    prices = {f"buyer-{number:02}": f"{10 + number}.00" for number in range(20)}
    specs = bidding(prices, latency_ms=Fixed(100.0))
    async with Fleet(specs) as fleet:
        await house.apply(market_of(fleet))
        await house.open()
        answer = await house.post()
        assert answer.body["price"] == 24.65
        timeline = await house.timeline(answer.body["lead_id"])
    asked = of(timeline, "bid")
    assert sorted(offers(timeline, "pinged")) == sorted(prices)
    assert len(asked) == 20
    assert all(line["ms"] >= 100 for line in asked)
    assert answer.seconds < sum(line["ms"] for line in asked) / 1000 / 4


# Answers


OVER_64_KIB = b'{"bid":99,"note":"' + b"x" * KIB_64 + b'"}'
JUST_64_KIB = b'{"bid":14,"note":"' + b"x" * (KIB_64 - 20) + b'"}'
ANSWERS = {
    "no-content": (NO_CONTENT, "no_bid", None),
    "zero": (message(b'{"bid":0,"reason":"closed"}'), "no_bid", "closed"),
    "not-accepted": (message(b'{"accepted":false,"reason":"full"}'), "no_bid", "full"),
    "quoted": (
        message(b'{"bid":"99.00"}'),
        "invalid_bid",
        f"bid {NO_AMOUNT}",
    ),
    "negative": (message(b'{"bid":-99}'), "invalid_bid", "negative bid"),
    "nan": (message(b'{"bid":NaN}'), "invalid_bid", "not the JSON of a bid"),
    "huge": (
        message(b'{"bid":1E+999999}'),
        "invalid_bid",
        f"bid {NO_AMOUNT}",
    ),
    "seventh": (
        message(b'{"bid":99.0000001}'),
        "invalid_bid",
        f"bid {NO_AMOUNT}",
    ),
    "over-maximum": (message(b'{"bid":1000.01}'), "invalid_bid", "over the offer's maximum"),
    "euros": (message(b'{"bid":99,"currency":"EUR"}'), "invalid_bid", "other currency"),
    "brief": (message(b'{"bid":99,"ttl_s":0}'), "invalid_bid", "ttl_s out of range"),
    "no-price": (message(b"{}"), "invalid_bid", "no price, and the offer names none"),
    "html": (message(b"<html>"), "invalid_bid", "not the JSON of a bid"),
    "latin": (message(b'{"bid":99,"bid_id":"\xff"}'), "invalid_bid", "not the JSON of a bid"),
    "nested": (message(b"[" * 50_000), "invalid_bid", "not the JSON of a bid"),
    "teapot": (message(b'{"bid":99}', 401), "invalid_bid", "status 401"),
    "moved": (message(b'{"bid":99}', 302), "invalid_bid", "status 302"),
    "broken": (message(b'{"bid":99}', 500), "invalid_bid", "status 500"),
    "large": (message(OVER_64_KIB), "invalid_bid", "body_too_large"),
    "large-chunks": (chunked(OVER_64_KIB), "invalid_bid", "body_too_large"),
    "smtp": (b"220 bids.example ESMTP ready\r\n\r\n", "invalid_bid", None),
    "chunks": (chunked(b'{"bid":12.5,"bid_id":"b-1","ttl_s":60}'), None, None),
    "just-64-kib": (message(JUST_64_KIB), None, None),
    "new-field": (message(b'{"bid":13,"color":{"deep":[1]},"bid_id":7}'), None, None),
    "static": (message(b'{"accepted":true}'), None, None),
}


async def test_every_answer_is_a_bid_a_no_bid_or_an_invalid_bid_and_disturbs_nobody(house):
    """Row 36: 25 ways to answer a ping, each judged by itself; the best sound bid wins."""
    specs = bidding(dict.fromkeys(ANSWERS, "1.00"))
    async with Fleet(specs, keep=2) as fleet:
        let_answer(fleet, {name: raw for name, (raw, _, _) in ANSWERS.items()})
        await house.apply(market_of(fleet, static="price = 15.00"))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    heard = {
        line["offer"]: (reason(line), line.get("detail"))
        for line in timeline
        if line["event"] in {"bid", "no_bid"}
    }
    assert heard == {name: (why, detail) for name, (_, why, detail) in ANSWERS.items()}
    assert offers(timeline, "ranked") == ["static", "just-64-kib", "new-field", "chunks"]
    assert answer.body["status"] == "sold"
    assert list(fleet.books["static"].accepted().values()) == [Decimal("15.00")]


async def test_the_winners_bid_comes_back_to_it_in_the_post(house):
    """Row 36: price, bid_id and ping_id of a bid stand in the post of the sale."""
    async with Fleet(bidding({"acme": "1.00"}), keep=2) as fleet:
        let_answer(fleet, {"acme": message(b'{"bid":12.345678,"bid_id":"b-77","ttl_s":60}')})
        await house.apply(market_of(fleet))
        await house.open()
        answer = await house.post()
        [ping], [post] = (bodies(fleet.books["acme"].requests, end) for end in ("/ping", "/post"))
    assert answer.body["price"] == 10.49
    assert (post["bid_id"], post["ping_id"], post["price"]) == ("b-77", ping["ping_id"], 12.345678)
    assert post["sale_id"] == answer.body["sales"][0]["sale_id"]


# Who wins


async def test_of_equal_bids_the_digest_of_auction_and_offer_decides(house):
    """Row 38: bids 41, 40, 41: the same auction id always names the same one of the two."""
    async with Fleet(bidding({"acme": "41.00", "bravo": "40.00", "cargo": "41.00"})) as fleet:
        await house.apply(market_of(fleet))
        await house.open()
        for number in range(6):
            answer = await house.post(person(number))
            lead_id = answer.body["lead_id"]
            order = sorted(("acme", "cargo"), key=lambda offer: tie(f"{lead_id}/1", offer))
            timeline = await house.timeline(lead_id)
            assert offers(timeline, "ranked") == [*order, "bravo"]
            assert offers(timeline, "accepted") == order[:1]


def tie(auction_id: str, offer_id: str) -> bytes:
    """Return the published rule for equal bids and priorities, least first."""
    return hashlib.sha256(f"{auction_id}{offer_id}".encode()).digest()


async def test_of_equal_bids_the_lower_priority_number_wins(house):
    """Row 38: price first, then priority: nobody wins by priority alone."""
    async with Fleet(bidding({"acme": "41.00", "bravo": "40.00", "cargo": "41.00"})) as fleet:
        lines = {"acme": "priority = 20", "bravo": "priority = 1", "cargo": "priority = 10"}
        await house.apply(market_of(fleet, **lines))
        await house.open()
        for number in range(3):
            answer = await house.post(person(number))
            timeline = await house.timeline(answer.body["lead_id"])
            assert offers(timeline, "ranked") == ["cargo", "acme", "bravo"]
    assert len(fleet.books["cargo"].accepted()) == 3


# Floors


async def test_a_bid_below_the_floor_loses_and_one_at_the_floor_wins(house):
    """Row 39: floor 25; 24.99 is kept with its reason and nothing sells; 25.00 sells."""
    async with Fleet(bidding({"acme": "24.99", "bravo": "20.00"}), keep=9) as fleet:
        await house.apply(market_of(fleet, campaign(lines="floor = 25.00")))
        await house.open()
        answer = await house.post(person(1))
        assert answer.body["status"] == "unsold"
        assert answer.body["reason"] == {"code": 508, "reason": "no_bid_above_floor"}
        timeline = await house.timeline(answer.body["lead_id"])
        assert reasons(timeline, "bid") == {"acme": "below_floor", "bravo": "below_floor"}
        [kept] = of(timeline, "bid", "acme")
        assert (kept["price"], kept["floor"]) == (24.99, 25)
        assert bodies(fleet.books["acme"].requests, "/ping")[0]["auction"]["floor"] == 25
        assert not fleet.books["acme"].posts

        fleet.change(bidding({"bravo": "25.00"})[0])
        answer = await house.post(person(2))
        assert (answer.body["status"], answer.body["price"]) == ("sold", 21.25)
        assert verdicts(await house.timeline(answer.body["lead_id"])) == {
            "acme": ["bid below_floor"],
            "bravo": ["accepted"],
        }


async def test_what_no_bid_reaches_goes_down_the_waterfall(house):
    """Row 39: below the auction's floor the next stage sells at its own, lower one."""
    async with Fleet(bidding({"acme": "24.99", "bravo": "0.01"}, bids=1.0)) as fleet:
        fleet.change(BuyerSpec(id="bravo", bids=0.0))
        stages = (
            'method = "auction"\noffers = ["acme", "bravo"]',
            'method = "waterfall"\noffers = ["house"]\nfloor = 2.00',
        )
        plan = campaign(lines="floor = 25.00", stages=stages)
        await house.apply(market_of(fleet, buyer("house", offer="price = 2.00"), plan))
        await house.open()
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 1.7)
        assert verdicts(await house.timeline(answer.body["lead_id"])) == {
            "acme": ["bid below_floor"],
            "bravo": ["no_bid no_bid"],
            "house": ["accepted"],
        }


async def test_the_floor_is_the_highest_of_campaign_source_offer_and_sellers_wish(house):
    """Each offer hears its own floor: what the seller's least payout needs after margin, too."""
    source = 'source = [ { id = "search", floor = 6.00 } ]'
    async with Fleet(bidding({"acme": "50.00", "bravo": "50.00"}), keep=9) as fleet:
        text = market_of(fleet, campaign(lines="floor = 5.00"), bravo="floor = 8.00")
        await house.apply(
            text.replace('source = [ { id = "search", channel = "search" } ]', source)
        )
        await house.open()

        async def floors(number: int, **control: object) -> list[float]:
            await house.post(person(number), **control)
            return [
                bodies(fleet.books[name].requests, "/ping")[-1]["auction"]["floor"]
                for name in ("acme", "bravo")
            ]

        assert await floors(1) == [6, 8]
        assert await floors(2, source="elsewhere") == [5, 8]
        assert await floors(3, min_price=6.80) == [8, 8]
        assert await floors(4, min_price=8.50) == [10, 10]


async def test_a_seller_is_never_paid_less_than_it_insists_on(house):
    """A bid whose payout would miss `min_price` by a cent is below the floor."""
    async with Fleet(bidding({"acme": "10.00"})) as fleet:
        await house.apply(market_of(fleet))
        await house.open()
        answer = await house.post(person(1), min_price=8.51)
        assert answer.body["reason"]["reason"] == "no_bid_above_floor"
        answer = await house.post(person(2), min_price=8.50)
        assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)


# Prices of those who are not asked


async def test_offers_without_a_ping_compete_unasked_at_their_static_price(house):
    """An asked buyer's 12 loses to a static 13, which loses to nothing."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        quiet = buyer("quiet", offer="price = 13.00")
        await house.apply(market_of(fleet, quiet, campaign()))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert answer.body["price"] == 11.05
    assert offers(timeline, "pinged") == ["acme"]
    assert of(timeline, "bid", "quiet")[0]["price"] == 13
    assert verdicts(timeline) == {"acme": ["outbid"], "quiet": ["accepted"]}


@pytest.mark.parametrize(
    ("lead", "payout"),
    [
        ({"zip": "33101"}, 46.75),
        ({"zip": "78701", "birth_date": "1950-01-01"}, 17.0),
        ({"zip": "33101", "birth_date": "1950-01-01"}, 46.75),
        ({"zip": "78701"}, 7.65),
    ],
)
async def test_the_first_price_rule_that_holds_is_the_offers_price(house, lead, payout):
    """Conditional prices come in their order, the plain price last."""
    prices = (
        "price = 9.00\n"
        "prices = [ { when = 'state == \"FL\"', price = 55.00 }, "
        "{ when = 'age >= 65', price = 20.00 } ]"
    )
    await house.apply(market(buyer("quiet", offer=prices), campaign()))
    await house.open()
    answer = await house.post({**ANN, **lead})
    assert (answer.body["status"], answer.body["price"]) == ("sold", payout)


# Filters


async def test_a_filtered_offer_is_not_asked_and_its_clause_is_on_record(house):
    """Row 40: a buyer of Texas hears nothing of a lead from New York; the reason names why."""
    async with Fleet(bidding({"acme": "50.00", "bravo": "10.00"})) as fleet:
        texans = "where = 'state in [\"TX\"] and age >= 25'"
        await house.apply(market_of(fleet, acme=texans))
        await house.open()
        answer = await house.post({**ANN, "zip": "10001", "phone": "2125550123"})
        timeline = await house.timeline(answer.body["lead_id"])
        assert answer.body["price"] == 8.5
        [line] = of(timeline, "offer_left_out", "acme")
        assert reason(line) == "filtered"
        assert "state" in line["detail"]
        assert "age" not in line["detail"]
        assert events(timeline, "acme") == ["offer_left_out"]
        assert fleet.books["acme"].pings == 0


# The record


async def test_the_winner_gets_one_signed_post_with_the_full_record_and_the_loser_none(house):
    """Row 41: at once, with the ids of sale, ping and bid; nobody else hears who it was."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "13.00"}), keep=9) as fleet:
        await house.apply(market_of(fleet))
        secret = await house.key("signing", "bravo")
        await house.open()
        answer = await house.post(
            consent={"tcpa": True, "text": "I agree", "ip": "203.0.113.9"}, seller_ref="A-1"
        )
        won, lost = fleet.books["bravo"], fleet.books["acme"]
        [request] = [one for one in won.requests if one.path.endswith("/post")]
        [post] = bodies(won.requests, "/post")
        [sale] = answer.body["sales"]
    headers = dict(request.headers)
    assert headers["idempotency-key"] == post["sale_id"] == sale["sale_id"]
    assert Signatures([secret]).accept(headers, request.body)
    assert post["ping_id"] == bodies(won.requests, "/ping")[0]["ping_id"]
    assert (post["price"], post["currency"]) == (13, "USD")
    assert post["lead"] == {
        **ANN,
        "phone": "+15125550123",
        "state": "TX",
    }
    assert post["consent"] == {"tcpa": True, "text": "I agree", "ip": "203.0.113.9"}
    assert (won.posts, lost.posts) == (1, 0)
    assert b"5550123" not in b"".join(one.body for one in lost.requests)
    assert (
        phone_hash(secret, ANN["phone"]) != bodies(lost.requests, "/ping")[0]["lead"]["phone_hash"]
    )
