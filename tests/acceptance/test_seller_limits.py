"""What sellers may bring: over a limit it is 429 with the time of the next, and no ping."""

import asyncio
from datetime import datetime

import pytest

from bidders.fleet import Fleet
from exchange import app
from exchange.domain.caps import Hold, HoldLine
from exchange.domain.reason import Reason
from exchange.story import quoted_room
from tests.acceptance.audit import audit
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import AUTO, buyer, campaign
from tests.acceptance.test_caps import PATIENT, UNHURRIED, patient
from tests.acceptance.test_reconcile import compared, look_ahead
from tests.acceptance.timelines import of, offers, reasons

WHOSE = "seller:fastquotes"


def market(limits: str, *parts: str, source: str = "", zone: str = "UTC") -> str:
    """A market whose seller has these limits, and its source `search` those."""
    seller = f"""
[[seller]]
id = "fastquotes"
time_zone = "{zone}"
caps = [ {limits} ]
source = [ {{ id = "search", caps = [ {source} ] }}, {{ id = "social" }} ]
"""
    return "\n".join((AUTO, seller, *parts))


async def used(house, kind):
    """What is settled and held of the seller's counters of this kind, by whose they are."""
    found = await house.workers[0]._state.market.standing(WHOSE)
    assert not any(found.holds) or not any(found.held.values())
    return {
        name.split("|")[0]: count + found.held.get(name, 0)
        for name, count in found.settled.items()
        if f"|{kind}|" in name
    }


async def settled(house):
    """Return once nothing of the seller is held any more."""

    async def is_still():
        return not (await house.workers[0]._state.market.standing(WHOSE)).holds

    await until(is_still)


async def test_over_a_sellers_limit_it_is_429_until_its_window_ends_and_nobody_is_pinged(
    house, clock
):
    """Row 66: the third lead of a limit of 2 a day; after midnight in Chicago there is room."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        limits = '{ leads = 2, per = "day" }'
        text = market(limits, buyer("acme", fleet.base_url), campaign(), zone="America/Chicago")
        await house.apply(text)
        clock.set(datetime.fromisoformat("2026-11-01T22:00:00-06:00"))
        await house.open(**UNHURRIED)
        told = [await house.post(person(number)) for number in range(3)]
        assert [answer.status for answer in told] == [200, 200, 429]
        refused = told[2]
        assert refused.body["type"] == "/problems/too-many"
        assert "limit of 2 leads per day" in refused.body["detail"]
        assert 7100 < int(refused.headers["Retry-After"]) <= 7200
        assert fleet.books["acme"].pings == 2
        await look_ahead(house)
        quoted = await house.post(person(3), path="/v1/pings")
        assert (quoted.status, fleet.books["acme"].pings) == (429, 2)
        clock.set(datetime.fromisoformat("2026-11-02T00:00:01-06:00"))
        assert (await house.post(person(4))).body["status"] == "sold"
        await audit(house, fleet)


async def test_a_source_has_limits_of_its_own_under_its_sellers(house):
    """The source is full at 1, the seller at 3; a test lead takes nothing of either."""
    limits = '{ leads = 3, per = "day" }'
    acme = buyer("acme", offer="price = 9.00")
    trial = buyer("trial", offer="price = 9.00\ntest = true")
    source = '{ leads = 1, per = "hour" }'
    await house.apply(market(limits, acme, trial, campaign(), source=source))
    await house.open(**UNHURRIED)
    assert (await house.post(person(0), test=True)).status == 200
    told = []
    for number, name in enumerate(("search", "search", "social", "social", "social"), 1):
        answer = await house.post(person(number), source=name)
        told.append((answer.status, answer.body.get("detail", "sold").split(" is ")[0]))
    assert told == [
        (200, "sold"),
        (429, "this source's limit of 1 lead per hour"),
        (200, "sold"),
        (200, "sold"),
        (429, "this seller's limit of 3 leads per day"),
    ]
    await settled(house)
    assert await used(house, "leads") == {
        "test/seller/fastquotes": 1,
        "test/source/fastquotes:search": 1,
        "seller/fastquotes": 3,
        "source/fastquotes:search": 1,
    }
    assert (await compared(house))["differences"] == []


async def test_a_sellers_limit_is_exact_under_two_workers_and_survives_a_loss(house):
    """100 posts at once on a limit of 40, from two workers: 40; the books tell it again."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await house.apply(
            market('{ leads = 40, per = "day" }', patient("acme", fleet, ""), PATIENT)
        )
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        await house.key("seller", "fastquotes")
        told = await asyncio.gather(
            *(house.post(person(number), base=number % 2) for number in range(100))
        )
        assert sorted(answer.status for answer in told) == [200] * 40 + [429] * 60
        assert fleet.books["acme"].pings == 40
        await settled(house)
        async with house.market() as client:
            await client.flushdb()
        for worker in house.workers:
            await worker._rebuilding.look()
        assert (await house.post(person(200))).status == 429
        assert await used(house, "leads") == {"seller/fastquotes": 40}
        assert (await compared(house))["differences"] == []
        async with house.market() as client:
            counters = f"{{{WHOSE}}}:counters"
            for field in await client.hkeys(counters):
                await client.hincrby(counters, field, -5)
        await compared(house, differs={("settled", WHOSE)})
        assert (await compared(house, repair=True))["left"] == []
        assert (await house.post(person(201))).status == 429
        await audit(house, fleet)


async def test_a_repetition_takes_no_second_place(house):
    """The same Idempotency-Key counts once; a 429 is not kept, and its lead is sold later."""
    await house.apply(
        market('{ leads = 2, per = "day" }', buyer("acme", offer="price = 9.00"), campaign())
    )
    await house.open(**UNHURRIED)
    key = {"Idempotency-Key": "once"}
    told = [await house.post(person(1), headers=key) for _ in range(3)]
    assert len({answer.body["lead_id"] for answer in told}) == 1
    assert (await house.post(person(2))).status == 200
    late = {"Idempotency-Key": "later"}
    assert (await house.post(person(3), headers=late)).status == 429
    await settled(house)
    assert await used(house, "leads") == {"seller/fastquotes": 2}
    await house.apply(
        market('{ leads = 3, per = "day" }', buyer("acme", offer="price = 9.00"), campaign())
    )
    assert (await house.post(person(3), headers=late)).body["status"] == "sold"


async def test_a_quotes_post_counts_and_its_ping_does_not(house):
    """A quote that meets a full seller stays good: posted again where there is room, it is sold."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        parts = buyer("acme", fleet.base_url), campaign()
        await house.apply(market('{ leads = 1, per = "day" }', *parts))
        await house.open(**UNHURRIED)
        quotes = [await house.post(person(number), path="/v1/pings") for number in (1, 2)]
        posts = [f"/v1/pings/{quote.body['ping_id']}/post" for quote in quotes]
        told = [await house.post(person(number), path=path) for number, path in enumerate(posts, 1)]
        assert [answer.status for answer in told] == [200, 429]
        assert (await house.post(person(1), path=posts[0])).status == 409
        await house.apply(market('{ leads = 2, per = "day" }', *parts))
        assert (await house.post(person(2), path=posts[1])).body["status"] == "sold"
        await settled(house)
        assert await used(house, "leads") == {"seller/fastquotes": 2}
        assert (await compared(house))["differences"] == []


# Ping budgets

NAMES = {"acme": "9.00", "bravo": "8.00", "coda": "7.00"}


async def test_a_ping_budget_is_never_passed_and_what_is_left_goes_by_priority(house):
    """Seven pings, three buyers: 3, 3, then the one that goes first; then 429 before any ping."""
    async with Fleet(bidding(NAMES)) as fleet:
        buyers = [
            buyer(name, fleet.base_url, offer=f"priority = {9 - number}")
            for number, name in enumerate(NAMES)
        ]
        await house.apply(market('{ pings = 7, per = "day" }', *buyers, campaign()))
        await house.open(**UNHURRIED)
        told = [await house.post(person(number)) for number in range(3)]
        assert [float(answer.body["price"]) for answer in told] == [7.65, 7.65, 5.95]
        timeline = await house.timeline(told[2].body["lead_id"])
        assert offers(timeline, "pinged") == ["coda"]
        assert reasons(timeline, "offer_left_out") == {"acme": "cap", "bravo": "cap"}
        lines = of(timeline, "offer_left_out")
        assert {line["detail"].split("|")[:3][1] for line in lines} == {"pings"}
        await look_ahead(house)
        last = await house.post(person(3))
        assert (last.status, int(last.headers["Retry-After"]) <= 86_400) == (429, True)
        assert "pings per day" in last.body["detail"]
        assert sum(book.pings for book in fleet.books.values()) == 7
        await settled(house)
        assert await used(house, "pings") == {"seller/fastquotes": 7}
        assert (await compared(house))["differences"] == []


async def test_a_source_has_a_ping_budget_of_its_own(house, clock):
    """Four pings an hour, three buyers: three, the one that is left, then 429 until the next hour.

    The seller's other source goes on, and what both sent counts for the seller.
    """
    async with Fleet(bidding(NAMES)) as fleet:
        buyers = [buyer(name, fleet.base_url) for name in NAMES]
        limits = '{ pings = 50, per = "day" }'
        own = '{ pings = 4, per = "hour" }'
        await house.apply(market(limits, *buyers, campaign(), source=own))
        clock.set(datetime.fromisoformat("2026-11-20T10:30:00+00:00"))
        await house.open(**UNHURRIED)
        told = [await house.post(person(number), source="search") for number in range(2)]
        assert [answer.body["status"] for answer in told] == ["sold", "sold"]
        assert sum(book.pings for book in fleet.books.values()) == 4
        timeline = await house.timeline(told[1].body["lead_id"])
        (counters,) = {line["detail"] for line in of(timeline, "offer_left_out")}
        assert counters.startswith("source/fastquotes:search|pings|hour|")
        await look_ahead(house)
        full = await house.post(person(2), source="search")
        assert (full.status, full.headers["Retry-After"]) == (429, "1800")
        assert "this source's limit of 4 pings per hour" in full.body["detail"]
        quoted = await house.post(person(3), source="search", path="/v1/pings")
        assert (quoted.status, quoted.headers["Retry-After"]) == (429, "1800")
        assert (await house.post(person(4), source="social")).body["status"] == "sold"
        await settled(house)
        assert await used(house, "pings") == {
            "seller/fastquotes": 7,
            "source/fastquotes:search": 4,
        }
        assert (await compared(house))["differences"] == []


async def test_a_ping_budget_is_exact_under_two_workers(house):
    """60 leads and quotes at once, three buyers, 100 pings: exactly 100, on every book."""
    async with Fleet(bidding(NAMES)) as fleet:
        buyers = [patient(name, fleet, "") for name in NAMES]
        await house.apply(market('{ pings = 100, per = "day" }', *buyers, PATIENT))
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        await house.key("seller", "fastquotes")
        paths = ("/v1/leads", "/v1/pings")
        told = await asyncio.gather(
            *(
                house.post(person(number), base=number % 2, path=paths[number // 2 % 2])
                for number in range(60)
            )
        )
        assert {answer.status for answer in told} <= {200, 429}
        assert sum(book.pings for book in fleet.books.values()) == 100
        await settled(house)
        async with house.market() as client:
            await client.flushdb()
        for worker in house.workers:
            await worker._rebuilding.look()
        assert await used(house, "pings") == {"seller/fastquotes": 100}
        assert (await compared(house))["differences"] == []


# Rates of offers


async def test_an_offer_is_pinged_no_more_often_than_its_rate_by_two_workers(house):
    """40 leads at once, two workers, 15 a minute: 15 pings; the others are left out as 209."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "5.00"})) as fleet:
        rated = patient("acme", fleet, "").replace(
            "timeout_ms = 20000 }\npost", "timeout_ms = 20000, rate = { per_minute = 15 } }\npost"
        )
        assert "rate" in rated
        sellers = market("", rated, patient("bravo", fleet, ""), PATIENT)
        await house.apply(sellers)
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        await house.key("seller", "fastquotes")
        told = await asyncio.gather(
            *(house.post(person(number), base=number % 2) for number in range(40))
        )
        assert (fleet.books["acme"].pings, fleet.books["bravo"].pings) == (15, 40)
        cheap = [answer for answer in told if float(answer.body["price"]) == 4.25]
        assert len(cheap) == 25
        timeline = await house.timeline(cheap[0].body["lead_id"])
        (line,) = of(timeline, "offer_left_out")
        assert (line["reason"]["reason"], line["detail"]) == ("rate", "15 per minute")


GHOST = "0199c0de-0000-7000-8000-000000000001"


async def left_held(house, lead_id, sale_id=None, kind="leads"):
    """Hold one place as a worker that crashed before it wrote anything of this lead."""
    line = HoldLine(f"seller/fastquotes|{kind}|total|0", 1, 10, Reason.CAP_AT_AWARD)
    hold = Hold(
        sale_id=sale_id or lead_id,
        lead_id=lead_id,
        buyer_id=WHOSE,
        held_at_us=0,
        lines=(line,),
        until_us=1,
    )
    assert await house.workers[0]._state.market.hold(hold) is None


async def swept(house):
    """Return once all that is held by now, its lease over, was looked at by the sweeper."""
    await left_held(house, GHOST)  # the last one: they are looked at in order

    async def is_gone():
        return GHOST not in (await house.workers[0]._state.market.standing(WHOSE)).holds

    await until(is_gone)


async def test_a_crash_between_hold_and_lead_gives_the_place_back(house):
    """A place that nobody writes a lead for is free once its lease has run out."""
    await house.apply(
        market('{ leads = 1, per = "total" }', buyer("acme", offer="price = 9.00"), campaign())
    )
    await house.open(hold_lease_s=0, **UNHURRIED)
    await left_held(house, GHOST)
    await settled(house)
    assert (await house.post(person(1))).status == 200
    assert (await house.post(person(2))).status == 429


@pytest.mark.parametrize("of", ["its post", "pings that were never sent"])
async def test_a_quote_is_not_used_up_by_what_a_broken_post_left_held(house, monkeypatch, of):
    """503 asked for another try: however long the outage was, it is sold, and counts once."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.05)
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        parts = buyer("acme", fleet.base_url), campaign()
        limits = '{ leads = 1, per = "total" }, { pings = 10, per = "total" }'
        await house.apply(market(limits, *parts))
        # With no lease at all the ping itself would be looked into while it is asked for.
        await house.open(hold_lease_s=1, **UNHURRIED)
        quote = await house.post(person(1), path="/v1/pings")
        await settled(house)
        lead_id = str((await house.fetch("SELECT lead_id FROM quote"))[0]["lead_id"])
        if of == "its post":
            await left_held(house, lead_id)
        else:
            await left_held(house, lead_id, f"{lead_id}/1", "pings")
        await swept(house)
        answer = await house.post(person(1), path=f"/v1/pings/{quote.body['ping_id']}/post")
        assert (answer.status, answer.body["status"]) == (200, "sold")
        await settled(house)
        assert await used(house, "leads") == {"seller/fastquotes": 1}
        assert await used(house, "pings") == {"seller/fastquotes": 1}
        assert (await compared(house))["differences"] == []


VOID = """
INSERT INTO moment (lead_id, number, at, kind, worker, write, events)
SELECT lead_id, 2, now(), 'void', lead_id, 0, '[]' FROM quote
"""


async def test_a_post_that_finds_its_quote_voided_takes_no_place(house):
    """In the very instant in which it was: it waits for that, is 409, and does not count."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        parts = buyer("acme", fleet.base_url), campaign()
        await house.apply(market('{ leads = 1, per = "total" }', *parts))
        await house.open(**UNHURRIED)
        quote = await house.post(person(1), path="/v1/pings")
        path = f"/v1/pings/{quote.body['ping_id']}/post"
        async with house.connection() as other, other.transaction():
            await other.execute(VOID)
            posting = asyncio.ensure_future(house.post(person(1), path=path))

            async def is_held():
                return bool((await house.workers[0]._state.market.standing(WHOSE)).holds)

            await until(is_held)
        assert (await posting).status == 409
        await settled(house)
        assert set((await used(house, "leads")).values()) <= {0}
        assert (await compared(house))["differences"] == []
        assert (await house.post(person(2))).body["status"] == "sold"


async def test_what_a_broken_post_left_held_is_free_once_its_quote_has_expired(house, monkeypatch):
    """Until then it is kept for the quote; then it is made sure that nobody posts it any more."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.05)
    monkeypatch.setattr(quoted_room, "SLACK_US", 100_000)
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        parts = buyer("acme", fleet.base_url), campaign(lines="quote_ttl_s = 1")
        await house.apply(market('{ leads = 1, per = "total" }', *parts))
        await house.open(hold_lease_s=0, **UNHURRIED)
        quote = await house.post(person(1), path="/v1/pings")
        lead_id = str((await house.fetch("SELECT lead_id FROM quote"))[0]["lead_id"])
        await left_held(house, lead_id)
        await settled(house)
        late = await house.post(person(1), path=f"/v1/pings/{quote.body['ping_id']}/post")
        assert late.status == 410
        assert (await house.post(person(2))).body["status"] == "sold"
        kinds = await house.fetch("SELECT kind FROM moment WHERE lead_id = $1", lead_id)
        assert [row["kind"] for row in kinds] == ["quote", "void"]
