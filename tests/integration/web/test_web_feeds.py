"""A feed over HTTP: every row has its own answer, and no row holds up another."""

import asyncio
import gzip
import io
import json
import zlib

import msgspec
import pytest

from exchange.ledger.errors import LedgerUnavailable
from exchange.market.link import Link
from exchange.market.once import Once
from tests.making_intake import PERSON, REST
from tests.making_web import LIMITS, an_edge

NDJSON = "application/x-ndjson"


@pytest.fixture
async def once(market_url):
    async with Link(market_url, timeout_s=2) as link:
        yield Once(link, worker="w1", kept_s=60)


@pytest.fixture
async def edge(once):
    async with an_edge(once=once) as running:
        yield running


def row(number, **changes):
    lead = {**PERSON, **REST, "phone": f"512555{number:04d}", **changes.pop("lead", {})}
    return {"campaign": "auto-us", "lead": lead, **changes}


def ndjson(*rows):
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in rows)


async def feed(edge, body, kind=NDJSON, query="", headers=None, **options):
    """Send a feed; return the status and the lines of the answer, or its problem."""
    sent = {"Content-Type": kind, **(headers or {})}
    path = f"/v1/feeds{query}"
    async with edge.call("POST", path, data=body, headers=sent, **options) as response:
        raw = await response.read()
        if response.content_type == NDJSON:
            return response.status, [json.loads(line) for line in raw.splitlines()]
        return response.status, json.loads(raw) if "json" in response.content_type else raw.decode()


def by_row(lines):
    return {line["row"]: line for line in lines[:-1]}


async def test_every_row_is_answered_and_a_bad_one_holds_up_no_other(edge):
    """Broken JSON, bad fields and a foreign campaign are problems of their own rows."""
    body = ndjson(
        row(1), b'{"campaign":', row(2, lead={"phone": "5"}), row(3, campaign="theirs"), row(4)
    )
    status, lines = await feed(edge, body)
    assert status == 200
    rows = by_row(lines)
    assert sorted(rows) == [1, 2, 3, 4, 5]
    assert rows[1]["answer"]["status"] == rows[5]["answer"]["status"] == "sold"
    assert rows[2]["problem"]["status"] == 400
    assert [e["field"] for e in rows[3]["problem"]["errors"]] == ["lead.phone"]
    assert [e["code"] for e in rows[4]["problem"]["errors"]] == ["unknown_campaign"]
    totals = dict(rows=5, sold=2, unsold=0, duplicate=0, rejected=0, pending=0, failed=3)  # noqa: C408
    assert lines[-1] == {"totals": totals, "complete": True}
    assert len(edge.script.rejected) == 2


async def test_csv_is_the_same_lead_and_its_answer_may_be_csv(edge):
    lead = {name: str(value) for name, value in {**PERSON, **REST}.items()}
    header = ["campaign", "seller_ref", *lead, "consent.tcpa", "tracking.utm_source"]
    cells = ["auto-us", "A-1", *lead.values(), "yes", "google"]
    body = "\n".join(";".join(line) for line in (header, cells, ["auto-us"])).encode()
    status, text = await feed(edge, body, "text/csv", headers={"Accept": "text/csv"})
    assert status == 200
    lines = text.split("\r\n")
    assert lines[0].startswith("row,line,seller_ref,status,lead_id,price,")
    told = {cells[0]: tuple(cells[2:4]) for cells in (line.split(",") for line in lines[1:-1])}
    assert told == {"1": ("A-1", "sold"), "2": ("", "failed"), "end": ("", "complete")}
    (json_status, json_lines) = await feed(
        edge,
        ndjson(
            {
                "campaign": "auto-us",
                "lead": {**PERSON, **REST},
                "consent": {"tcpa": True},
                "tracking": {"utm_source": "google"},
            }
        ),
    )
    assert (json_status, json_lines[-1]["totals"]["sold"]) == (200, 1)
    by_csv, by_json = (submission for submission, _ in edge.script.sold)
    assert msgspec.to_builtins(by_csv.person) == msgspec.to_builtins(by_json.person)
    assert by_csv.lead.fields == by_json.lead.fields


async def test_what_rows_do_not_say_the_address_says(edge):
    body = ndjson({"lead": row(1)["lead"]}, row(2, source="own", test=False))
    status, lines = await feed(edge, body, query="?campaign=auto-us&source=partner&test=true")
    assert (status, lines[-1]["totals"]["sold"]) == (200, 2)
    leads = [submission.lead for submission, _ in edge.script.sold]
    assert {(lead.source.id, lead.test) for lead in leads} == {("partner", True), ("own", False)}


async def test_the_same_feed_again_hears_the_same_answers_and_sells_nothing(edge):
    """Wherever its rows stand, and whether they are posted by feed or one by one."""
    first = by_row((await feed(edge, ndjson(row(1), row(2, seller_ref="A-2"))))[1])
    again = by_row((await feed(edge, ndjson(row(9), row(2, seller_ref="A-2"), row(1))))[1])
    assert again[3]["answer"]["lead_id"] == first[1]["answer"]["lead_id"]
    assert again[2]["answer"]["lead_id"] == first[2]["answer"]["lead_id"]
    assert len(edge.script.sold) == 3
    changed = by_row((await feed(edge, ndjson(row(5, seller_ref="A-2"))))[1])
    assert changed[1]["problem"]["type"] == "/problems/key-reused"
    other = await feed(edge, ndjson(row(1)), headers={"Idempotency-Key": "tuesday"})
    assert by_row(other[1])[1]["answer"]["lead_id"] != first[1]["answer"]["lead_id"]


async def test_rows_are_sold_some_at_a_time_and_answered_as_they_end(edge):
    """No more is begun than asked for; the first answer comes before the last row was sent."""
    edge.script.go_on.clear()
    more = asyncio.Event()

    async def body():
        yield ndjson(*(row(number) for number in range(6)))
        await more.wait()
        yield ndjson(row(7))

    sent = {"Content-Type": NDJSON}
    async with edge.call("POST", "/v1/feeds?at_once=2", data=body(), headers=sent) as response:
        await edge.script.begun.wait()
        await settled(edge, 2)
        edge.script.go_on.set()
        lines = [json.loads(await response.content.readline()) for _ in range(6)]
        assert sorted(line["row"] for line in lines) == [1, 2, 3, 4, 5, 6]
        more.set()
        rest = [json.loads(line) for line in (await response.read()).splitlines()]
    assert [line.get("row") for line in rest] == [7, None]
    assert rest[-1]["totals"]["sold"] == 7


async def settled(edge, count):
    """Return once so many leads are being sold, and nothing else wants to happen."""
    async with asyncio.timeout(10):
        while edge.doors.under_way.count < count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    assert edge.doors.under_way.count == count


async def test_a_sender_that_hangs_up_leaves_what_was_begun_to_its_end(edge):
    """Rows under way are sold to their end; the others are not begun."""
    edge.script.go_on.clear()
    _, writer = await edge.raw()
    body = ndjson(*(row(number) for number in range(8)))
    writer.write(
        b"POST /v1/feeds?at_once=3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer seller-key\r\n"
        b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n" % (len(body), body)
    )
    await settled(edge, 3)
    writer.transport.abort()
    await gone(edge)
    edge.script.go_on.set()
    async with asyncio.timeout(10):
        while edge.doors.under_way.count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert len(edge.script.sold) == 3
    assert len(edge.script.standings) == 3
    status, lines = await feed(edge, body)
    assert (status, lines[-1]["totals"]["sold"]) == (200, 8)
    assert len(edge.script.sold) == 8


async def gone(edge):
    """Return once the server has seen all its connections close."""
    async with asyncio.timeout(10):
        while any(c.transport for c in edge.server.runner.server.connections):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_a_row_that_meets_an_outage_is_tried_again(edge):
    """A store that is back within the time costs no row; afterwards the line says 503."""
    edge.script.error = LedgerUnavailable()
    task = asyncio.ensure_future(feed(edge, ndjson(row(1))))
    await edge.script.begun.wait()
    edge.script.error = None
    status, lines = await task
    assert (status, lines[-1]["totals"]["sold"]) == (200, 1)
    edge.script.error = LedgerUnavailable()
    status, lines = await feed(edge, ndjson(row(2)))
    assert by_row(lines)[1]["problem"]["status"] == 503


async def test_overload_holds_rows_back_and_loses_none(once):
    lag = {"ms": 0.0}
    async with an_edge(once=once, lag_ms=lambda: lag["ms"]) as edge:
        more = asyncio.Event()

        async def body():
            yield ndjson(row(1))
            await more.wait()
            yield ndjson(row(2))

        sent = {"Content-Type": NDJSON}
        async with edge.call("POST", "/v1/feeds", data=body(), headers=sent) as response:
            first = json.loads(await response.content.readline())
            lag["ms"] = 5000.0
            more.set()
            asyncio.get_running_loop().call_later(0.3, lag.update, {"ms": 0.0})
            second = json.loads(await response.content.readline())
    assert [line["answer"]["status"] for line in (first, second)] == ["sold", "sold"]


async def test_a_failure_of_ours_is_one_rows_own(edge, log_lines):
    edge.script.error = ZeroDivisionError("secret")
    status, lines = await feed(edge, ndjson(row(1)))
    assert (status, by_row(lines)[1]["problem"]["status"]) == (200, 500)
    assert "5550001" not in json.dumps(log_lines())


async def test_a_worker_that_closes_tells_which_rows_ended_and_that_it_was_not_all(edge):
    edge.script.go_on.clear()
    more = asyncio.Event()

    async def body():
        yield ndjson(row(1))
        await more.wait()

    sent = {"Content-Type": NDJSON}
    async with edge.call("POST", "/v1/feeds", data=body(), headers=sent) as response:
        await edge.script.begun.wait()
        stopping = asyncio.ensure_future(edge.server.stop())
        await edge.doors.under_way.closing.wait()
        edge.script.go_on.set()
        lines = [json.loads(line) for line in (await response.read()).splitlines()]
        more.set()
        await stopping
    assert lines[0]["answer"]["status"] == "sold"
    assert (lines[1]["complete"], lines[1]["problem"]["type"]) == (False, "/problems/closing")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_feed_may_be_packed(edge, coding):
    body = ndjson(*(row(number) for number in range(30)))
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    status, lines = await feed(edge, packed, headers={"Content-Encoding": coding})
    assert (status, lines[-1]["totals"]["sold"]) == (200, 30)
    _, cut = await feed(edge, packed[:-20], headers={"Content-Encoding": coding})
    assert (cut[-1]["complete"], cut[-1]["problem"]["status"]) == (False, 400)


async def test_a_bomb_goes_off_only_up_to_the_limit(edge):
    status, lines = await feed(
        edge, gzip.compress(b"\n" * 2_000_000), headers={"Content-Encoding": "gzip"}
    )
    assert (status, lines["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"key": None}, 401),
        ({"key": "buyer-key"}, 403),
        ({"body": io.BytesIO(b"x" * 1_048_577)}, 413),
        ({"kind": "application/json"}, 415),
        ({"headers": {"Content-Encoding": "br"}}, 415),
        ({"kind": "text/csv", "body": b""}, 400),
        ({"kind": "text/csv", "body": b"a,a\n1,2\n"}, 400),
        ({"headers": {"Idempotency-Key": "x" * 300}}, 400),
        ({"query": "?campain=auto-us"}, 422),
        ({"query": "?test=perhaps"}, 422),
        ({"query": "?rows_per_s=0"}, 422),
        ({"query": "?rows_per_s=1e9"}, 422),
        ({"query": "?at_once=99"}, 422),
        ({"query": "?at_once=1.5"}, 422),
        ({"query": "?delimiter=tab"}, 422),
    ],
)
async def test_a_feed_that_cannot_be_taken_is_one_problem(edge, changes, status):
    """Before anything is sold: the status says it, as with any request."""
    body = changes.pop("body", ndjson(row(1)))
    got, problem = await feed(edge, body, changes.pop("kind", NDJSON), **changes)
    assert (got, problem["status"]) == (status, status)
    assert edge.script.sold == []


async def test_no_more_rows_are_taken_than_a_feed_may_have(once):
    """Those before are sold and answered, and the last line says where it stopped."""
    limits = msgspec.structs.replace(LIMITS, feed_rows_max=2)
    async with an_edge(once=once, limits=limits) as edge:
        _, lines = await feed(edge, ndjson(row(1), row(2), row(3)))
    assert sorted(by_row(lines)) == [1, 2]
    assert (lines[-1]["complete"], lines[-1]["problem"]["status"]) == (False, 413)


async def test_no_more_feeds_are_taken_in_than_there_may_be(once):
    limits = msgspec.structs.replace(LIMITS, feeds_at_once_max=1)
    async with an_edge(once=once, limits=limits) as edge:
        edge.script.go_on.clear()
        first = asyncio.ensure_future(feed(edge, ndjson(row(1))))
        await edge.script.begun.wait()
        status, problem = await feed(edge, ndjson(row(2)))
        assert (status, problem["type"]) == (503, "/problems/overloaded")
        edge.script.go_on.set()
        assert (await first)[0] == 200
        assert (await feed(edge, ndjson(row(2))))[0] == 200


async def test_one_seller_leaves_places_to_others_however_slow_its_feeds_are(once):
    """Feeds that say nothing cost their seller a place, and nobody else."""
    limits = msgspec.structs.replace(LIMITS, feeds_at_once_max=3)
    async with an_edge(once=once, limits=limits) as edge:
        writers = []
        for _ in range(2):
            reader, writer = await edge.raw()
            writers.append(writer)
            writer.write(
                b"POST /v1/feeds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer seller-key\r\n"
                b"Content-Type: application/x-ndjson\r\nContent-Length: 900\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            await reader.readuntil(b"100 Continue\r\n\r\n")  # it has its place
        status, problem = await feed(edge, ndjson(row(1)))
        assert (status, problem["detail"]) == (503, "2 feeds of yours are taken in here already")
        assert (await feed(edge, ndjson(row(1)), key="stranger-key"))[0] == 200
        for writer in writers:
            writer.close()


async def test_who_reads_only_after_sending_everything_is_served(edge):
    """As many HTTP libraries do: the answers wait for them."""
    body = ndjson(*(row(number % 10) for number in range(900)))
    reader, writer = await edge.raw()
    writer.write(
        b"POST /v1/feeds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer seller-key\r\n"
        b"Content-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    writer.write(body)
    await writer.drain()
    answer = await reader.read()
    assert answer.count(b'{"row":') == 900
    assert b'"rows":900' in answer
    writer.close()


async def test_who_reads_nothing_is_let_go(once):
    """Once more waits than may, and for long enough; no row is begun after that."""
    limits = msgspec.structs.replace(LIMITS, feed_idle_s=0.3, feed_unread_max_bytes=2000)
    async with an_edge(once=once, limits=limits) as edge:
        reader, writer = await edge.raw()
        reader._limit = 1000  # so that it stops reading soon
        writer.write(
            b"POST /v1/feeds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer seller-key\r\n"
            b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        body = ndjson(*([b"x"] * 500))

        async def flood():
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(body), body))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await flood()
        await gone(edge)
