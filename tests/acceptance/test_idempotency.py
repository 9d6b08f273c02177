"""A post with an Idempotency-Key is safe to repeat: one runs, and all hear its answer."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from bidders.fleet import Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, House, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_outages import repeated

KEY = {"Idempotency-Key": "order 66"}
PING = {name: ANN[name] for name in ("zip", "currently_insured")}


def acme(*faults: PostFault) -> Fleet:
    """Return a fleet of one buyer that bids 12.00 and does this wrong with every first post."""
    return Fleet(bidding({"acme": "12.00"}, post_faults=dict.fromkeys(faults, 1.0)))


async def opened(house: House, fleet: Fleet, *, post_ms: int = 2000, lines: str = "") -> None:
    into = campaign(lines=lines, sellers='"fastquotes", "other"')
    await house.apply(market(buyer("acme", fleet.base_url, post_ms=post_ms), into))
    await house.open()


def said(answer) -> dict:
    """Return an answer but for the time that its seller waited."""
    assert answer.status == 200, answer.body
    return {name: value for name, value in answer.body.items() if name != "duration_ms"}


async def leads(house: House) -> int:
    return (await house.written())["lead"]


async def test_the_same_post_again_hears_the_same_answer_and_sells_nothing(house):
    """Whatever the outcome was, it is told again, by any worker; without a key it runs anew."""
    async with acme() as fleet:
        await opened(house, fleet, lines='duplicates = { window_hours = 1 }\nqualify = "age >= 18"')
        await house.open()
        for number, (lead, status) in enumerate(
            (
                (ANN, "sold"),
                (ANN, "duplicate"),
                (person(2, birth_date="2020-01-01"), "rejected"),
                (person(3), "unsold"),
            )
        ):
            headers = {"Idempotency-Key": f"k{number}"}
            min_price = 50 if status == "unsold" else None
            posts = [
                await house.post(lead, headers=headers, base=base, min_price=min_price)
                for base in (0, 0, 1)
            ]
            first, *again = [said(answer) for answer in posts]
            assert first["status"] == status
            assert again == [first, first]
        assert await leads(house) == 4
        assert len(fleet.books["acme"].accepted()) == 1
        assert said(await house.post())["status"] == "duplicate"
        assert await leads(house) == 5


async def test_of_many_at_once_one_runs_and_all_hear_its_answer(house):
    """Simultaneous posts of one key to two workers: one lead, one sale, one answer."""
    async with acme() as fleet:
        await opened(house, fleet)
        await house.open()
        for number in range(3):
            headers = {"Idempotency-Key": f"k{number}"}
            posts = (house.post(headers=headers, base=turn % 2) for turn in range(6))
            first, *others = [said(answer) for answer in await asyncio.gather(*posts)]
            assert first["status"] == "sold"
            assert others == [first] * 5
        assert await leads(house) == 3
        assert fleet.books["acme"].pings == 3


async def test_another_body_under_the_same_key_is_422(house):
    """The raw body counts, not what it means; a charset said the one time only does not."""
    async with acme() as fleet:
        await opened(house, fleet)
        key = await house.key("seller", "fastquotes")
        body = json.dumps({"campaign": "auto-us", "lead": ANN}).encode()

        async def sent(raw: bytes, kind: str = "application/json"):
            headers = {**KEY, "Content-Type": kind}
            return await house.call("POST", "/v1/leads", key=key, data=raw, headers=headers)

        first = await sent(body)
        assert first.body["status"] == "sold"
        another = json.dumps({"campaign": "auto-us", "lead": person(2)}).encode()
        for raw in (another, body + b" "):
            other = await sent(raw)
            assert (other.status, other.body["type"]) == (422, "/problems/key-reused")
        assert said(await sent(body, "application/json; charset=utf-8")) == said(first)
        assert said(await sent(body)) == said(first)
        assert await leads(house) == 1


async def test_a_key_is_its_sellers_own_and_its_doors_own(house):
    """Two sellers, and two paths of one seller, may use the same key for different things."""
    async with acme() as fleet:
        await opened(house, fleet)
        sold = await house.post(headers=KEY)
        others = await house.post(headers=KEY, seller="other")
        ping = await house.post(PING, path="/v1/pings", headers=KEY)
        assert sold.body["lead_id"] != others.body["lead_id"]
        assert others.body["status"] == "sold"
        assert ping.body["status"] == "quoted"
        held = " ".join(await house.market_keys("*once*"))
        assert held.count("once") == 3
        assert "order" not in held


async def test_the_answer_is_brought_up_to_date(house):
    """`pending` the first time, the outcome once there is one."""
    async with acme(PostFault.NEVER) as fleet:
        await opened(house, fleet, post_ms=150)
        first = await house.post(headers=KEY, timeout_ms=300)
        assert first.body["status"] == "pending"
        again = await house.post(headers=KEY, timeout_ms=300)
        assert (said(again)["status"], again.body["lead_id"]) == ("pending", first.body["lead_id"])
        path = f"/v1/leads/{first.body['lead_id']}?wait_s=20"
        await house.call("GET", path, key=await house.key("seller", "fastquotes"))
        later = await house.post(headers=KEY, timeout_ms=300)
        assert (later.body["status"], later.body["price"]) == ("sold", 10.2)
        assert await leads(house) == 1


async def test_a_refused_request_leaves_its_key_free(house):
    """What was 400, 401 or 422 may be mended and sent again under the same key."""
    async with acme() as fleet:
        await opened(house, fleet)
        key = await house.key("seller", "fastquotes")
        for wrong in ({"campaign": "nowhere"}, {"min_price": "4"}):
            assert (await house.post(headers=KEY, **wrong)).status == 422
        for sent, status in (({"key": key, "data": b"{"}, 400), ({"json": {}}, 401)):
            headers = {**KEY, "Content-Type": "application/json"}
            answer = await house.call("POST", "/v1/leads", headers=headers, **sent)
            assert answer.status == status
        assert (await house.post(headers=KEY)).body["status"] == "sold"


async def test_a_key_that_is_none_is_400(house):
    """Empty, longer than 255, or with characters that nobody sees."""
    await house.apply(market(campaign()))
    await house.open()
    for text in ("", "x" * 256, "ta\tb", "gr\u00fc\u00df\u0085"):
        answer = await house.post(headers={"Idempotency-Key": text})
        assert (answer.status, answer.body["type"]) == (400, "/problems/unreadable")
    assert await leads(house) == 0


async def test_a_ping_and_the_post_of_its_quote_may_be_repeated_too(house):
    """The same token again; the same sale again and no 409; another key is another post: 409."""
    async with acme() as fleet:
        await opened(house, fleet, lines="quote_ttl_s = 1")
        first, again = [await house.post(PING, path="/v1/pings", headers=KEY) for _ in range(2)]
        assert said(again) == said(first)
        assert fleet.books["acme"].pings == 1
        path = f"/v1/pings/{first.body['ping_id']}/post"
        posts = [await house.post(path=path, headers=KEY) for _ in range(2)]
        assert said(posts[0])["status"] == "sold"
        assert said(posts[1]) == said(posts[0])
        assert (await house.post(path=path)).status == 409
        other_key = await house.post(path=path, headers={"Idempotency-Key": "other"})
        assert other_key.status == 409
        gone = {"Idempotency-Key": "late"}
        await until(lambda: is_gone(house, path, gone))
        assert said(await house.post(path=path, headers=KEY)) == said(posts[0])
        assert await leads(house) == 1


async def is_gone(house: House, path: str, headers: dict[str, str]) -> bool:
    return (await house.post(path=path, headers=headers)).status == 410


async def test_whoever_hung_up_hears_the_outcome_with_the_same_key(house):
    """A lead is sold whether or not its seller stays on the line."""
    async with acme(PostFault.LATE) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults={PostFault.LATE: 1}, late_ms=300.0)[0])
        await opened(house, fleet)
        hanging_up = asyncio.ensure_future(house.post(headers=KEY))
        await fleet.received("acme", posts=1)
        hanging_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging_up
        again = await house.post(headers=KEY)
        assert said(again)["status"] == "sold"
        assert (fleet.books["acme"].pings, fleet.books["acme"].posts) == (1, 1)
        assert await leads(house) == 1


async def test_an_answer_outlives_its_worker(house):
    """After a kill and a restart the same post hears the same answer."""
    async with acme() as fleet:
        into = market(buyer("acme", fleet.base_url, ping_ms=800), campaign())
        await house.apply(into)
        await house.key("seller", "fastquotes")
        process = await house.start()
        first = await house.post(headers=KEY)
        assert said(first)["status"] == "sold"
        await process.kill()
        with pytest.raises(aiohttp.ClientError):
            await house.post(headers=KEY)
        await house.open()
        assert said(await house.post(headers=KEY, base=1)) == said(first)
        assert (fleet.books["acme"].pings, await leads(house)) == (1, 1)


async def test_a_post_cut_off_by_a_crash_is_409_until_it_is_recovered(house):
    """Nobody sells it a second time meanwhile; then its outcome is told, and it was one sale."""
    async with acme(PostFault.NEVER) as fleet:
        await house.apply(
            market(buyer("acme", fleet.base_url, ping_ms=800, post_ms=60_000), campaign())
        )
        await house.key("seller", "fastquotes")
        process = await house.start(worker_lease_s=1.0)
        cut_off = asyncio.ensure_future(house.post(headers=KEY, timeout_ms=900))
        await posted(fleet, cut_off)
        await process.kill()
        with pytest.raises(aiohttp.ClientError):
            await cut_off
        await house.open(worker_lease_s=1.0)
        fleet.change(bidding({"acme": "12.00"})[0])
        answer = await house.post(headers=KEY, timeout_ms=900, base=1)
        assert answer.status == 409
        while answer.status == 409:
            assert answer.headers["Retry-After"]
            answer = await house.post(headers=KEY, timeout_ms=900, base=1)
        assert (said(answer)["status"], answer.body["price"]) == ("sold", 10.2)
        assert len(fleet.books["acme"].accepted()) == 1
        assert (fleet.books["acme"].pings, await leads(house)) == (1, 1)


async def test_whoever_waits_when_a_crash_cuts_the_first_off_hears_of_it_soon(house):
    """On another worker, a minute before its own deadline: 409, and later the outcome."""
    async with acme(PostFault.MUTE) as fleet:
        into = campaign(lines="answer_deadline_ms = 60000")
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=800, post_ms=60_000), into))
        await house.key("seller", "fastquotes")
        await house.open(worker_lease_s=1.0)
        process = await house.start(worker_lease_s=1.0)
        cut_off = asyncio.ensure_future(house.post(headers=KEY, base=1))
        await posted(fleet, cut_off)
        waiting = asyncio.ensure_future(house.post(headers=KEY, base=0))
        await until(lambda: is_awaited(house))
        await process.kill()
        with pytest.raises(aiohttp.ClientError):
            await cut_off
        for answer in (await asyncio.wait_for(waiting, 15), await house.post(headers=KEY)):
            assert (answer.status, answer.body["type"]) == (409, "/problems/under-way")
            assert answer.headers["Retry-After"]
        (sale_id,) = fleet.books["acme"].sales
        key = await house.key("buyer", "acme")
        said_yes = {"path": f"/v1/sales/{sale_id}/confirm", "json": {"accepted": True}}
        confirmed = await house.call("POST", key=key, **said_yes)
        assert (confirmed.status, confirmed.body["state"]) == (200, "accepted")
        answer = await repeated(house, ANN, KEY)  # the sale has its end, its lead a moment later
        assert (said(answer)["status"], answer.body["price"]) == ("sold", 10.2)
        assert (fleet.books["acme"].pings, await leads(house)) == (1, 1)


async def is_awaited(house: House) -> bool:
    """Tell whether somebody waits for the first request of the one key."""
    (record,) = await house.market_keys("*once*")
    async with house.market() as market:
        return bool(await market.hget(record, "awaited"))


async def posted(fleet: Fleet, request: "asyncio.Future[Any]") -> None:
    """Return once the buyer has the post of this request, which hears nothing before."""
    received = asyncio.ensure_future(fleet.received("acme", posts=1))
    await asyncio.wait({received, request}, return_when=asyncio.FIRST_COMPLETED)
    assert received.done(), request.result()
