"""A ping is answered with a price that binds; its post, once and in time, sells at no less."""

import asyncio
import base64
import hashlib
from collections import Counter
from datetime import UTC, datetime

import pytest

from bidders.fleet import Fleet, PostFault
from bidders.fleet.reply import message
from tests.acceptance.buyers import bidding, bodies, let_answer
from tests.acceptance.cables import cables
from tests.acceptance.house import ANN, phone
from tests.acceptance.market import buyer, campaign, market

PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
POST_ONLY = {"campaign": None, "source": None}
"""What a quote's post need not say again."""

PRICES = {"acme": "12.00", "bravo": "10.00"}
REFUSING = {"post_faults": {PostFault.REFUSING: 1.0}}


async def opened(house, fleet, *parts: str, lines: str = "") -> None:
    """Make a market of all buyers of the fleet and one campaign, and open a worker."""
    buyers = (buyer(name, fleet.base_url) for name in fleet.specs)
    await house.apply(market(*buyers, campaign(lines=lines), *parts))
    await house.open()


async def quoted(house, lead=PING, **control) -> str:
    """Return the token of a ping that found a price."""
    answer = await house.post(lead, path="/v1/pings", **control)
    assert (answer.status, answer.body["status"]) == (200, "quoted"), answer.body
    return answer.body["ping_id"]


async def posted(house, token: str, lead=IDENTITY, **control):
    return await house.post(lead, path=f"/v1/pings/{token}/post", **{**POST_ONLY, **control})


def pings(fleet) -> int:
    return sum(book.pings for book in fleet.books.values())


@pytest.mark.parametrize("door", ["path", "body", "form"])
async def test_a_quote_is_sold_at_its_price_and_nobody_is_pinged_again(house, door):
    """The post brings the identity alone; the ping's fields and bids stand, the promise is kept."""
    async with Fleet(bidding(PRICES), keep=9) as fleet:
        await opened(house, fleet)
        ping = await house.post(PING, path="/v1/pings", seller_ref="A-7")
        assert ping.body["status"] == "quoted"
        assert (ping.body["price"], ping.body["currency"]) == (10.2, "USD")
        assert ping.body["legs"] == [{"leg_id": "1", "price": 10.2}]
        ends = datetime.fromisoformat(ping.body["expires_at"]) - datetime.now(UTC)
        assert 295 < ends.total_seconds() <= 300
        assert Counter({name: book.pings for name, book in fleet.books.items()}) == {
            "acme": 1,
            "bravo": 1,
        }
        token = ping.body["ping_id"]
        if door == "path":
            answer = await posted(house, token)
        elif door == "body":
            answer = await house.post(IDENTITY, **POST_ONLY, ping_id=token)
        else:
            key = await house.key("seller", "fastquotes")
            path = f"/v1/pings/{token}/post"
            answer = await house.call("POST", path, key=key, data=IDENTITY)
        assert (answer.status, answer.body["status"]) == (200, "sold"), answer.body
        assert answer.body["price"] == 10.2
        assert pings(fleet) == 2
        assert list(fleet.books["acme"].accepted()) == [answer.body["sales"][0]["sale_id"]]
        sold = bodies(fleet.books["acme"].requests, "/post")[0]
        assert sold["lead"]["zip"] == "78701"
        assert sold["lead"]["currently_insured"] is True
        assert sold["lead"]["phone"] == "+15125550123"
        pinged = bodies(fleet.books["acme"].requests, "/ping")[0]
        assert sold["ping_id"] == pinged["ping_id"]
        seen = await house.admin(answer.body["lead_id"])
        assert seen["seller_ref"] == "A-7"
        events = [line["event"] for line in seen["timeline"]]
        assert events.index("quoted") < events.index("awarded") < events.index("sold")
        moments = "SELECT kind FROM moment WHERE lead_id = $1 ORDER BY number"
        kinds = [row["kind"] for row in await house.fetch(moments, answer.body["lead_id"])]
        assert kinds == ["quote", "lead", "award", "outcome"]


async def test_a_quote_is_used_once(house):
    """A second post is 409 at either door; two at once give one sale and one 409."""
    async with Fleet(bidding(PRICES)) as fleet:
        await opened(house, fleet)
        await house.open()
        token = await quoted(house)
        assert (await posted(house, token)).body["status"] == "sold"
        before = await house.written()
        again = [
            await posted(house, token),
            await posted(house, token, base=1),
            await house.post(IDENTITY, **POST_ONLY, ping_id=token),
        ]
        assert [answer.status for answer in again] == [409, 409, 409]
        assert again[0].headers["Content-Type"] == "application/problem+json"
        assert await house.written() == before
        for base in (0, 1):
            token = await quoted(house)
            both = await asyncio.gather(posted(house, token), posted(house, token, base=base))
            assert sorted(answer.status for answer in both) == [200, 409]
            sold = next(answer for answer in both if answer.status == 200)
            assert sold.body["status"] == "sold"
        assert len(fleet.books["acme"].accepted()) == 3
        async with house.ledger() as ledger:
            assert set((await ledger.sums()).values()) == {0}
            assert await ledger.balance("seller/fastquotes") == {"USD": 30_600_000}


async def test_an_expired_quote_is_410_and_sells_nothing(house):
    """`quote_ttl_s` after its ping a quote binds nobody; a bid's shorter `ttl_s` ends it sooner."""
    async with Fleet(bidding(PRICES)) as fleet:
        let_answer(fleet, {"acme": message(b'{"bid":12,"bid_id":"b1","ttl_s":1}')})
        await opened(house, fleet)
        ping = await house.post(PING, path="/v1/pings")
        ends = datetime.fromisoformat(ping.body["expires_at"])
        assert (ends - datetime.now(UTC)).total_seconds() <= 1
        before = await house.written()
        await asyncio.sleep((ends - datetime.now(UTC)).total_seconds())  # only time ends it
        answer = await posted(house, ping.body["ping_id"])
        assert (answer.status, answer.body["status"]) == (410, 410)
        with_key = await posted(house, ping.body["ping_id"], headers={"Idempotency-Key": "k"})
        assert with_key.status == 410
        assert await house.written() == before
        assert fleet.books["acme"].posts == 0


async def test_a_forged_or_foreign_token_is_404(house):
    """What we did not seal, what was touched, and another seller's quote: there is no such ping."""
    async with Fleet(bidding(PRICES)) as fleet:
        buyers = (buyer(name, fleet.base_url) for name in fleet.specs)
        await house.apply(market(*buyers, campaign(sellers='"fastquotes", "other"')))
        await house.open()
        token = await quoted(house)
        middle = len(token) // 2
        flipped = "A" if token[middle] != "A" else "B"
        forged = (
            "x",
            "00000000-0000-7000-8000-000000000000",
            token[:-1],
            token + "AAAA",
            token[:middle] + flipped + token[middle + 1 :],
            "A" * 9000,
            "%00",
            "%C3%28",
        )
        before = await house.written()
        for wrong in forged:
            assert (await posted(house, wrong)).status == 404, wrong
            assert (await house.post(IDENTITY, **POST_ONLY, ping_id=wrong)).status == 404, wrong
        assert (await posted(house, token, seller="other")).status == 404
        assert await house.written() == before
        assert (await posted(house, token)).body["status"] == "sold"


async def test_a_post_that_contradicts_its_ping_is_422_and_the_quote_stays_usable(house):
    """Every contradiction is named at once: fields, control fields, and whose digest it was."""
    hashed = {**PING, "phone_sha256": hashlib.sha256(b"5125550123").hexdigest()}
    async with Fleet(bidding(PRICES)) as fleet:
        await opened(house, fleet, campaign("second"))
        token = await quoted(house, hashed)
        for lead, control, wrong in (
            ({"zip": "10001"}, {}, {"lead.zip"}),
            (
                {"currently_insured": "no", "birth_date": "1960-01-01"},
                {},
                {
                    "lead.currently_insured",
                    "lead.birth_date",
                },
            ),
            ({"phone": phone(7)}, {}, {"lead.phone"}),
            ({}, {"campaign": "second"}, {"campaign"}),
            ({}, {"source": "elsewhere", "test": True}, {"source", "test"}),
            ({}, {"ping_id": "another"}, {"ping_id"}),
        ):
            answer = await posted(house, token, {**IDENTITY, **lead}, **control)
            assert answer.status == 422, answer.body
            told = {error["field"]: error["code"] for error in answer.body["errors"]}
            assert told == dict.fromkeys(wrong, "contradicts_ping")
        lacking = await posted(house, token, {"phone": ANN["phone"]})
        assert {error["field"] for error in lacking.body["errors"]} == {
            "lead.first_name",
            "lead.email",
        }
        unknown_leg = await posted(house, token, legs=["one"])
        assert unknown_leg.body["errors"][0]["field"] == "legs"
        assert not await house.fetch("SELECT 1 FROM lead")
        same = {**ANN, "zip": " 78701-1234", "currently_insured": "yes"}
        agreeing = await posted(house, token, same, campaign="auto-us", source="search")
        assert agreeing.body["status"] == "sold"
        assert pings(fleet) == 2


async def test_a_fallback_sells_at_no_less_than_was_quoted_unless_the_seller_permits_it(house):
    """The best buyer refuses: a lower bid breaks the promise; a lower `min_price` allows it."""
    fleet_of = [*bidding({"acme": "12.00"}, **REFUSING), *bidding({"bravo": "10.00"})]
    async with Fleet(fleet_of) as fleet:
        await opened(house, fleet)
        unsold = await posted(house, await quoted(house))
        assert (unsold.status, unsold.body["status"]) == (200, "unsold")
        assert fleet.books["bravo"].posts == 0
        lines = await house.timeline(unsold.body["lead_id"])
        left_out = [line for line in lines if line.get("offer") == "bravo"][-1]
        assert left_out["reason"]["reason"] == "quote_promise"
        permitted = await posted(house, await quoted(house), min_price=8.50)
        assert (permitted.body["status"], permitted.body["price"]) == ("sold", 8.5)
        not_enough = await posted(house, await quoted(house), min_price=8.51)
        assert not_enough.body["status"] == "unsold"
        assert pings(fleet) == 6


async def test_a_bid_that_holds_no_longer_takes_no_ones_place(house):
    """Its buyer bound itself for a second; the quote, which rests on another one, goes on."""
    fleet_of = [*bidding({"acme": "12.00"}, **REFUSING), *bidding({"bravo": "12.00"})]
    async with Fleet(fleet_of) as fleet:
        let_answer(fleet, {"bravo": message(b'{"bid":12,"bid_id":"b1","ttl_s":99}')})
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer="priority = 1"),
                buyer("bravo", fleet.base_url, offer="priority = 2"),
                campaign(),
            )
        )
        await house.open()
        ping = await house.post(PING, path="/v1/pings")
        ends = datetime.fromisoformat(ping.body["expires_at"])
        assert (ends - datetime.now(UTC)).total_seconds() > 200
        in_time = await posted(house, ping.body["ping_id"])
        assert (in_time.body["status"], fleet.books["bravo"].posts) == ("sold", 1)
        let_answer(fleet, {"bravo": message(b'{"bid":12,"bid_id":"b1","ttl_s":1}')})
        token = await quoted(house)
        await asyncio.sleep(1.0)  # only time ends it
        late = await posted(house, token)
        assert (late.body["status"], fleet.books["bravo"].posts) == ("unsold", 1)
        lines = await house.timeline(late.body["lead_id"])
        left_out = [line for line in lines if line.get("offer") == "bravo"][-1]
        assert left_out["reason"]["reason"] == "quote_promise"
        assert left_out["detail"] == "its bid held for 1 s"


async def test_a_token_is_judged_without_any_store(house):
    """Forged, another seller's, or expired: said while neither ledger nor market state is there."""
    async with Fleet(bidding(PRICES)) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        buyers = (buyer(name, fleet.base_url) for name in fleet.specs)
        lines = "quote_ttl_s = 1"
        await house.apply(market(*buyers, campaign(sellers='"fastquotes", "other"', lines=lines)))
        await house.key("seller", "other")
        await house.key("seller", "fastquotes")
        await house.open(line.urls)
        token = await quoted(house)
        await line.market.cut()
        await line.database.cut()
        assert (await posted(house, token[:-4] + "AAAA")).status == 404
        assert (await posted(house, token, seller="other")).status == 404
        await asyncio.sleep(1.0)  # only time ends it
        assert (await posted(house, token)).status == 410


async def test_a_quote_is_kept_over_the_change_of_its_days_key(house, clock):
    """Sealed just before midnight under one day's key, posted after it; the next has another."""
    async with Fleet(bidding(PRICES)) as fleet:
        clock.set(datetime(2027, 3, 1, 23, 59, 58, tzinfo=UTC))
        await opened(house, fleet)
        await house.open()
        before = await quoted(house)
        clock.set(datetime(2027, 3, 2, 0, 0, 30, tzinfo=UTC))
        after = await quoted(house, seller_ref="another")
        heads = [base64.urlsafe_b64decode(token[:12])[:7] for token in (before, after)]
        assert heads[0][:4] == heads[1][:4]
        assert int.from_bytes(heads[0][4:]) + 1 == int.from_bytes(heads[1][4:])
        for base, token in enumerate((before, after)):
            answer = await posted(house, token, base=base)
            assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)


async def test_a_quotes_fallback_reaches_down_the_waterfall(house):
    """A static price that keeps the promise takes the lead where all bidders refuse it."""
    async with Fleet(
        bidding({"acme": "12.00", "house-1": "1", "house-2": "1"}, **REFUSING)
    ) as fleet:
        stages = (
            'method = "auction"\noffers = ["acme"]',
            'method = "waterfall"\noffers = ["house-1", "house-2"]',
        )
        fleet.change(bidding({"house-2": "1"})[0])
        await house.apply(
            market(
                buyer("acme", fleet.base_url),
                *(
                    buyer(
                        name, offer=f'price = {price}\npost = {{ url = "{fleet.post_url(name)}" }}'
                    )
                    for name, price in (("house-1", "11.99"), ("house-2", "12.50"))
                ),
                campaign(stages=stages),
            )
        )
        await house.open()
        answer = await posted(house, await quoted(house))
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.62)
        assert (fleet.books["house-1"].posts, fleet.books["house-2"].posts) == (0, 1)
        assert pings(fleet) == 1


async def test_a_quote_is_honoured_by_any_worker_and_after_the_market_changed(house):
    """The token holds the promise; an offer that was paused since then is not held to it."""
    async with Fleet(bidding(PRICES)) as fleet:
        await opened(house, fleet)
        await house.open()
        first, second = await quoted(house), await quoted(house, seller_ref="another")
        assert (await posted(house, first, base=1)).body["price"] == 10.2
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer="paused = true"),
                buyer("bravo", fleet.base_url),
                campaign(),
            )
        )
        answer = await posted(house, second, base=1)
        assert answer.body["status"] == "unsold"
        assert fleet.books["bravo"].posts == 0


AUCTION = 'method = "auction"\noffers = ["acme", "bravo"]'
HOUSE = 'method = "waterfall"\noffers = ["house"]\nfloor = 1.00'
CHANGED = "the routing plan was changed since the ping"


async def replanned(house, fleet, *stages: str) -> None:
    """Apply a market of the same buyers with these stages."""
    post = f'price = 2.00\npost = {{ url = "{fleet.post_url("house")}" }}'
    buyers = (buyer(name, fleet.base_url) for name in PRICES)
    await house.apply(market(*buyers, buyer("house", offer=post), campaign(stages=stages)))


@pytest.mark.parametrize(
    ("before", "after", "sold_in"),
    [
        ([AUCTION], [HOUSE, AUCTION], 2),
        ([HOUSE, AUCTION], [AUCTION], 1),
        ([AUCTION], [AUCTION + "\nfloor = 4.00\ntimeout_ms = 900", HOUSE], 1),
        ([AUCTION], ['method = "auction"\noffers = ["acme", "bravo", "house"]'], 1),
    ],
    ids=["one before it", "one before it gone", "other floor and time", "one more offer"],
)
async def test_a_quote_is_kept_by_the_stage_that_it_was_made_in_wherever_that_stands_now(
    house, before, after, sold_in
):
    """The plan was changed between ping and post, the stage's terms were not."""
    async with Fleet(bidding({**PRICES, "house": "1"})) as fleet:
        await replanned(house, fleet, *before)
        await house.open()
        # The house pays too little for this seller: the bidders are asked.
        token = await quoted(house, min_price=5.00)
        await replanned(house, fleet, *after)
        answer = await posted(house, token)
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
        [award] = await house.fetch("SELECT stage, offer FROM award")
        assert (award["stage"], award["offer"]) == (sold_in, "acme")
        assert pings(fleet) == 2


@pytest.mark.parametrize(
    "after",
    [
        [AUCTION + '\nprice_rule = "second_price"'],
        [AUCTION + "\nmax_buyers = 2"],
        [AUCTION + "\nwhen = 'state == \"TX\"'"],
        ['method = "first_accept"\noffers = ["acme", "bravo"]\nbuy_now = 20.00'],
        [HOUSE],
        [HOUSE, 'method = "auction"\noffers = ["bravo"]'],
    ],
    ids=["price rule", "shared", "condition", "method", "gone", "without its winner"],
)
async def test_a_quote_is_never_sold_by_the_terms_of_another_stage(house, after):
    """Its stage is not in the plan any more: unsold, and why is said to seller and operator."""
    async with Fleet(bidding({**PRICES, "house": "1"})) as fleet:
        await replanned(house, fleet, AUCTION)
        await house.open()
        token = await quoted(house)
        await replanned(house, fleet, *after)
        answer = await posted(house, token)
        assert (answer.status, answer.body["status"]) == (200, "unsold")
        assert answer.body["reason"]["reason"] == "quote_promise"
        assert answer.body["reason"]["detail"] == CHANGED
        assert [book.posts for book in fleet.books.values()] == [0, 0, 0]
        lines = await house.timeline(answer.body["lead_id"])
        left_out = [line for line in lines if line["event"] == "offer_left_out"]
        assert {line["reason"]["reason"] for line in left_out} == {"quote_promise"}
        assert {line["detail"] for line in left_out} == {CHANGED}
        assert (await posted(house, token)).status == 409
        assert pings(fleet) == 2


async def test_who_was_taken_out_of_a_quotes_stage_is_not_sold_to_and_the_others_are(house):
    """One of two legs stands there no more; its offer is in another stage of the plan now."""
    shared = 'method = "auction"\nmax_buyers = 2\noffers = '
    async with Fleet(bidding({**PRICES, "house": "1"})) as fleet:
        await replanned(house, fleet, shared + '["acme", "bravo"]')
        await house.open()
        token = await quoted(house)
        await replanned(
            house, fleet, 'method = "auction"\noffers = ["acme"]', shared + '["bravo", "house"]'
        )
        answer = await posted(house, token)
        assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)
        assert fleet.books["acme"].posts == 0
        lines = await house.timeline(answer.body["lead_id"])
        [left_out] = [line for line in lines if line.get("offer") == "acme"][-1:]
        assert left_out["reason"]["reason"] == "quote_promise"
        assert left_out["detail"] == CHANGED


async def test_a_ping_that_finds_no_price_says_why_and_gives_no_token(house):
    """Unsold, rejected and duplicate pings have a reason, and the seller's `min_price` counts."""
    async with Fleet(bidding(PRICES), keep=9) as fleet:
        rules = 'qualify = "age >= 18"\nduplicates = { window_hours = 1 }'
        await opened(house, fleet, lines=rules)
        assert (await house.post()).body["status"] == "sold"
        digest = hashlib.md5(b"ann.lee@example.com", usedforsecurity=False).hexdigest()
        for lead, control, status, reason in (
            (PING, {"min_price": 10.21}, "unsold", "no_bid_above_floor"),
            ({**PING, "birth_date": "2021-01-01"}, {}, "rejected", "not_qualified"),
            ({**PING, "phone": "512-555-0123"}, {}, "duplicate", "duplicate"),
            ({**PING, "email_md5": digest.upper()}, {}, "duplicate", "duplicate"),
        ):
            answer = await house.post(lead, path="/v1/pings", **control)
            assert (answer.status, answer.body["status"]) == (200, status), answer.body
            assert answer.body["reason"]["reason"] == reason
            assert answer.body["ping_id"] is None
            assert answer.body["price"] is None
            assert ("warnings" in answer.body) is ("email_md5" in lead)
        assert (await house.post(PING, path="/v1/pings", min_price=10.2)).body["price"] == 10.2


async def test_a_ping_claims_nothing_and_its_post_claims(house):
    """Two quotes of one person may stand beside each other; only one of them becomes a sale."""
    async with Fleet(bidding(PRICES)) as fleet:
        await opened(house, fleet, lines="duplicates = { window_hours = 1 }")
        lead = {**PING, "phone": ANN["phone"]}
        tokens = [await quoted(house, lead, seller_ref=str(number)) for number in range(3)]
        assert await house.market_keys("*claim*") == []
        answers = await asyncio.gather(*(posted(house, token) for token in tokens))
        assert Counter(answer.body["status"] for answer in answers) == {"sold": 1, "duplicate": 2}
        assert len(fleet.books["acme"].accepted()) == 1


async def test_identity_in_a_ping_is_neither_kept_nor_passed_on(house):
    """It is used to recognize a duplicate; then no table, no key, no buyer and no token has it."""
    canary = {
        "first_name": "Zebulonia",
        "last_name": "Quetzalton",
        "phone": "(512) 555-0177",
        "email": "zebulonia.q@example.com",
    }
    async with Fleet(bidding(PRICES), keep=9) as fleet:
        await opened(house, fleet)
        await quoted(house, {**PING, **canary}, consent={"ip": "198.51.100.77"}, extra="Zebulonia")
        quote = (await house.fetch("SELECT lead_id FROM quote"))[0]
        async with house.ledger() as ledger:
            kept = await ledger.record(str(quote["lead_id"]))
        assert kept is not None
        heard = b"".join(
            request.body + repr(request.headers).encode()
            for book in fleet.books.values()
            for request in book.requests
        )
        events = (await house.fetch("SELECT string_agg(events::text, '') AS all FROM moment"))[0]
        for trace in (kept, heard, str(events["all"]).encode()):
            for word in (b"ebulonia", b"uetzal", b"5550177", b"198.51.100", b"1991-04-02"):
                found = word in trace and not (word == b"1991-04-02" and trace is kept)
                assert not found, word
