"""A quote in parts: each leg is one buyer's promise, and the post chooses among them.

The very same ping hears the very same quote.
"""

from random import Random

import msgspec
import pytest

from bidders.fleet import Fleet, PostFault
from bidders.fleet.reply import message
from exchange import app
from exchange.story import quoted_room
from tests.acceptance.audit import audit, standing
from tests.acceptance.buyers import bidding, let_answer
from tests.acceptance.cables import cables
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import offers, reasons

PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
REFUSING = {PostFault.REFUSING: 1.0}
FOUR = {"acme": "7.00", "bravo": "6.00", "cargo": "5.00", "delta": "4.00"}
SHARED = 'method = "auction"\nmax_buyers = 3'


async def opened(house, fleet, *stages, lines="", own=None):
    buyers = (
        buyer(name, fleet.base_url, ping_ms=900, offer=(own or {}).get(name, ""))
        for name in fleet.specs
    )
    await house.apply(market(*buyers, campaign(stages=stages or (SHARED,), lines=lines)))
    await house.open()


async def ping(house, lead=PING, **control):
    answer = await house.post(lead, path="/v1/pings", **control)
    assert answer.status == 200, answer.body
    return answer.body


async def post(house, token, lead=IDENTITY, **control):
    nothing = {"campaign": None, "source": None}
    return await house.post(lead, path=f"/v1/pings/{token}/post", **{**nothing, **control})


def bought(body):
    return sorted((sale["price"] for sale in body["sales"]), reverse=True)


def pinged(fleet):
    return sum(book.pings for book in fleet.books.values())


def refuse(fleet, *names):
    for name in names:
        fleet.change(bidding({name: FOUR[name]}, post_faults=REFUSING)[0])


async def test_a_shared_quote_has_a_leg_for_each_buyer_and_its_post_sells_them_all(house):
    """The price is their sum; nobody is pinged again."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet)
        quote = await ping(house)
        answer = await post(house, quote["ping_id"])
        assert pinged(fleet) == 4
        await audit(house, fleet)
    assert quote["price"] == 15.3
    assert quote["legs"] == [
        {"leg_id": "1", "price": 5.95},
        {"leg_id": "2", "price": 5.1},
        {"leg_id": "3", "price": 4.25},
    ]
    assert (answer.body["status"], answer.body["price"]) == ("sold", 15.3)


async def test_a_post_sells_the_legs_that_it_names_and_nobody_else_takes_their_place(house):
    """Not who was quoted beside them, not who was not, not where one of them refuses."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet, SHARED, 'method = "auction"\noffers = ["delta"]')
        quote = await ping(house)
        unknown = await post(house, quote["ping_id"], legs=["1", "9"])
        none = await post(house, quote["ping_id"], legs=[])
        answer = await post(house, quote["ping_id"], legs=["1", "3"])
        timeline = await house.timeline(answer.body["lead_id"])
        refuse(fleet, "bravo")
        second = await ping(house, {**PING, "zip": "78702"})
        refused = await post(house, second["ping_id"], person(1) | {"zip": "78702"}, legs=["2"])
        await audit(house, fleet)
    for bad in (unknown, none):
        assert (bad.status, bad.body["errors"][0]["field"]) == (422, "legs")
    assert bought(answer.body) == [5.95, 4.25]
    assert reasons(timeline, "offer_left_out") == {"bravo": "suppressed", "delta": "suppressed"}
    assert (refused.body["status"], refused.body["reason"]["reason"]) == ("unsold", "all_refused")


async def test_who_takes_the_place_of_a_leg_pays_no_less_unless_the_seller_permits_it(house):
    """4.00 is below every leg; a lower `min_price` lets it in, beside those who accepted."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet)
        refuse(fleet, "bravo")
        strict = await post(house, (await ping(house))["ping_id"])
        other = {**PING, "zip": "78702"}
        second = await ping(house, other)
        permitted = await post(
            house, second["ping_id"], {**person(1), "zip": "78702"}, min_price=3.00
        )
        await audit(house, fleet)
    assert bought(strict.body) == [5.95, 4.25]
    assert bought(permitted.body) == [5.95, 4.25, 3.4]


async def test_a_dearer_rival_takes_the_place_of_the_leg_that_kept_it_out(house):
    """It pays more than the leg that fell through, and did not fit beside it."""
    prices = {"acme": "9.00", "bravo": "6.00", "cargo": "5.00", "delta": "9.50"}
    async with Fleet(bidding(prices)) as fleet:
        own = {"delta": 'not_with = ["acme", "bravo"]'}
        await opened(house, fleet, own=own)
        quote = await ping(house)
        fleet.change(bidding({"acme": "9.00"}, post_faults=REFUSING)[0])
        fleet.change(bidding({"bravo": "6.00"}, post_faults=REFUSING)[0])
        answer = await post(house, quote["ping_id"])
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert [leg["price"] for leg in quote["legs"]] == [7.65, 5.1, 4.25]
    assert bought(answer.body) == [8.07, 4.25]
    assert offers(timeline, "posted")[-1] == "delta"


async def test_a_quote_for_one_alone_is_never_broken_up_below_its_price(house):
    """Refused, it is unsold: those who share pay less each; a lower `min_price` permits them."""
    async with Fleet(bidding(FOUR)) as fleet:
        alone = message(b'{"bid": 4.00, "exclusive_bid": 20.00}', 200, b"application/json")
        let_answer(fleet, {"delta": alone})
        await opened(house, fleet)
        quote = await ping(house)
        sold = await post(house, quote["ping_id"])
        refuse(fleet, "delta")
        let_answer(fleet, {"delta": alone})
        other = {**PING, "zip": "78702"}
        strict = await post(
            house, (await ping(house, other))["ping_id"], {**person(1), "zip": "78702"}
        )
        third = {**PING, "zip": "78703"}
        permitted = await post(
            house,
            (await ping(house, third))["ping_id"],
            {**person(2), "zip": "78703"},
            min_price=2.00,
        )
    assert [leg["price"] for leg in quote["legs"]] == [17]
    assert bought(sold.body) == [17]
    assert strict.body["status"] == "unsold"
    assert bought(permitted.body) == [5.95, 5.1, 4.25]


async def test_a_consent_that_names_buyers_chooses_among_the_legs_that_were_named(house):
    """By the name that a buyer wants to be shown; who is not named does not get the lead."""
    async with Fleet(bidding(FOUR)) as fleet:
        say = b'{"bid": %b, "buyer_name": "%b", "consent_text": "I agree to be called by %b."}'
        let_answer(
            fleet,
            {
                name: message(say % (price, shown, shown), 200, b"application/json")
                for name, price, shown in (
                    ("acme", b"7.00", b"Acme of Texas"),
                    ("bravo", b"6.00", b"Bravo Direct"),
                )
            },
        )
        await opened(house, fleet)
        quote = await ping(house)
        answer = await post(
            house,
            quote["ping_id"],
            consent={"tcpa": True, "named_buyers": ["bravo direct", "Cargo", "Somebody Else"]},
        )
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert quote["legs"][0] == {
        "leg_id": "1",
        "price": 5.95,
        "buyer": "Acme of Texas",
        "consent_text": "I agree to be called by Acme of Texas.",
    }
    assert bought(answer.body) == [5.1, 4.25]
    assert reasons(timeline, "offer_left_out") == {"acme": "consent", "delta": "suppressed"}


async def test_disclosed_buyers_are_named_in_legs(house):
    """In a campaign that discloses who buys, also of a quote for one."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet, 'method = "auction"', lines="disclose_buyer = true")
        quote = await ping(house)
    assert quote["legs"] == [{"leg_id": "1", "price": 5.95, "buyer": "Acme"}]


# The same ping again


async def test_the_same_ping_hears_the_same_quote_and_asks_nobody(house):
    """At any worker; another field, name or least price is another ping."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet)
        await house.open()
        lead = {**PING, "phone": ANN["phone"]}
        first = await ping(house, lead)
        again = await ping(house, dict(reversed(lead.items())), base=1)
        assert pinged(fleet) == 4
        others = [
            await ping(house, {**lead, "zip": "78702"}),
            await ping(house, {**lead, "phone": "(512) 555-0177"}),
            await ping(house, lead, min_price=1.00),
            await ping(house, lead, source="other-source"),
        ]
        assert pinged(fleet) == 20
        rows = await house.fetch("SELECT count(*) AS n FROM quote")
    assert again == first
    assert len({one["ping_id"] for one in (first, *others)}) == 5
    assert rows[0]["n"] == 5


@pytest.mark.parametrize("how", ["used", "expired"])
async def test_a_quote_that_cannot_be_posted_any_more_is_not_told_again(house, how):
    """Used, or about to end: the same ping asks anew."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet, lines="quote_ttl_s = 1" if how == "expired" else "")
        first = await ping(house)
        if how == "used":
            assert (await post(house, first["ping_id"])).body["status"] == "sold"
        again = await ping(house)
        assert pinged(fleet) == 8
    assert again["ping_id"] != first["ping_id"]


async def test_a_ping_without_a_quote_is_asked_again(house):
    """What was unsold may be sold now."""
    async with Fleet(bidding({"acme": "3.00"})) as fleet:
        await opened(house, fleet, lines="floor = 5.00")
        assert (await ping(house))["status"] == "unsold"
        fleet.change(bidding({"acme": "6.00"})[0])
        assert (await ping(house))["status"] == "quoted"


# Room that is held

HELD = "hold_quotes = true\nquote_ttl_s = 60"
ONE = 'caps = [ { leads = 1, per = "day" } ]'


async def test_room_that_a_quote_holds_is_its_posts_alone(house):
    """Nobody else is quoted or sold the last place meanwhile; the post takes it over."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet, lines=HELD, own=dict.fromkeys(("acme", "bravo"), ONE))
        quote = await ping(house)
        assert quote["price"] == 15.3
        meanwhile = await house.post(person(7))
        assert bought(meanwhile.body) == [4.25, 3.4]
        answer = await post(house, quote["ping_id"])
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert bought(answer.body) == [5.95, 5.1, 4.25]
    assert offers(timeline, "held")[:2] == ["acme", "bravo"]


async def test_what_is_held_for_legs_that_are_not_posted_is_given_back(house):
    """One leg is posted: the others' places are free again at once."""
    async with Fleet(bidding(FOUR)) as fleet:
        await opened(house, fleet, lines=HELD, own=dict.fromkeys(FOUR, ONE))
        quote = await ping(house)
        answer = await post(house, quote["ping_id"], legs=["3"])
        assert bought(answer.body) == [4.25]
        second = await house.post(person(1))
        await audit(house, fleet)
    assert bought(second.body) == [5.95, 5.1, 3.4]


async def test_room_of_a_quote_that_is_never_posted_comes_back_after_it_expired(house, monkeypatch):
    """And that quote can be posted no more: 410, or 409 where its place was given away."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)
    monkeypatch.setattr(quoted_room, "SLACK_US", 200_000)
    async with Fleet(bidding(FOUR)) as fleet:
        lines = "hold_quotes = true\nquote_ttl_s = 1"
        await opened(house, fleet, lines=lines, own=dict.fromkeys(FOUR, ONE))
        quote = await ping(house)

        async def is_free():
            return not any([(await standing(house, name)).holds for name in FOUR])

        assert not await is_free()
        await until(is_free)
        late = await post(house, quote["ping_id"])
        await audit(house, fleet)
        rows = await house.fetch("SELECT kind FROM moment ORDER BY number")
    assert late.status == 410
    assert [row["kind"] for row in rows] == ["quote", "void"]


async def test_who_has_no_room_is_not_quoted(house):
    """Its budget is too small for its bid: the quote is made without it."""
    async with Fleet(bidding(FOUR)) as fleet:
        own = {"acme": 'caps = [ { spend = 5, per = "day" } ]'}
        await opened(house, fleet, lines=HELD, own=own)
        quote = await ping(house)
        answer = await post(house, quote["ping_id"])
        timeline = await house.timeline(answer.body["lead_id"])
        await audit(house, fleet)
    assert [leg["price"] for leg in quote["legs"]] == [5.1, 4.25, 3.4]
    assert reasons(timeline, "hold_failed") == {"acme": "budget_at_award"}


async def test_room_that_was_given_back_with_others_is_held_anew_not_taken_as_held(house):
    """A leg is chosen beside somebody who has no room, then without: its cap counts it once."""
    prices = {"acme": "9.00", "bravo": "6.00", "cargo": "5.00", "delta": "9.50"}
    small = 'not_with = ["bravo", "cargo"]\ncaps = [ { spend = 8, per = "day" } ]'
    async with Fleet(bidding(prices)) as fleet:
        await opened(house, fleet, lines=HELD, own={"acme": ONE, "delta": small})
        quote = await ping(house)
        answer = await post(house, quote["ping_id"], exclude_buyers=["bravo", "cargo"])
        timeline = await house.timeline(answer.body["lead_id"])
        second = await house.post(person(1))
        await audit(house, fleet)
    assert [leg["price"] for leg in quote["legs"]] == [7.65, 5.1, 4.25]
    assert offers(timeline, "released") == ["acme"]
    assert bought(answer.body) == [7.65]
    assert bought(second.body) == [5.1, 4.25]


MANY = {f"buyer-{number}": str(20 - number) for number in range(16)}
CHANCE = Random(7)


def wordy(what, length=200):
    """What a buyer answers who says as much as it may, in letters that nothing makes shorter."""

    def words():
        return "".join(chr(CHANCE.randrange(0x4E00, 0x9F00)) for _ in range(length))

    return {
        name: message(msgspec.json.encode({"bid": float(price), what: words()}))
        for name, price in MANY.items()
    }


@pytest.mark.parametrize("what", ["buyer_name", "bid_id"])
async def test_a_quote_that_would_be_too_long_is_none_and_holds_nothing(house, what):
    """What its post needs is never left out of it: without the bids of its legs it sold nothing."""
    async with Fleet(bidding(MANY)) as fleet:
        let_answer(fleet, wordy(what))
        shared = 'method = "auction"\nmax_buyers = 16'
        await opened(house, fleet, shared, lines=HELD, own=dict.fromkeys(MANY, ONE))
        answer = await ping(house)
        assert (answer["status"], answer["ping_id"]) == ("unsold", None)
        assert answer["reason"]["reason"] == "invalid_field"
        assert "too long for a quote" in answer["reason"]["detail"]
        assert not any([(await standing(house, name)).holds for name in MANY])
        [row] = await house.fetch("SELECT lead_id FROM moment")
        async with house.ledger() as ledger:
            events = await ledger.timeline(str(row["lead_id"]))
        for name in ("held", "released"):
            assert {one.offer for one in events if one.event == name} == set(MANY)


async def test_room_is_held_for_no_quote_that_could_not_be_written(house):
    """The ledger is away: the ping is 503, and its buyers have their places for others."""
    async with Fleet(bidding(FOUR)) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        own = dict.fromkeys(FOUR, ONE)
        buyers = (buyer(name, fleet.base_url, ping_ms=900, offer=own[name]) for name in FOUR)
        await house.apply(market(*buyers, campaign(stages=[SHARED], lines=HELD)))
        await house.key("seller", "fastquotes")
        await house.open(line.urls)
        await line.database.cut()
        assert (await house.post(PING, path="/v1/pings")).status == 503
        assert not any([(await standing(house, name)).holds for name in FOUR])
        await line.database.mend()

        async def is_quoted():
            return (await house.post(PING, path="/v1/pings")).status == 200

        await until(is_quoted)
        assert (await standing(house, "acme")).holds


async def test_a_seller_that_wants_more_than_was_quoted_is_not_kept_from_it_by_held_room(house):
    """Under second price its buyer pays more then: the last place that is held is its own."""
    async with Fleet(bidding({"acme": "20.00", "bravo": "8.00"})) as fleet:
        second = 'method = "auction"\nprice_rule = "second_price"'
        await opened(house, fleet, second, lines=HELD, own={"acme": ONE})
        quote = await ping(house)
        answer = await post(house, quote["ping_id"], min_price=10.20)
        await audit(house, fleet)
    assert quote["price"] == 6.8
    assert bought(answer.body) == [10.2]


async def test_who_takes_the_place_of_a_leg_pays_no_less_under_second_price_either(house):
    """Nobody bids against it any more: it pays what the leg promised, and not its floor."""
    prices = {"acme": "20.00", "bravo": "8.00", "cargo": "15.00"}
    second = 'method = "auction"\nmax_buyers = 2\nprice_rule = "second_price"'
    async with Fleet(bidding(prices)) as fleet:
        await opened(house, fleet, second, own={"cargo": 'not_with = ["acme"]'})
        quote = await ping(house)
        fleet.change(bidding({"acme": "20.00"}, post_faults=REFUSING)[0])
        answer = await post(house, quote["ping_id"])
        await audit(house, fleet)
    assert [leg["price"] for leg in quote["legs"]] == [12.75, 6.8]
    assert bought(answer.body) == [12.75, 6.8]
