"""A plain request in one piece is answered without the framework, and nobody can tell.

Whatever is sent here in one piece is sent in two as well, which the framework answers.
"""

import asyncio
import json
import math
import re

import msgspec
import pytest

from exchange.domain.throttle import Throttle
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.once import Done, New
from exchange.web.server import KEEP_ALIVE_S
from exchange.web.valve import Valve
from tests.making_intake import BOUNDARY, a_body
from tests.making_web import LIMITS, SELLER_KEY, an_edge

BODY = json.dumps(a_body()).encode()
CHANGING = re.compile(
    rb"Date: [^\r]*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|log as [0-9a-f]{16}|token-\d+"
)
"""What two answers to one request differ in."""


def request(
    body=BODY,
    path="/v1/leads",
    *,
    method="POST",
    version="1.1",
    key=SELLER_KEY,
    kind="application/json",
    length=None,
    **headers,
):
    lines = [f"{method} {path} HTTP/{version}", "Host: x"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if kind:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answer(reader, *, has_body=True):
    """One answer as it came; empty where the connection ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        return cut.partial
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length and has_body else b"")


async def is_open(reader, writer):
    """Whether the connection goes on after an answer: the next request is answered."""
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        return (await answer(reader)).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


async def told(edge, data, *, pieces):
    """Answer, whether the connection goes on, and how many requests the framework saw."""
    before = edge.server.runner.server.requests_count
    reader, writer = await edge.raw()
    for piece in pieces(data):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)  # so that the pieces arrive apart
    said = await answer(reader, has_body=not data.startswith(b"HEAD"))
    seen = edge.server.runner.server.requests_count - before
    goes_on = await is_open(reader, writer)
    writer.close()
    return CHANGING.sub(b"*", said), goes_on, seen


def whole(data):
    return [data]


def in_two(data):
    return [data[:1], data[1:]]


def of_body(**changes):
    return json.dumps(a_body(**changes)).encode()


FORM = b"campaign=auto-us&source=search&zip=78701"
FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="campaign"\r\n\r\nauto-us\r\n'
    f"--{BOUNDARY}--\r\n"
).encode()
XML = b"<request><campaign>auto-us</campaign><lead><zip>78701</zip></lead></request>"
SMALL = msgspec.structs.replace(LIMITS, body_max_bytes=2000)

SHORT = {
    "a good lead": request(),
    "a good ping": request(path="/v1/pings"),
    "a key in the other header": request(key=None, X_API_Key=SELLER_KEY),
    "a key in the body": request(of_body(api_key=SELLER_KEY), key=None),
    "no key": request(key=None),
    "a bad key": request(key="nobody"),
    "a buyer's key": request(key="buyer-key"),
    "the key of a seller who is gone": request(key="gone-key"),
    "bad JSON": request(b'{"campaign": '),
    "no object": request(b"[]"),
    "no body": request(b""),
    "no content type": request(kind=None),
    "a content type that is not taken": request(kind="text/csv"),
    "another charset": request(kind="application/json; charset=latin-1"),
    "an unknown campaign": request(of_body(campaign="nothing")),
    "bad fields": request(of_body(lead={"zip": "no", "birth_date": 5})),
    "bad fields of a ping": request(of_body(lead={"zip": "no"}), path="/v1/pings"),
    "errors with status 200": request(b"{", key="soft-key"),
    "a form": request(FORM, kind=FORM_TYPE),
    "a multipart form": request(MULTIPART, kind=f"multipart/form-data; boundary={BOUNDARY}"),
    "XML": request(XML, kind="application/xml"),
    "an answer in XML": request(Accept="application/xml"),
    "an error in XML": request(b"{", Accept="text/xml"),
    "a bad idempotency key": request(Idempotency_Key="k" * 256),
    "an empty idempotency key": request(Idempotency_Key=""),
    "a quote that is none": request(path="/v1/pings/nothing/post"),
    "a quote in the body that is none": request(of_body(ping_id="nothing")),
    "another quote than the address names": request(
        of_body(ping_id="other"), path="/v1/pings/nothing/post"
    ),
    "keep-alive, said": request(Connection="keep-alive"),
}
LONG = {
    "HTTP/1.0": request(version="1.0"),
    "HTTP/1.0 kept": request(version="1.0", Connection="keep-alive"),
    "a connection that is to be closed": request(Connection="close"),
    "another method": request(method="GET"),
    "HEAD": request(b"", method="HEAD"),
    "a query beside a body": request(path="/v1/leads?test=true"),
    "too large": request(b" " * 3000),
    "no length": request(b"", length=False),
    "chunks": request(b"0\r\n\r\n", length=False, Transfer_Encoding="chunked"),
    "a compressed body that is none": request(Content_Encoding="gzip"),
    "a coding that is not undone": request(Content_Encoding="br"),
    "an expectation": request(Expect="something"),
    "two lengths": request(Content_length=3),
    "two types": request(Content_type="text/xml"),
    "two keys": request(authorization="Bearer nobody"),
    "no host": request().replace(b"Host: x\r\n", b""),
    "a bad length": request(length="-1"),
    "another path": request(path="/v1/nothing"),
}


@pytest.mark.parametrize("name", [*SHORT, *LONG])
async def test_both_ways_say_the_same(name):
    """Byte for byte, but for the clock and what is new with every request."""
    data = SHORT.get(name) or LONG[name]
    async with an_edge(limits=SMALL) as edge:
        in_one, goes_on, seen = await told(edge, data, pieces=whole)
        assert (in_one, goes_on) == (await told(edge, data, pieces=in_two))[:2]
        assert in_one.startswith(b"HTTP/1.")
        assert seen == (name in LONG)
        assert (await told(edge, data, pieces=in_two))[2] == 1


@pytest.mark.parametrize("pieces", [whole, in_two])
async def test_a_failure_and_an_outage_are_the_same_problems(pieces):
    said = []
    for error in (LookupError("secret"), LedgerUnavailable()):
        async with an_edge() as edge:
            edge.script.error = error
            said.append(await told(edge, request(), pieces=pieces))
    assert [text.split(b"\r\n")[0] for text, _, _ in said] == [
        b"HTTP/1.1 500 Internal Server Error",
        b"HTTP/1.1 503 Service Unavailable",
    ]
    assert b"Retry-After: 1\r\n" in said[1][0]
    assert all(b"secret" not in text and goes_on for text, goes_on, _ in said)


class Once:
    """Idempotency keys of one worker, in a dict."""

    def __init__(self):
        self.done = {}

    async def begin(self, key, _body, _lead_id):
        return self.done.get(key) or New()

    async def finish(self, key, lead_id, answer=b""):
        self.done[key] = Done(lead_id, answer or None)
        return True

    async def forget(self, key, _lead_id):
        return self.done.pop(key, None) is not None


@pytest.mark.parametrize("path", ["/v1/leads", "/v1/pings"])
async def test_a_repetition_hears_the_first_answer_by_either_way(path):
    async with an_edge(once=Once()) as edge:
        data = request(path=path, Idempotency_Key="once")
        said = [await told(edge, data, pieces=pieces) for pieces in (whole, in_two, whole)]
        assert [seen for _, _, seen in said] == [0, 1, 0]
        assert len({text for text, _, _ in said}) == 1
        assert len(edge.script.sold) + len(edge.script.quoted) == 1


@pytest.mark.parametrize("pieces", [whole, in_two])
async def test_under_overload_both_ways_turn_away(pieces):
    valve = Valve(math.inf, few=0)
    valve.throttle = Throttle(rate=1 / 3600)
    async with an_edge(valve=valve) as edge:
        text, goes_on, _ = await told(edge, request(Accept="text/xml"), pieces=pieces)
        assert text.startswith(b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/xml")
        assert goes_on
        assert valve.offered == 1


@pytest.mark.parametrize("pieces", [whole, in_two])
async def test_a_worker_that_leaves_answers_once_more_and_closes(pieces):
    async with an_edge() as edge:
        edge.doors.under_way.retire()
        text, goes_on, _ = await told(edge, request(), pieces=pieces)
        assert text.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n\r\n" in text
        assert not goes_on
        edge.doors.under_way.close()
        text, goes_on, _ = await told(edge, request(), pieces=pieces)
        assert b"/problems/closing" in text
        assert not goes_on


async def test_a_worker_that_stops_answers_what_is_under_way():
    async with an_edge() as edge:
        edge.script.go_on.clear()
        reader, writer = await edge.raw()
        writer.write(request())
        await edge.script.begun.wait()
        stopping = asyncio.create_task(edge.server.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        edge.script.go_on.set()
        assert b"Connection: close" in await answer(reader)
        assert await stopping == 0
        assert await reader.read() == b""
        writer.close()


async def test_a_worker_that_is_cut_off_says_so():
    async with an_edge(limits=msgspec.structs.replace(LIMITS, shutdown_grace_s=0.05)) as edge:
        edge.script.go_on.clear()
        reader, writer = await edge.raw()
        writer.write(request())
        await edge.script.begun.wait()
        assert await edge.server.stop() == 1
        assert b"/problems/closing" in await answer(reader)
        assert await reader.read() == b""
        writer.close()


async def test_whoever_hangs_up_stops_no_sale():
    async with an_edge() as edge:
        edge.script.go_on.clear()
        _, writer = await edge.raw()
        writer.write(request())
        await edge.script.begun.wait()
        writer.transport.abort()
        async with asyncio.timeout(5):
            await edge.server.emptied.wait()
        assert edge.doors.under_way.count == 1
        edge.script.go_on.set()
        async with asyncio.timeout(5):
            assert await edge.doors.under_way.drain(5) == 0
        assert edge.script.standings


@pytest.mark.parametrize("ends", [0, 1, 50, 200])
async def test_what_comes_before_an_answer_waits_for_its_turn(ends):
    """A second request, or any part of it, is answered after the first."""
    async with an_edge() as edge:
        edge.script.go_on.clear()
        reader, writer = await edge.raw()
        first, second = request(), request(path="/v1/pings")
        writer.write(first)
        await edge.script.begun.wait()
        writer.write(second[:ends])
        await asyncio.sleep(0.02)
        edge.script.go_on.set()
        assert b'"lead_id"' in await answer(reader)
        writer.write(second[ends:])
        assert b'"ping_id"' in await answer(reader)
        assert await is_open(reader, writer)
        assert (len(edge.script.sold), len(edge.script.quoted)) == (1, 1)
        writer.close()


@pytest.mark.parametrize("at", [1, 30, 150, -1])
async def test_pieces_never_become_requests_of_their_own(at):
    """The rest of a request is none, even where it looks like one; two at once are two."""
    inner = request(of_body(source="inner"))
    outer = request(inner, path="/v1/nothing")
    cut = outer.index(inner) if at == -1 else at
    async with an_edge() as edge:
        reader, writer = await edge.raw()
        writer.write(outer[:cut])
        await asyncio.sleep(0.02)
        writer.write(outer[cut:])
        assert (await answer(reader)).startswith(b"HTTP/1.1 404")
        writer.write(request() + request())
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        assert len(edge.script.sold) == 2
        assert {one.lead.source.id for one, _ in edge.script.sold} == {"search"}
        writer.close()


async def test_after_a_request_in_pieces_the_next_whole_one_is_short_again():
    """Programs that send head and body apart, or ask for other things, lose nothing for good."""
    async with an_edge() as edge:
        reader, writer = await edge.raw()
        data = request()
        for pieces in (
            [data[:-20], data[-20:]],
            [data],
            [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
            [data],
        ):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.02)
            assert (await answer(reader)).startswith(b"HTTP/1.1 200 OK")
        assert edge.server.runner.server.requests_count == 2
        assert len(edge.script.sold) == 3
        writer.close()


async def test_an_idle_connection_is_closed_and_one_that_waits_is_not(monkeypatch):
    monkeypatch.setattr("exchange.web.server.KEEP_ALIVE_S", 0.05)
    async with an_edge() as edge:
        edge.script.go_on.clear()
        reader, writer = await edge.raw()
        writer.write(request())
        await edge.script.begun.wait()
        await asyncio.sleep(0.2)
        edge.script.go_on.set()
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
    assert KEEP_ALIVE_S > 60


async def test_what_the_short_way_answered_is_counted():
    async with an_edge() as edge:
        for data in (request(), request(path="/v1/pings/nothing/post"), request(key="nobody")):
            await told(edge, data, pieces=whole)
        edge.doors.observer.hand_over()
        page = edge.doors.observer.exposition().decode()
        for route, status in (
            *(("/v1/leads", 200), ("/v1/leads", 401)),
            ("/v1/pings/{ping_id}/post", 404),
        ):
            assert f'exchange_requests_total{{route="{route}",status="{status}"}} 1.0' in page


class Sink(asyncio.Transport):
    """A connection's far end, which hears what is written."""

    def __init__(self):
        super().__init__()
        self.written = asyncio.Event()
        self.closed = False

    def write(self, data):
        assert data.startswith(b"HTTP/1.1 ")
        self.written.set()

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


@pytest.mark.parametrize("key", [SELLER_KEY, "nobody"])
async def test_a_first_request_may_come_with_its_connection(key):
    """In the same turn of the loop, as where many connections wait; the next one is short, too."""
    async with an_edge() as edge:
        connection, sink = edge.server.connection(), Sink()
        connection.connection_made(sink)
        for _turn in range(2):
            sink.written.clear()
            connection.data_received(request(key=key))
            async with asyncio.timeout(5):
                await sink.written.wait()
        assert edge.server.runner.server.requests_count == 0
        connection.connection_lost(None)
