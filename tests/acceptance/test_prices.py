"""What a buyer pays and what its seller gets: the rule, to the micro, told and booked."""

from decimal import Decimal

import pytest

from bidders.fleet import Fleet, PostFault
from bidders.fleet.reply import message
from exchange.domain.money import from_decimal
from tests.acceptance.audit import audit, posts_of, settled, standing
from tests.acceptance.buyers import bidding, bodies, let_answer
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, offers

SECOND = 'method = "auction"\nprice_rule = "second_price"'
PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
REFUSING = {PostFault.REFUSING: 1.0}
BIDS = {"acme": "13.00", "bravo": "12.00", "cargo": "11.00"}


async def opened(house, fleet: Fleet, told: str, **lines: str) -> None:
    """Make a market of the fleet's buyers and this campaign, and open a worker.

    `lines` are further lines of offers, by their name.
    """
    buyers = (
        buyer(name, fleet.base_url, offer=lines.get(name, ""), ping_ms=900) for name in fleet.specs
    )
    await house.apply(market(*buyers, told))
    await house.open()


def with_twin(fleet: Fleet) -> str:
    """Return acme, with a second offer that is called where the fleet's twin listens."""
    calls = "\n".join(
        f'{kind} = {{ url = "{fleet.base_url}/twin/{kind}", timeout_ms = 900 }}'
        for kind in ("ping", "post")
    )
    second = f'[[buyer.offer]]\nid = "acme-2"\nvertical = "auto_insurance"\n{calls}'
    return buyer("acme", fleet.base_url, offer=second, ping_ms=900)


async def awarded(house, answer) -> list[dict]:
    """Return the awards of a lead, in their order."""
    return of(await house.timeline(answer.body["lead_id"]), "awarded")


async def booked(house) -> dict[str, Decimal]:
    """Return what every account has."""
    async with house.ledger() as ledger:
        return {one.account: Decimal(one.amount) / 1_000_000 for one in await ledger.balances()}


def micros(amount: float) -> int:
    return from_decimal(Decimal(str(amount)))


# Second price


async def test_the_winner_pays_the_next_bid_and_every_buyer_heard_the_rule_before(house):
    """13 beats 12 and pays 12.00: in the post, in the ledger, in its budget, in the timeline."""
    async with Fleet(bidding(BIDS), keep=9) as fleet:
        caps = 'caps = [ { spend = 100.00, per = "day" } ]'
        await opened(house, fleet, campaign(stages=[SECOND]), acme=caps)
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
        for name in BIDS:
            (ping,) = bodies(fleet.books[name].requests, "/ping")
            assert ping["auction"]["type"] == "second_price"
        assert [post["price"] for post in posts_of(fleet, "acme")] == [12]
        assert await booked(house) == {
            "buyer/acme": Decimal(-12),
            "seller/fastquotes": Decimal("10.2"),
            "margin/auto-us": Decimal("1.8"),
        }
        assert settled(await standing(house, "acme"), "spend") == 12_000_000
        timeline = await house.timeline(answer.body["lead_id"])
        assert of(timeline, "stage")[0]["detail"] == "auction, second_price"
        assert of(timeline, "bid", "acme")[0]["price"] == 13
        (award,) = of(timeline, "awarded")
        assert (award["price"], award["payout"]) == (12, 10.2)
        assert award["detail"] == "second price: the bid of bravo"
        await audit(house, fleet)


async def test_who_bids_alone_pays_the_floor(house):
    """Nobody else stood: the floor that its ping named is the price, here the offer's own."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "4.99"}), keep=9) as fleet:
        told = campaign(lines="floor = 5.00", stages=[SECOND])
        await opened(house, fleet, told, acme="floor = 7.00")
        answer = await house.post()
        (award,) = await awarded(house, answer)
        (ping,) = bodies(fleet.books["acme"].requests, "/ping")
    assert (award["price"], award["detail"]) == (7, "second price: its floor")
    assert ping["auction"]["floor"] == 7
    assert answer.body["price"] == 5.95


async def test_after_a_refusal_the_bids_below_set_the_price(house):
    """Acme refuses at 12.00; bravo, who bid 12, pays cargo's 11: a refused bid sets no price."""
    async with Fleet(bidding(BIDS)) as fleet:
        fleet.change(bidding({"acme": "13.00"}, post_faults=REFUSING)[0])
        await opened(house, fleet, campaign(stages=[SECOND]))
        answer = await house.post()
        awards = await awarded(house, answer)
        assert [(one["offer"], one["price"]) for one in awards] == [("acme", 12), ("bravo", 11)]
        assert (await booked(house))["buyer/bravo"] == -11
        await audit(house, fleet)


async def test_a_buyers_second_offer_does_not_raise_its_price(house):
    """Its own 12 could not have bought instead of its own 13; the next buyer's 7 could."""
    async with Fleet(bidding({"acme": "13.00", "twin": "12.00", "bravo": "7.00"})) as fleet:
        await house.apply(
            market(
                with_twin(fleet),
                buyer("bravo", fleet.base_url, ping_ms=900),
                campaign(stages=[SECOND]),
            )
        )
        await house.open()
        (award,) = await awarded(house, await house.post())
    assert (award["offer"], award["price"]) == ("acme", 7)


async def test_a_static_price_bids_along_and_a_mapped_buyer_hears_the_rule(house):
    """An unasked 9.00 sets the price; `{auction.type}` says the rule, `{sale.price}` the price."""
    mapping = """
[[mapping]]
id = "own"
idempotent = true
[mapping.ping]
body.json.auction = { type = "{auction.type}", tmax_ms = "{auction.tmax_ms}" }
body.json.ping_id = "{ping.id}"
body.json.vertical = "{vertical}"
body.json.lead = {}
price = { path = "bid" }
yes = { path = "bid", above = 0 }
[mapping.post]
body.json = { sale_id = "{sale.id}", vertical = "{vertical}", lead = {}, price = "{sale.price}" }
accepted = { path = "accepted", equals = [true] }
"""
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        parts = (
            mapping,
            buyer("acme", fleet.base_url, offer='format = "own"', ping_ms=900),
            buyer("quiet", offer="price = 9.00"),
            campaign(stages=[SECOND]),
        )
        await house.apply(market(*parts))
        await house.open()
        answer = await house.post()
        (ping,) = bodies(fleet.books["acme"].requests, "/ping")
        assert ping["auction"]["type"] == "second_price"
        assert [post["price"] for post in posts_of(fleet, "acme")] == [9]
        timeline = await house.timeline(answer.body["lead_id"])
    assert offers(timeline, "ranked") == ["acme", "quiet"]
    assert of(timeline, "awarded")[0]["price"] == 9


async def test_a_quote_promises_what_its_best_bid_would_pay_and_keeps_it(house):
    """13 and 12: quoted is what 12 pays. Where the second is gone at the post, 12 is the floor."""
    async with Fleet(bidding(BIDS | {"cargo": "3.00"})) as fleet:
        await opened(house, fleet, campaign(lines="floor = 2.00", stages=[SECOND]))
        ping = await house.post(PING, path="/v1/pings")
        assert ping.body["price"] == 10.2
        excluded = await house.post(PING, path="/v1/pings", exclude_buyers=["bravo"])
        assert excluded.body["price"] == 2.55
        parts = [buyer(name, fleet.base_url) for name in ("acme", "cargo")]
        await house.apply(
            market(
                *parts,
                buyer("bravo", fleet.base_url, offer="paused = true"),
                campaign(lines="floor = 2.00", stages=[SECOND]),
            )
        )
        answer = await house.post(
            IDENTITY, path=f"/v1/pings/{ping.body['ping_id']}/post", campaign=None, source=None
        )
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
        (award,) = await awarded(house, answer)
        assert (award["price"], award["detail"]) == (12, "second price: its floor")
        await audit(house, fleet)


async def test_who_shares_pays_the_best_bid_that_did_not_win(house):
    """Two of three share: both pay the third's 11.00; the seller gets both payouts."""
    async with Fleet(bidding(BIDS), keep=9) as fleet:
        await opened(house, fleet, campaign(stages=[f"{SECOND}\nmax_buyers = 2"]))
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 18.7)
        awards = await awarded(house, answer)
        assert {one["offer"]: one["price"] for one in awards} == {"acme": 11, "bravo": 11}
        assert {one["detail"] for one in awards} == {"second price: the bid of cargo"}
        accounts = await booked(house)
        assert accounts["margin/auto-us"] == Decimal("3.3")
        await audit(house, fleet)


async def test_who_is_alone_pays_what_the_others_would_have_brought(house):
    """30.00 for it alone beats 13 + 12, and pays 25.00."""
    bids = BIDS | {"delta": "1.00"}
    async with Fleet(bidding(bids), keep=9) as fleet:
        answer = message(b'{"bid": 0, "exclusive_bid": 30.00}', 200, b"application/json")
        let_answer(fleet, {"delta": answer})
        await opened(house, fleet, campaign(stages=[f"{SECOND}\nmax_buyers = 2"]))
        sold = await house.post()
        (award,) = await awarded(house, sold)
        assert (award["offer"], award["price"], sold.body["price"]) == ("delta", 25, 21.25)


async def test_an_offer_that_never_shares_pays_what_those_it_keeps_out_would_have_brought(house):
    """40.00 for what two would have had for 13 and 12 together: 25.00."""
    async with Fleet(bidding(BIDS | {"delta": "40.00"})) as fleet:
        plan = campaign(stages=[f"{SECOND}\nmax_buyers = 2"])
        await opened(house, fleet, plan, delta="share_with_max = 0")
        sold = await house.post()
        (award,) = await awarded(house, sold)
        await audit(house, fleet)
    assert (award["offer"], award["price"], sold.body["price"]) == ("delta", 25, 21.25)


async def test_a_second_offer_of_who_is_alone_does_not_set_its_price(house):
    """Its own 12 would share with bravo's 10 for 22 together; it pays the 10 of the other buyer."""
    async with Fleet(bidding({"acme": "1.00", "twin": "12.00", "bravo": "10.00"})) as fleet:
        alone = message(b'{"bid": 0, "exclusive_bid": 30.00}', 200, b"application/json")
        let_answer(fleet, {"acme": alone})
        plan = campaign(stages=[f"{SECOND}\nmax_buyers = 2"])
        await house.apply(market(with_twin(fleet), buyer("bravo", fleet.base_url), plan))
        await house.open()
        (award,) = await awarded(house, await house.post())
    assert (award["offer"], award["price"]) == ("acme", 10)


async def test_a_lower_price_under_second_price_is_lower_than_what_was_asked(house):
    """The post asked 12.00 of a bid of 13: the buyer takes it at 10.80, the seller gets 10.20."""
    async with Fleet(bidding(BIDS)) as fleet:
        spec = bidding({"acme": "13.00"}, post_faults={PostFault.LOWER_PRICE: 1.0}, lower_by=0.1)
        fleet.change(spec[0])
        await opened(house, fleet, campaign(stages=[SECOND]))
        answer = await house.post()
        assert answer.body["price"] == 10.2
        assert (await booked(house))["buyer/acme"] == Decimal("-10.8")
        (accepted,) = of(await house.timeline(answer.body["lead_id"]), "accepted")
        assert accepted["detail"] == "lower price taken"
        await audit(house, fleet)


@pytest.mark.parametrize(
    ("lower_by", "charge", "told"),
    [(0.2, "-9.6", "lower price taken"), (0.21, "-12", "lower price disputed")],
)
async def test_a_lower_price_is_taken_down_to_a_limit_only(house, lower_by, charge, told):
    """80 % of 12.00 is 9.60: at 9.48 the buyer owes what its post asked."""
    spec = bidding({"acme": "12.00"}, post_faults={PostFault.LOWER_PRICE: 1.0}, lower_by=lower_by)
    async with Fleet(spec) as fleet:
        await opened(house, fleet, campaign(), acme="take_down_to = 80")
        answer = await house.post()
        assert answer.body["price"] == 10.2
        assert (await booked(house))["buyer/acme"] == Decimal(charge)
        (accepted,) = of(await house.timeline(answer.body["lead_id"]), "accepted")
        assert accepted["detail"] == told
        await audit(house, fleet)


# Margins


BANDS = """margin = { bands = [
    { upto = 10, percent = 30 },
    { upto = 50, percent = 20 },
    { fixed = 10.00 },
] }"""


@pytest.mark.parametrize(
    ("margin", "bid", "payout"),
    [
        ("margin = { percent = 12.5 }", "9.99", 8.74),
        ("margin = { fixed = 2.50 }", "9.99", 7.49),
        ("margin = { payout = 6.00 }", "9.99", 6),
        (BANDS, "10.00", 7),
        (BANDS, "10.01", 8),
        (BANDS, "60.00", 50),
        ('margin = { percent = 12.5 }\npayout_rounding = "micro"', "9.99", 8.74125),
    ],
    ids=["percent", "fixed", "payout", "band 1", "band 2", "band 3", "micro"],
)
async def test_a_margin_is_kept_in_each_of_its_ways_and_nothing_is_lost(house, margin, bid, payout):
    """The seller gets the price less the margin; buyer, seller and margin sum to zero."""
    async with Fleet(bidding({"acme": bid})) as fleet:
        told = campaign().replace("margin = { percent = 15 }", margin)
        await opened(house, fleet, told)
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", payout)
        accounts = await booked(house)
        assert accounts["buyer/acme"] == -Decimal(bid)
        assert accounts["seller/fastquotes"] == Decimal(str(payout))
        assert sum(accounts.values()) == 0
        await audit(house, fleet)


async def test_the_most_specific_margin_holds(house):
    """The seller's for the offer, else the seller's, else the offer's, else the campaign's."""
    sellers = (
        '"fastquotes", { id = "other", margin = { percent = 10 }, '
        "offer_margins = { bravo = { fixed = 4.00 } } }"
    )
    async with Fleet(bidding({"acme": "20.00", "bravo": "20.00", "cargo": "20.00"})) as fleet:
        await opened(
            house,
            fleet,
            campaign(sellers=sellers),
            acme="margin = { percent = 50 }",
            bravo="margin = { percent = 40 }",
        )

        async def paid(number: int, seller: str, bought_by: str) -> float:
            names = [name for name in BIDS if name != bought_by]
            answer = await house.post(person(number), seller=seller, exclude_buyers=names)
            return answer.body["price"]

        of_fast = [await paid(n, "fastquotes", name) for n, name in enumerate(BIDS, 1)]
        of_other = [await paid(n, "other", name) for n, name in enumerate(BIDS, 11)]
        await audit(house, fleet)
    assert of_fast == [10, 12, 17]
    assert of_other == [18, 16, 18]


async def test_each_offer_hears_the_floor_that_its_own_margin_needs(house):
    """The seller wants 9.00: at 10 % that takes 10.00, at half 18.00; nobody sells below."""
    async with Fleet(bidding({"acme": "17.99", "bravo": "10.00"}), keep=9) as fleet:
        margin = "margin = { percent = 50 }"
        told = campaign().replace("percent = 15", "percent = 10")
        await opened(house, fleet, told, acme=margin)
        answer = await house.post(min_price=9.00)
        floors = [
            bodies(fleet.books[name].requests, "/ping")[0]["auction"]["floor"]
            for name in ("acme", "bravo")
        ]
        timeline = await house.timeline(answer.body["lead_id"])
    assert floors == [18, 10]
    assert of(timeline, "bid", "acme")[0]["reason"]["reason"] == "below_floor"
    assert (answer.body["status"], answer.body["price"]) == ("sold", 9)


async def test_a_margin_shrinks_down_to_its_limit_where_that_saves_the_sale(house):
    """20 % down to 10 %: a bid of 10.00 sells to who wants 8.50, at 15 %; 9.01 is too much."""
    relaxed = campaign().replace("percent = 15", "percent = 20, relax_to = 10")
    async with Fleet(bidding({"acme": "10.00"}), keep=9) as fleet:
        await opened(house, fleet, relaxed)
        whole = await house.post(person(1), min_price=8.00)
        saved = await house.post(person(2), min_price=8.50)
        last = await house.post(person(3), min_price=9.00)
        lost = await house.post(person(4), min_price=9.01)
        floors = [
            ping["auction"]["floor"] for ping in bodies(fleet.books["acme"].requests, "/ping")
        ]
        assert [one.body["price"] for one in (whole, saved, last, lost)] == [8, 8.5, 9, None]
        assert lost.body["reason"]["reason"] == "no_bid_above_floor"
        details = [(await awarded(house, one))[0].get("detail") for one in (whole, saved, last)]
        assert details == [
            None,
            "margin 2.00 relaxed to 1.50",
            "margin 2.00 relaxed to 1.00",
        ]
        accounts = await booked(house)
        assert accounts["margin/auto-us"] == Decimal("4.5")
        await audit(house, fleet)
    assert floors[:3] == [8.888889, 9.444445, 10]


async def test_a_relaxed_margin_keeps_a_quotes_promise_with_the_next_bid(house):
    """Promised 8.00 of a bid of 10.00, who refuses: 9.00 of the next one keep it, at 1.00."""
    relaxed = campaign().replace("percent = 15", "percent = 20, relax_to = 10")
    async with Fleet(bidding({"acme": "10.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "10.00"}, post_faults=REFUSING)[0])
        await opened(house, fleet, relaxed)
        ping = await house.post(PING, path="/v1/pings")
        assert ping.body["price"] == 8
        answer = await house.post(
            IDENTITY, path=f"/v1/pings/{ping.body['ping_id']}/post", campaign=None, source=None
        )
        assert (answer.body["status"], answer.body["price"]) == ("sold", 8)
        refused, sold = await awarded(house, answer)
        assert refused.get("detail") is None
        assert (sold["price"], sold["detail"]) == (9, "margin 1.80 relaxed to 1.00")
        await audit(house, fleet)
