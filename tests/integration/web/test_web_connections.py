"""What happens on a connection: slow, broken, foreign or closing."""

import asyncio
import gzip
import json
import re
import time

import msgspec

from tests.making_intake import a_body
from tests.making_web import LIMITS, SELLER_KEY, an_edge

HEAD = f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nX-API-Key: {SELLER_KEY}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"


async def answer(reader):
    """The next answer on a connection: its status, its head, and the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), head, await reader.readexactly(length)


async def test_a_body_that_does_not_come_is_408(log_lines):
    """Whoever drips a body is told so when its time is over, and the connection closes."""
    limits = msgspec.structs.replace(LIMITS, request_timeout_s=0.1)
    async with an_edge(limits=limits) as edge:
        reader, writer = await edge.raw()
        writer.write(HEAD + JSON + b'Content-Length: 100\r\n\r\n{"campaign":')
        began = time.monotonic()
        status, head, body = await answer(reader)
        assert time.monotonic() - began < 1
        assert (status, json.loads(body)["type"]) == (408, "/problems/slow")
        assert b"connection: close" in head.lower()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert log_lines() == []


async def test_a_body_without_a_length_is_limited_while_it_is_read():
    """A chunked body over the limit is refused at its first byte too many."""
    limits = msgspec.structs.replace(LIMITS, body_max_bytes=1000)
    async with an_edge(limits=limits) as edge:
        reader, writer = await edge.raw()
        writer.write(HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n" + b"1\r\nx\r\n")
        status, _, body = await answer(reader)
        assert (status, json.loads(body)["type"]) == (413, "/problems/too-large")
        writer.close()


async def test_a_compressed_body_is_limited_by_what_comes_out(edge):
    """gzip is undone; a bomb ends at the limit, garbage is a 400, other codings a 415."""
    body = json.dumps(a_body()).encode()
    for raw, coding, wanted in (
        (gzip.compress(body), "gzip", 200),
        (gzip.compress(b" " * 50_000_000), "gzip", 413),
        (b"no gzip at all", "gzip", 400),
        (body, "zstd-of-ours", 415),
    ):
        status, _, _ = await edge.post(body=raw, headers={"Content-Encoding": coding})
        assert status == wanted


async def test_what_is_no_http_is_a_problem_too(edge, log_lines):
    """A request that cannot be parsed hears a problem that quotes nothing, and fills no log."""
    for raw, wanted in (
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"Zyxcanary\r\n\r\n", 400),
        (b"POST /v1/leads HTTP/1.1\r\nContent-Length: Zyxcanary\r\n\r\n", 400),
        (b"GET /" + b"z" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"z" * 20_000 + b"\r\n\r\n", 431),
    ):
        reader, writer = await edge.raw()
        writer.write(raw)
        status, head, body = await answer(reader)
        assert status == wanted
        assert b"application/problem+json" in head
        assert b"Zyxcanary" not in body
        writer.close()
    assert log_lines() == []


async def test_a_client_that_hangs_up_does_not_stop_its_lead():
    """The story runs to its end, and the lead is there, though nobody listens any more."""
    async with an_edge() as edge:
        edge.script.go_on.clear()
        _, writer = await edge.raw()
        body = json.dumps(a_body()).encode()
        writer.write(HEAD + JSON + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await edge.script.begun.wait()
        (story,) = edge.doors.under_way.leads
        writer.transport.abort()
        await asyncio.sleep(0)
        assert edge.doors.under_way.count == 1
        edge.script.go_on.set()
        await story
        assert len(edge.script.standings) == 1
        assert edge.doors.under_way.count == 0


async def test_a_client_that_leaves_its_body_half_sent_leaves_nothing(edge, log_lines):
    """Nobody is answered, nothing is sold, nothing is logged."""
    _, writer = await edge.raw()
    writer.write(HEAD + JSON + b'Content-Length: 100\r\n\r\n{"campaign":')
    await writer.drain()
    writer.transport.abort()
    assert (await edge.post())[0] == 200
    assert len(edge.script.sold) == 1
    assert log_lines() == []


async def test_a_checked_head_is_told_to_continue(edge):
    """`Expect: 100-continue` is answered after the checks on the head, not before."""
    body = json.dumps(a_body()).encode()
    length = b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    reader, writer = await edge.raw()
    writer.write(HEAD + JSON + length)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await answer(reader))[0] == 200
    writer.write(HEAD.replace(SELLER_KEY.encode(), b"wrong") + JSON + length)
    assert (await answer(reader))[0] == 401
    writer.close()
    status, _, problem = await edge.post(headers={"Expect": "miracles"})
    assert (status, problem["type"]) == (417, "/problems/expectation")


async def test_other_methods_and_paths_are_problems(edge):
    """404 and 405 as problems; OPTIONS tells what may be done, HEAD is GET without its body."""
    status, headers, problem = await edge.get("/v2/leads")
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert problem["detail"] == "GET /docs tells what there is"
    status, headers, problem = await edge.get("/v1/leads")
    assert (status, headers["Allow"], problem["type"]) == (405, "POST", "/problems/method")
    async with edge.call("OPTIONS", "/v1/leads/x") as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD")
    async with edge.call("HEAD", "/healthz") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0
    async with edge.call("GET", "/metrics", key=None) as response:
        page = await response.text()
    counted = set(re.findall(r'^exchange_requests_total{route="(.*?)"', page, re.MULTILINE))
    assert counted == {"unknown", "/healthz"}


async def test_a_closing_worker_finishes_its_leads_and_takes_no_new_ones():
    """New connections are refused, old ones hear 503 and close, what is under way is answered."""
    async with an_edge() as edge:
        edge.script.go_on.clear()
        reader, writer = await edge.raw()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer(reader))[0] == 200
        selling = asyncio.create_task(edge.post())
        await edge.script.begun.wait()
        stopping = asyncio.create_task(edge.server.stop())
        await edge.doors.under_way.closing.wait()
        writer.write(HEAD + JSON + b"Content-Length: 2\r\n\r\n{}")
        status, head, body = await answer(reader)
        assert (status, json.loads(body)["type"]) == (503, "/problems/closing")
        assert b"connection: close" in head.lower()
        assert b"retry-after: 1" in head.lower()
        writer.close()
        assert not stopping.done()
        edge.script.go_on.set()
        assert (await selling)[0] == 200
        assert await stopping == 0


async def test_what_is_not_through_after_the_grace_is_cut_off():
    """A story that does not end is cancelled when the grace is over; its seller hears 503."""
    limits = msgspec.structs.replace(LIMITS, shutdown_grace_s=0.05)
    async with an_edge(limits=limits) as edge:
        edge.script.go_on.clear()
        selling = asyncio.create_task(edge.post())
        await edge.script.begun.wait()
        assert await edge.server.stop() == 1
        status, headers, problem = await selling
        assert (status, headers["Retry-After"]) == (503, "1")
        assert problem["type"] == "/problems/closing"
        assert edge.doors.under_way.count == 0
