"""An Idempotency-Key over HTTP, kept in a real Valkey: one runs, all others hear its answer."""

import asyncio
import hmac
import json
import time
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from exchange.ledger.errors import LedgerUnavailable
from exchange.market.link import Link
from exchange.market.once import Once, OnceKey
from exchange.web.idempotency import body_digest
from tests.making import NOW_US
from tests.making_intake import FORM, a_body, a_quote, urlencoded
from tests.making_web import SELLER_KEY, a_standing, an_answer, an_edge

KEY = {"Idempotency-Key": "order-1"}
BRIEF = a_body(timeout_ms=50)
"""A lead whose seller waits 50 ms."""


@asynccontextmanager
async def once_of(market_url, worker):
    link = Link(market_url, timeout_s=2)
    once = Once(link, worker=worker, kept_s=60)
    async with link:
        yield once


@pytest.fixture
async def edge(market_url):
    async with once_of(market_url, "w1") as once, an_edge(once=once) as running:
        yield running


def raw(body):
    return json.dumps(body).encode()


def digest_of(body):
    return body_digest("application/json", raw(body), b"s" * 32)


def key_of(text="order-1", path="/v1/leads"):
    told = f"fastquotes\0{path}\0{text}".encode()
    return OnceKey("seller:fastquotes", hmac.digest(b"s" * 32, told, "sha256"))


async def test_a_repeated_post_hears_the_first_answer(edge):
    """Same key, same body: one sale, and the same lead with its status as it is now."""
    edge.script.standings = Later()
    _, _, first = await edge.post(headers=KEY)
    assert first["status"] == "sold"
    status, _, second = await edge.post(headers=KEY)
    assert (status, second["lead_id"], second["status"]) == (200, first["lead_id"], "unsold")
    assert len(edge.script.sold) == 1


class Later(dict):
    """Standings that have moved on since they were made."""

    def get(self, lead_id, default=None):
        if lead_id not in self:
            return default
        return a_standing(lead_id, answer=an_answer(lead_id, status="unsold", price=None))


async def test_posts_at_once_with_one_key_are_one_sale(edge):
    """However many come at once, one story runs and all hear its lead."""
    edge.script.go_on.clear()
    posts = [asyncio.create_task(edge.post(headers=KEY)) for _ in range(20)]
    await edge.script.begun.wait()
    assert edge.doors.under_way.count <= 20
    edge.script.go_on.set()
    answers = await asyncio.gather(*posts)
    assert {status for status, _, _ in answers} == {200}
    assert len({answer["lead_id"] for _, _, answer in answers}) == 1
    assert len(edge.script.sold) == 1


async def test_one_key_two_bodies_is_422(edge):
    """Another body, or the same bytes under another content type, is another request."""
    assert (await edge.post(headers=KEY))[0] == 200
    status, _, problem = await edge.post(body=a_body(seller_ref="B"), headers=KEY)
    assert (status, problem["type"]) == (422, "/problems/key-reused")
    assert "another key for another lead" in problem["detail"]
    form = {"Content-Type": FORM, **KEY}
    status, _, problem = await edge.post(body=urlencoded(a_body()), headers=form)
    assert (status, problem["type"]) == (422, "/problems/key-reused")
    assert len(edge.script.sold) == 1


async def test_a_repetition_is_answered_in_the_format_that_it_asks_for(edge):
    """What is kept has no format: the first may be told in JSON, the second in XML."""
    for path in ("/v1/leads", "/v1/pings"):
        _, _, first = await edge.post(path, headers=KEY)
        options = {"data": raw(a_body()), "headers": {**KEY, "Content-Type": "application/json"}}
        options["headers"]["Accept"] = "text/xml"
        async with edge.call("POST", path, **options) as response:
            root = ET.fromstring(await response.read())
        name = "ping_id" if path == "/v1/pings" else "lead_id"
        assert (response.status, root.findtext(name)) == (200, first[name])
    assert (len(edge.script.sold), len(edge.script.quoted)) == (1, 1)


async def test_a_key_of_the_fields_behind_the_question_mark_counts_for_them(edge):
    """The same fields there are one request; others, or a form of the same, are another."""
    query = urlencoded(a_body()).decode()
    ids = []
    for _ in range(2):
        async with edge.call("POST", f"/v1/leads?{query}", headers=KEY) as response:
            ids.append((await response.json())["lead_id"])
    assert ids[0] == ids[1]
    async with edge.call("POST", f"/v1/leads?{query}&x=1", headers=KEY) as response:
        assert response.status == 422
    assert len(edge.script.sold) == 1


async def test_a_key_counts_for_its_account_and_path(edge):
    """The same text on another path is another key."""
    assert (await edge.post(headers=KEY))[0] == 200
    assert (await edge.post("/v1/pings", headers=KEY))[0] == 200
    assert (len(edge.script.sold), len(edge.script.quoted)) == (1, 1)


async def test_a_key_of_one_worker_holds_on_all(edge, market_url):
    """A repetition that reaches another worker waits there for the same answer."""
    async with once_of(market_url, "w2") as once, an_edge(once=once, worker_id="w2") as other:
        other.script.standings = edge.script.standings
        edge.script.go_on.clear()
        first = asyncio.create_task(edge.post(headers=KEY))
        await edge.script.begun.wait()
        second = asyncio.create_task(other.post(headers=KEY))
        edge.script.go_on.set()
        (_, _, one), (status, _, two) = await asyncio.gather(first, second)
        assert (status, two["lead_id"]) == (200, one["lead_id"])
        assert not other.script.sold


async def test_who_waited_long_enough_hears_409(edge):
    """At the answer deadline: 409 and when to come again; then the first one's answer."""
    edge.script.go_on.clear()
    first = asyncio.create_task(edge.post(body=BRIEF, headers=KEY))
    await edge.script.begun.wait()
    (sold,) = edge.script.sold
    lead_id = sold[0].lead.lead_id
    pending = an_answer(lead_id, status="pending", price=None, sales=())
    edge.script.standings[lead_id] = a_standing(lead_id, answer=pending, is_open=True)
    status, headers, problem = await edge.post(body=BRIEF, headers=KEY)
    assert (status, problem["type"]) == (409, "/problems/under-way")
    assert headers["Retry-After"] == "1"
    del edge.script.standings[lead_id]
    edge.script.go_on.set()
    assert (await first)[0] == 200
    assert (await edge.post(body=BRIEF, headers=KEY))[2]["lead_id"] == lead_id
    assert len(edge.script.sold) == 1


async def test_answers_that_are_not_kept_free_their_key(edge):
    """After a 422 or a 503 of which nothing was written, the same key runs again."""
    assert (await edge.post(body=a_body(campaign="nobody"), headers=KEY))[0] == 422
    edge.script.error = LedgerUnavailable()
    assert (await edge.post(headers=KEY))[0] == 503
    edge.script.error = None
    assert (await edge.post(headers=KEY))[0] == 200
    assert edge.script.abandoned == [edge.script.sold[0][0].lead.lead_id]
    assert len(edge.script.sold) == 2


async def test_a_sale_that_broke_off_is_not_run_again(edge):
    """Once something is written, its key answers 409 until the lead has an end, then with it."""
    edge.script.go_on.clear()
    first = asyncio.create_task(edge.post(headers=KEY))
    await edge.script.begun.wait()
    lead_id = edge.script.sold[0][0].lead.lead_id
    pending = an_answer(lead_id, status="pending", price=None, sales=())
    edge.script.standings[lead_id] = a_standing(lead_id, answer=pending, is_open=True)
    edge.script.error = LedgerUnavailable()
    edge.script.go_on.set()
    assert (await first)[0] == 503
    edge.script.error = None
    assert (await edge.post(headers=KEY))[0] == 409
    edge.script.standings[lead_id] = a_standing(lead_id)
    status, _, answer = await edge.post(headers=KEY)
    assert (status, answer["lead_id"], answer["status"]) == (200, lead_id, "sold")
    assert len(edge.script.sold) == 1


LOST = "019a0000-0000-7000-8000-00000000dead"


async def test_a_lead_of_a_dead_worker_answers_with_its_outcome(edge, market_url):
    """What another worker began and recovery ended is answered from the ledger, at once."""
    async with once_of(market_url, "dead") as once:
        await once.begin(key_of(), digest_of(a_body()), LOST)
    edge.script.standings[LOST] = a_standing(LOST)
    status, _, answer = await edge.post(headers=KEY)
    assert (status, answer["lead_id"]) == (200, LOST)
    assert not edge.script.sold


async def test_a_lead_that_never_came_is_run_anew(edge, market_url):
    """What a dead worker began and never wrote is made impossible, then sold by the next post.

    Whoever waited for it has no time left: a sale in no time would ask nobody.
    """
    async with once_of(market_url, "dead") as once:
        await once.begin(key_of(), digest_of(BRIEF), LOST)
    status, headers, _ = await edge.post(body=BRIEF, headers=KEY)
    assert (status, edge.script.abandoned) == (409, [LOST])
    assert "Retry-After" in headers
    assert not edge.script.sold
    status, _, answer = await edge.post(body=BRIEF, headers=KEY)
    assert status == 200
    assert answer["lead_id"] != LOST
    assert len(edge.script.sold) == 1


async def test_a_repeated_ping_gets_the_same_quote(edge):
    """A ping's answer is kept whole: the same token again, byte by byte."""
    _, _, first = await edge.post("/v1/pings", headers=KEY)
    _, _, second = await edge.post("/v1/pings", headers=KEY)
    assert first == second
    assert len(edge.script.quoted) == 1


async def test_posts_of_one_quote_with_one_key_are_one_post(edge):
    """Repetitions at once wait for the first; one that comes after the quote expired hears it."""
    token = edge.doors.tokens.seal(a_quote())
    edge.script.go_on.clear()
    path = f"/v1/pings/{token}/post"
    posts = [asyncio.create_task(edge.post(path, headers=KEY)) for _ in range(5)]
    await edge.script.begun.wait()
    edge.script.go_on.set()
    answers = await asyncio.gather(*posts)
    assert [status for status, _, _ in answers] == [200] * 5
    assert len(edge.script.posted) == 1
    status, _, problem = await edge.post(path, headers={"Idempotency-Key": "order-2"})
    assert (status, problem["type"]) == (409, "/problems/conflict")


async def test_a_repetition_outlives_its_quote(market_url):
    """A post that was in time is answered again though its quote has expired since."""
    async with once_of(market_url, "w1") as once, an_edge(once=once) as edge:
        quote = a_quote(expires_at_us=NOW_US - 1)
        token = edge.doors.tokens.seal(quote)
        path = f"/v1/pings/{token}/post"
        assert (await edge.post(path, headers=KEY))[0] == 410
        edge.script.standings[quote.lead_id] = a_standing(quote.lead_id)
        async with once_of(market_url, "dead") as dead:
            await dead.begin(key_of(path=path), digest_of(a_body()), LOST)
            await dead.finish(key_of(path=path), LOST)
        status, _, answer = await edge.post(path, headers=KEY)
        assert (status, answer["lead_id"]) == (200, quote.lead_id)


async def test_a_seller_that_hung_up_finds_its_lead(edge):
    """The lead of a seller that hung up is the answer to its repetition."""
    edge.script.go_on.clear()
    body = raw(a_body())
    _, writer = await edge.raw()
    writer.write(
        b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"X-API-Key: %s\r\nIdempotency-Key: order-1\r\nContent-Length: %d\r\n\r\n%s"
        % (SELLER_KEY.encode(), len(body), body)
    )
    await edge.script.begun.wait()
    writer.transport.abort()
    again = asyncio.create_task(edge.post(headers=KEY))
    edge.script.go_on.set()
    status, _, answer = await again
    assert (status, answer["lead_id"]) == (200, edge.script.sold[0][0].lead.lead_id)
    assert len(edge.script.sold) == 1


@pytest.mark.parametrize("text", ["", "x" * 256, "caf\xe9\x85"])
async def test_a_key_that_cannot_be_is_400(edge, text):
    """An Idempotency-Key has 1 to 255 printable characters."""
    status, _, problem = await edge.post(headers={"Idempotency-Key": text})
    assert (status, problem["type"]) == (400, "/problems/unreadable")


async def test_where_keys_cannot_be_looked_up_nothing_is_sold(tmp_path):
    """Without market state a post with a key is 503 within a second; one without is sold."""
    nobody = f"unix://{tmp_path}/nobody.sock?db=1"
    async with once_of(nobody, "w1") as once, an_edge(once=once) as edge:
        began = time.monotonic()
        status, headers, problem = await edge.post(headers=KEY)
        assert time.monotonic() - began < 1
        assert (status, headers["Retry-After"]) == (503, "1")
        assert problem["type"] == "/problems/unavailable"
        assert not edge.script.sold
        assert (await edge.post())[0] == 200
