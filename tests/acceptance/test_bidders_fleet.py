"""The simulated fleet, each of its faults seen on a raw socket."""

import asyncio
import json
import ssl
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
import trustme
from standardwebhooks.webhooks import Webhook

from bidders.fleet import (
    Belief,
    BuyerSpec,
    Fixed,
    Fleet,
    Listening,
    PingFault,
    PostFault,
    Uniform,
    invent,
)
from bidders.fleet.connection import REQUEST_MAX_BYTES

PATIENCE_S = 10
"""Longer than anything here takes; a failing test ends by it."""


def ping_body(ping_id="p-1", tmax_ms=40, vertical="auto_insurance"):
    auction = {"type": "first_price", "floor": 5, "currency": "USD", "tmax_ms": tmax_ms}
    ping = {"ping_id": ping_id, "vertical": vertical, "auction": auction, "lead": {"state": "TX"}}
    return msgspec.json.encode(ping)


def post_body(sale_id="s-1", price="12.50", ping_id="p-1"):
    return (
        f'{{"sale_id":"{sale_id}","ping_id":"{ping_id}","price":{price},"vertical":"v","lead":{{}}}}'
    ).encode()


def request(path, body, headers=(), method="POST"):
    lines = [f"{method} {path} HTTP/1.1", "host: fleet", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class Wire:
    """A raw connection that speaks just enough HTTP to see what comes."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def send(self, data):
        self.writer.write(data)

    async def whole(self):
        """Status, headers and body of one answer of known length or in chunks."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in rest if line)
        status = int(first.split()[1])
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, await self.chunks()
        length = int(headers.get("content-length", 0))
        return status, headers, await self.reader.readexactly(length)

    async def chunks(self):
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body

    async def ask(self, path, body, headers=()):
        self.send(request(path, body, headers))
        return await self.whole()

    async def silent_for(self, seconds):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.reader.read(1), seconds)

    async def rest(self):
        return await asyncio.wait_for(self.reader.read(), PATIENCE_S)


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def buyer(**spec):
    """One buyer called acme and a wire to it."""
    spec = {"slow_ms": 60, "late_ms": 80, "drip_ms": 1, "price": Fixed(12.5)} | spec
    async with (
        Fleet([BuyerSpec(id="acme", **spec)], seed=1, keep=5) as fleet,
        connected(fleet.port) as wire,
    ):
        yield fleet, wire


async def test_a_good_buyer_bids_exactly_and_keeps_the_connection():
    """The bid is a JSON number in cents; the next ping goes over the same connection."""
    async with buyer() as (fleet, wire):
        for number in range(3):
            status, _, body = await wire.ask("/acme/ping", ping_body(f"p-{number}"))
            assert status == 200
            assert json.loads(body, parse_float=Decimal)["bid"] == Decimal("12.50")
        assert (fleet.books["acme"].pings, fleet.books["acme"].bids) == (3, 3)


async def test_a_bid_may_come_in_chunks():
    """Chunked bodies are no fault; every client must read them."""
    async with buyer(chunked=True) as (_, wire):
        _, headers, body = await wire.ask("/acme/ping", ping_body())
        assert headers["transfer-encoding"] == "chunked"
        assert json.loads(body)["bid"] == 12.5


async def test_what_a_buyer_does_not_want_is_204():
    """Another vertical, and the share of pings that it passes over."""
    async with buyer(vertical="solar") as (_, wire):
        assert (await wire.ask("/acme/ping", ping_body()))[0] == 204
        assert (await wire.ask("/acme/ping", ping_body(vertical="solar")))[0] == 200
    async with buyer(bids=0.5) as (fleet, wire):
        answers = [(await wire.ask("/acme/ping", ping_body(str(n))))[0] for n in range(200)]
        assert 70 < answers.count(204) < 130
        assert fleet.books["acme"].no_bids == answers.count(204)


async def test_an_answer_takes_its_latency():
    """Nothing comes before the time that the buyer needs."""
    async with buyer(latency_ms=Fixed(50)) as (_, wire):
        begun = time.monotonic()
        await wire.ask("/acme/ping", ping_body())
        assert time.monotonic() - begun >= 0.049


async def test_a_slow_buyer_answers_after_tmax():
    """The bid is good, and late by what the spec says."""
    async with buyer(ping_faults={PingFault.SLOW: 1}) as (fleet, wire):
        begun = time.monotonic()
        status, _, _ = await wire.ask("/acme/ping", ping_body(tmax_ms=40))
        assert status == 200
        assert time.monotonic() - begun >= 0.099
        assert fleet.books["acme"].faults == {"ping-slow": 1}


async def test_a_silent_buyer_never_answers_and_does_not_hang_up():
    """The ping is in its book, and the wire stays still."""
    async with buyer(ping_faults={PingFault.SILENT: 1}) as (fleet, wire):
        wire.send(request("/acme/ping", ping_body()))
        await fleet.received("acme", pings=1)
        await wire.silent_for(0.15)


async def test_a_dripping_buyer_sends_byte_after_byte():
    """The answer is whole in the end, and came in many pieces."""
    async with buyer(ping_faults={PingFault.DRIPPING: 1}, drip_ms=2) as (_, wire):
        wire.send(request("/acme/ping", ping_body()))
        pieces = [await wire.reader.read(65536)]
        while not pieces[-1].endswith(b"}"):
            pieces.append(await wire.reader.read(65536))
        assert b"".join(pieces).startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(pieces) > 20


async def test_a_resetting_buyer_sends_rst_after_it_read_the_ping():
    """The client sees a reset, not an end; the buyer has the ping."""
    async with buyer(ping_faults={PingFault.RESETTING: 1}) as (fleet, wire):
        wire.send(request("/acme/ping", ping_body()))
        with pytest.raises(ConnectionResetError):
            await wire.rest()
        assert fleet.books["acme"].pings == 1


async def test_half_an_answer_is_cut_by_a_reset():
    """What came is the beginning of a good answer."""
    async with buyer(ping_faults={PingFault.HALF: 1}) as (_, wire):
        wire.send(request("/acme/ping", ping_body()))
        assert (await wire.reader.read(9)) == b"HTTP/1.1 "
        with pytest.raises(ConnectionResetError):
            await wire.rest()


async def test_a_buyer_hangs_up_after_a_good_answer_without_saying_so():
    """The next ping on that connection would meet a stale one."""
    async with buyer(ping_faults={PingFault.HANGUP: 1}) as (_, wire):
        status, headers, _ = await wire.ask("/acme/ping", ping_body())
        assert status == 200
        assert "connection" not in headers
        assert await wire.rest() == b""


async def test_a_buyer_that_speaks_no_http():
    """The first line is that of another protocol."""
    async with buyer(ping_faults={PingFault.NOT_HTTP: 1}) as (_, wire):
        wire.send(request("/acme/ping", ping_body()))
        assert (await wire.reader.readline()).startswith(b"220 ")


@pytest.mark.parametrize(
    ("fault", "bid"),
    [
        (PingFault.NEGATIVE, {"bid": Decimal("-12.5")}),
        (PingFault.STRING_PRICE, {"bid": "12.50"}),
        (PingFault.OTHER_CURRENCY, {"bid": Decimal("12.5"), "currency": "XTS"}),
        (
            PingFault.WRONG_ID,
            {"bid": Decimal("12.5"), "bid_id": {"id": 1}, "ping_id": "another"},
        ),
    ],
)
async def test_a_bid_can_be_wrong_in_a_sound_answer(fault, bid):
    """The HTTP is right, the JSON is right, the bid is not."""
    async with buyer(ping_faults={fault: 1}) as (fleet, wire):
        status, _, body = await wire.ask("/acme/ping", ping_body())
        assert (status, json.loads(body, parse_float=Decimal)) == (200, bid)
        assert fleet.books["acme"].faults == {f"ping-{fault}": 1}


async def test_an_answer_can_be_no_json_no_utf8_or_too_long():
    """Each breaks where a reader that trusts it would."""
    async with buyer(ping_faults={PingFault.NAN: 1}) as (_, wire):
        assert (await wire.ask("/acme/ping", ping_body()))[2] == b'{"bid":NaN}'
    async with buyer(ping_faults={PingFault.GARBAGE: 1}) as (_, wire):
        assert (await wire.ask("/acme/ping", ping_body()))[2].startswith(b"<html>")
    async with buyer(ping_faults={PingFault.INVALID_UTF8: 1}) as (_, wire):
        with pytest.raises(UnicodeDecodeError):
            (await wire.ask("/acme/ping", ping_body()))[2].decode()
    async with buyer(ping_faults={PingFault.OVERSIZE: 1}) as (_, wire):
        body = (await wire.ask("/acme/ping", ping_body()))[2]
        assert len(body) > 64 * 1024
        assert json.loads(body)["bid"] == 12.5


@pytest.mark.parametrize(
    ("fault", "status"), [(PingFault.HTTP_500, 500), (PingFault.REDIRECT, 302)]
)
async def test_a_status_can_be_wrong(fault, status):
    """An error of its own, and a redirect that nobody may follow."""
    async with buyer(ping_faults={fault: 1}) as (_, wire):
        answer = await wire.ask("/acme/ping", ping_body())
        assert answer[0] == status
        assert status != 302 or answer[1]["location"] == "/elsewhere"


async def test_every_ping_fault_leaves_the_other_buyers_alone():
    """With all faults in one fleet the good buyer answers at once, and every fault is counted."""
    specs = [BuyerSpec(id=fault, ping_faults={fault: 1}, slow_ms=60_000) for fault in PingFault]
    async with Fleet([*specs, BuyerSpec(id="good")], seed=1) as fleet:
        wires = []
        for fault in PingFault:
            reader, writer = await asyncio.open_connection("127.0.0.1", fleet.port)
            writer.write(request(f"/{fault}/ping", ping_body()))
            wires.append((reader, writer))
        for fault in PingFault:
            book = await asyncio.wait_for(fleet.received(fault, pings=1), PATIENCE_S)
            assert book.faults == {f"ping-{fault}": 1}
        async with connected(fleet.port) as wire:
            assert (await wire.ask("/good/ping", ping_body()))[0] == 200
        for _, writer in wires:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for _, w in wires), return_exceptions=True)


ACCEPTED = {"accepted": True, "reference": "acme-s-1"}


async def test_a_post_is_accepted_and_its_repetition_is_the_same_sale():
    """One key is one sale in the book, with its exact price and a count of its posts."""
    async with buyer() as (fleet, wire):
        key = ["Idempotency-Key: s-1"]
        for _ in range(2):
            status, _, body = await wire.ask("/acme/post", post_body(price="12.500001"), key)
            assert (status, json.loads(body)) == (200, ACCEPTED)
        book = fleet.books["acme"]
        assert book.accepted() == {"s-1": Decimal("12.500001")}
        assert (book.posts, book.repeats, book.sales["s-1"].posts) == (2, 1, 2)


@pytest.mark.parametrize(
    ("fault", "status", "body", "belief"),
    [
        (PostFault.REFUSING, 200, b'{"accepted":false', Belief.REFUSED),
        (PostFault.BUSY, 503, b"", Belief.REFUSED),
        (PostFault.PENDING, 202, b'{"accepted":null}', Belief.PENDING),
        (PostFault.UNDECIDED, 202, b'{"accepted":null}', Belief.PENDING),
        (PostFault.LOWER_PRICE, 200, b'{"accepted":true', Belief.ACCEPTED),
        (PostFault.GARBAGE, 200, b"<html>", Belief.ACCEPTED),
        (PostFault.HTTP_500, 500, b'{"error"', Belief.UNREAD),
        (PostFault.REDIRECT, 302, b"{}", Belief.UNREAD),
        (PostFault.LATE, 200, b'{"accepted":true', Belief.ACCEPTED),
        (PostFault.LATE_REFUSAL, 200, b'{"accepted":false', Belief.REFUSED),
        (PostFault.DRIPPING, 200, b'{"accepted":true', Belief.ACCEPTED),
    ],
)
async def test_a_post_can_be_answered_in_every_way_of_the_contract(fault, status, body, belief):
    """What is said on the wire, and what the buyer believes about the sale."""
    async with buyer(post_faults={fault: 1}) as (fleet, wire):
        answer = await wire.ask("/acme/post", post_body())
        assert answer[0] == status
        assert answer[2].startswith(body)
        assert fleet.books["acme"].sales["s-1"].belief is belief
        assert fleet.books["acme"].faults == {f"post-{fault}": 1}


async def test_a_late_answer_to_a_post_is_late():
    """The buyer has the lead at once; its answer comes after `late_ms`."""
    async with buyer(post_faults={PostFault.LATE: 1}) as (fleet, wire):
        begun = time.monotonic()
        wire.send(request("/acme/post", post_body()))
        await fleet.received("acme", posts=1)
        assert fleet.books["acme"].accepted() == {"s-1": Decimal("12.50")}
        await wire.whole()
        assert time.monotonic() - begun >= 0.079


async def test_a_lower_price_is_said_and_booked():
    """The buyer pays a fifth less, in whole cents."""
    async with buyer(post_faults={PostFault.LOWER_PRICE: 1}) as (fleet, wire):
        _, _, body = await wire.ask("/acme/post", post_body(price="12.59"))
        assert json.loads(body, parse_float=Decimal)["price"] == Decimal("10.07")
        assert fleet.books["acme"].accepted() == {"s-1": Decimal("10.07")}


@pytest.mark.parametrize("fault", [PostFault.NEVER, PostFault.RESETTING, PostFault.UNREAD])
async def test_a_post_without_an_answer_is_accepted_when_it_is_repeated(fault):
    """Whether the lead was taken or not, the repetition with the same key makes it a sale."""
    async with buyer(post_faults={fault: 1}) as (fleet, wire):
        wire.send(request("/acme/post", post_body()))
        await fleet.received("acme", posts=1)
        first = Belief.UNREAD if fault is PostFault.UNREAD else Belief.ACCEPTED
        assert fleet.books["acme"].sales["s-1"].belief is first
        if fault is PostFault.NEVER:
            await wire.silent_for(0.1)
        else:
            with pytest.raises(ConnectionResetError):
                await wire.rest()
        async with connected(fleet.port) as other:
            status, _, body = await other.ask("/acme/post", post_body())
            assert (status, json.loads(body)) == (200, ACCEPTED)
        assert fleet.books["acme"].accepted() == {"s-1": Decimal("12.50")}
        assert fleet.books["acme"].repeats == 1


@pytest.mark.parametrize("fault", [PostFault.PENDING, PostFault.GARBAGE, PostFault.HTTP_500])
async def test_an_unclear_answer_is_made_clear_by_a_repetition(fault):
    """The second answer to the same key is a plain acceptance."""
    async with buyer(post_faults={fault: 1}) as (_, wire):
        await wire.ask("/acme/post", post_body())
        assert json.loads((await wire.ask("/acme/post", post_body()))[2]) == ACCEPTED


async def test_some_sales_stay_open_however_often_they_are_repeated():
    """A mute buyer never answers, an undecided one never decides, one that refused stays so."""
    async with buyer(post_faults={PostFault.UNDECIDED: 1}) as (_, wire):
        for _ in range(2):
            assert (await wire.ask("/acme/post", post_body()))[0] == 202
    async with buyer(post_faults={PostFault.REFUSING: 1}) as (_, wire):
        for _ in range(2):
            assert b"false" in (await wire.ask("/acme/post", post_body()))[2]
    async with buyer(post_faults={PostFault.MUTE: 1}) as (fleet, wire):
        wire.send(request("/acme/post", post_body()))
        async with connected(fleet.port) as other:
            other.send(request("/acme/post", post_body()))
            await fleet.received("acme", posts=2)
            await other.silent_for(0.1)
        await wire.silent_for(0.01)


async def test_the_same_seed_gives_the_same_bids_over_many_connections_in_any_order():
    """Two runs agree on every bid and fault, though one asks backwards and all at once."""
    specs = [BuyerSpec(id="acme", price=Uniform(1, 90), ping_faults={PingFault.NAN: 0.3})]
    pings = [f"p-{number}" for number in range(40)]

    async def bid(port, ping):
        async with connected(port) as wire:
            return (await wire.ask("/acme/ping", ping_body(ping)))[2]

    async with Fleet(specs, seed=5) as fleet:
        first = [await bid(fleet.port, ping) for ping in pings]
    async with Fleet(specs, seed=5) as fleet:
        again = await asyncio.gather(*(bid(fleet.port, ping) for ping in pings[::-1]))
    async with Fleet(specs, seed=6) as fleet:
        other = [await bid(fleet.port, ping) for ping in pings]
    assert first == again[::-1]
    assert first != other
    assert b'{"bid":NaN}' in first


async def test_the_books_are_read_over_http():
    """A checker in another process sees what each buyer received and believes."""
    async with buyer(post_faults={PostFault.LOWER_PRICE: 1}) as (_, wire):
        await wire.ask("/acme/ping", ping_body())
        await wire.ask("/acme/post", post_body())
        wire.send(request("/_fleet/books", b"", method="GET"))
        books = json.loads((await wire.whole())[2], parse_float=Decimal)
        assert books["seed"] == 1
        book = books["buyers"]["acme"]
        assert (book["pings"], book["posts"], book["beliefs"]) == (1, 1, {"accepted": 1})
        assert book["sales"] == [
            {
                "sale_id": "s-1",
                "ping_id": "p-1",
                "price": Decimal("12.50"),
                "pays": Decimal("10.00"),
                "belief": "accepted",
                "fault": "lower_price",
                "posts": 1,
            }
        ]


async def test_the_last_requests_are_kept_whole():
    """A test can look for what should never have left the exchange."""
    async with buyer() as (fleet, wire):
        for number in range(7):
            await wire.ask("/acme/ping", ping_body(f"p-{number}"), ["X-Own: 1"])
        kept = fleet.books["acme"].requests
        assert [json.loads(request.body)["ping_id"] for request in kept] == [
            f"p-{number}" for number in range(2, 7)
        ]
        assert ("x-own", "1") in kept[0].headers


async def test_a_buyer_can_change_its_manners_while_it_runs():
    """From the next request on, with the same book."""
    async with buyer() as (fleet, wire):
        assert (await wire.ask("/acme/ping", ping_body()))[0] == 200
        fleet.change(BuyerSpec(id="acme", bids=0))
        assert (await wire.ask("/acme/ping", ping_body()))[0] == 204
        assert fleet.books["acme"].pings == 2


async def test_a_buyer_with_a_secret_hears_only_what_is_signed():
    """An unsigned ping is 401 and counted."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with buyer(secret=secret) as (fleet, wire):
        assert (await wire.ask("/acme/ping", ping_body()))[0] == 401
        assert (await wire.ask("/acme/post", post_body()))[0] == 401
        assert fleet.books["acme"].unsigned == 2
        assert fleet.books["acme"].sales == {}
        now, body = datetime.now(UTC), ping_body()
        signature = Webhook(secret).sign("m-1", now, body.decode())
        headers = [
            "webhook-id: m-1",
            f"webhook-timestamp: {int(now.timestamp())}",
            f"webhook-signature: {signature}",
        ]
        assert (await wire.ask("/acme/ping", body, headers))[0] == 200


async def test_bad_requests_are_told_so():
    """An unknown buyer, another method, no JSON, no HTTP, far too much."""
    async with buyer() as (fleet, wire):
        assert (await wire.ask("/nobody/ping", ping_body()))[0] == 404
        wire.send(request("/acme/ping", b"", method="GET"))
        assert (await wire.whole())[0] == 405
        assert (await wire.ask("/acme/ping", b"[" * 9999))[0] == 400
        assert (await wire.ask("/acme/post", b"\xff"))[0] == 400
        assert fleet.books["acme"].unreadable == 2
        wire.send(b"this is no HTTP\r\n\r\n")
        assert (await wire.whole())[0] == 400
        assert await wire.rest() == b""
        async with connected(fleet.port) as other:
            endless = request("/acme/ping", b" " * (2 << 20))
            other.send(endless[: REQUEST_MAX_BYTES + 1])
            assert (await other.whole())[0] == 413


async def test_pipelined_requests_are_answered_in_order():
    """Many requests in one write get as many answers, one after the other."""
    async with buyer(latency_ms=Fixed(1)) as (fleet, wire):
        wire.send(b"".join(request("/acme/ping", ping_body(str(n))) for n in range(40)))
        for _ in range(40):
            assert (await wire.whole())[0] == 200
        assert fleet.books["acme"].bids == 40


async def test_a_request_may_come_in_pieces_and_in_chunks():
    """A URL, a header or a body cut anywhere is still one request."""
    async with buyer() as (fleet, wire):
        head = b"POST /acme/ping HTTP/1.1\r\nhost: fleet\r\ntransfer-encoding: chunked\r\n\r\n"
        body = ping_body()
        data = head + b"%x\r\n%b\r\n" % (9, body[:9])
        data += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 9, body[9:])
        for start in range(0, len(data), 7):
            wire.send(data[start : start + 7])
            await asyncio.sleep(0)
        assert (await wire.whole())[0] == 200
        assert fleet.books["acme"].bids == 1


async def test_a_client_that_wants_no_second_request_is_let_go():
    """`Connection: close` is honoured."""
    async with buyer() as (_, wire):
        assert (await wire.ask("/acme/ping", ping_body(), ["Connection: close"]))[0] == 200
        assert await wire.rest() == b""


async def test_the_fleet_speaks_tls_and_resets_there_too():
    """The exchange's HTTPS wire has the same opponents."""
    authority = trustme.CA()
    server, client = _tls(authority)
    specs = [BuyerSpec(id="good"), BuyerSpec(id="bad", ping_faults={PingFault.RESETTING: 1})]
    async with Fleet(specs, listening=Listening(tls=server)) as fleet:
        assert fleet.ping_url("good") == f"https://127.0.0.1:{fleet.port}/good/ping"
        reader, writer = await asyncio.open_connection("127.0.0.1", fleet.port, ssl=client)
        wire = Wire(reader, writer)
        assert (await wire.ask("/good/ping", ping_body()))[0] == 200
        wire.send(request("/bad/ping", ping_body()))
        with pytest.raises(ConnectionResetError):
            await wire.rest()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def _tls(authority):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def test_the_program_on_uvloop_says_where_it_is_and_ends_with_its_counts():
    """`python -m bidders fleet --json` is two JSON lines; in between it bids, resets and counts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", "fleet", "--count", "2", "--port", "0", "--seed", "9",
        "--latency-ms", "0", "--faults", "post.resetting=1.0", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
        assert ready["base_url"] == f"http://127.0.0.1:{ready['port']}"
        assert ready["buyers"] == ["buyer-01", "buyer-02"]
        async with connected(ready["port"]) as wire:
            status, _, body = await wire.ask("/buyer-01/ping", ping_body())
            assert status == 200
            wire.send(request("/buyer-01/post", post_body()))
            with pytest.raises(ConnectionResetError):
                await wire.rest()
        async with Fleet(invent(2, 9, latency_ms=0), 9) as same, connected(same.port) as wire:
            assert (await wire.ask("/buyer-01/ping", ping_body()))[2] == body
        process.terminate()
        ended = json.loads(await asyncio.wait_for(process.stdout.read(), PATIENCE_S))
        assert ended["buyers"]["buyer-01"]["beliefs"] == {"accepted": 1}
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
