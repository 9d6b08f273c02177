"""Every call ends with what really happened, whatever the server does."""

import asyncio
import socket

import pytest

from exchange.wire.call import Detail, Outcome

pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


async def silent(peer):
    await peer.request()
    await peer.gone()


async def resets(peer):
    await peer.request()
    peer.reset()


async def resets_at_once(peer):
    peer.reset()


async def closes_halfway(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal")


async def drips(peer):
    await peer.request()
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
        await peer.send(bytes([byte]))
        await asyncio.sleep(0)
    await peer.gone()


async def drips_without_end(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
    while True:
        await peer.send(b"x")
        await asyncio.sleep(0.005)


async def garbage(peer):
    await peer.request()
    await peer.send(b"\x00\xff\x13 what is this\r\n\r\n")
    await peer.gone()


async def floods_body(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await peer.send(b"x" * 65_536)


async def floods_head(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"X-Filler: " + b"x" * 8000 + b"\r\n")


async def ends_by_closing(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")


async def continues(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.answer(b"hello")
    await peer.gone()


async def chunks(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in (b"2\r\nhe\r\n", b"3\r\nllo\r\n", b"0\r\n\r\n"):
        await peer.send(piece)
    await peer.gone()


CASES = {
    "dripping": (drips, Outcome.ANSWERED, Detail.NONE, b"hello"),
    "chunked": (chunks, Outcome.ANSWERED, Detail.NONE, b"hello"),
    "after 100": (continues, Outcome.ANSWERED, Detail.NONE, b"hello"),
    "ended by closing": (ends_by_closing, Outcome.ANSWERED, Detail.NONE, b"all of it"),
    "silent": (silent, Outcome.TIMEOUT, Detail.NONE, b""),
    "dripping without end": (drips_without_end, Outcome.TIMEOUT, Detail.NONE, b""),
    "reset": (resets, Outcome.BROKEN, Detail.CLOSED_SILENTLY, b""),
    "half": (closes_halfway, Outcome.BROKEN, Detail.CLOSED_HALFWAY, b""),
    "garbage": (garbage, Outcome.BAD_HTTP, Detail.NONE, b""),
    "flood of body": (floods_body, Outcome.OVERSIZE, Detail.BODY_TOO_LARGE, b""),
    "flood of head": (floods_head, Outcome.OVERSIZE, Detail.HEAD_TOO_LARGE, b""),
}


@pytest.mark.parametrize(("script", "outcome", "why", "body"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("repeatable", [True, False], ids=["ping", "post"])
async def test_a_call_ends_with_what_happened(
    serve, open_wire, make_call, repeatable, script, outcome, why, body
):
    """One outcome each; on a fresh connection nothing is sent a second time."""
    server = await serve(script)
    wire = open_wire()
    patient = outcome is not Outcome.TIMEOUT
    call = make_call(server.url, timeout_ms=5000 if patient else 150, repeatable=repeatable)
    await wire.request(call)
    assert (call.outcome, call.detail, call.body) == (outcome, why, body)
    assert call.sent_at > 0
    assert len(server.requests) == 1


async def test_all_kinds_of_servers_at_once_do_not_disturb_each_other(serve, open_wire, make_call):
    """Each buyer's answer is its own; the fan-out ends by its deadline."""
    servers = [await serve(script) for script, *_ in CASES.values()]
    wire = open_wire()
    loop = asyncio.get_running_loop()
    calls = [make_call(server.url) for server in servers]
    began = loop.time()
    await wire.fan_out(calls, wire.clock() + 0.4)
    assert loop.time() - began < 0.8
    assert [call.outcome for call in calls] == [outcome for _, outcome, *_ in CASES.values()]


async def test_a_connection_reset_before_the_request_is_never_an_answer(
    serve, open_wire, make_call
):
    """A server that resets what it accepts: nothing was sent, or what was sent is in doubt."""
    server = await serve(resets_at_once)
    wire = open_wire()
    call = make_call(server.url, repeatable=False)
    await wire.request(call)
    assert call.outcome in (Outcome.BROKEN, Outcome.UNREACHABLE)
    assert bool(call.sent_at) == (call.outcome is Outcome.BROKEN)


async def test_the_answer_is_kept_as_it_came(serve, open_wire, make_call):
    """Status, the asked-for headers in any case, and the exact head."""

    async def script(peer):
        await peer.request()
        await peer.send(
            b"HTTP/1.1 429 Too Many\r\nRETRY-after:  7 \r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        )
        await peer.gone()

    server = await serve(script)
    wire = open_wire()
    call = make_call(server.url)
    await wire.request(call)
    assert call.status == 429
    assert call.header("Retry-After") == "7"
    assert call.header("content-type") == "application/json"
    assert call.header("server") is None
    assert call.head.startswith(b"HTTP/1.1 429 Too Many\r\n")
    assert 0 < call.took_ms < 2000


async def test_a_refused_connection_means_nothing_was_sent(open_wire, make_call):
    """The buyer surely knows nothing: the post may go elsewhere."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        wire = open_wire()
        call = make_call(url, repeatable=False)
        await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CONNECT_REFUSED)
    assert call.sent_at == 0
    assert wire.stock.refused_count == 1


@pytest.fixture
def full_backlog():
    """A listening address whose queue is full: a connection to it never stands."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            waiting.append(filler)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for filler in waiting:
            filler.close()


async def test_a_connection_that_never_stands_ends_with_its_call(
    full_backlog, open_wire, make_call
):
    """The call's own time includes connecting; nothing was sent."""
    wire = open_wire()
    call = make_call(full_backlog, timeout_ms=100)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CONNECT_TIMEOUT)
    assert 95 <= call.took_ms < 1000


async def test_connecting_has_its_own_limit(full_backlog, open_wire, make_call):
    """A post with a long timeout does not wait that long for a connection."""
    wire = open_wire(connect_timeout_ms=100)
    call = make_call(full_backlog, timeout_ms=10_000)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CONNECT_TIMEOUT)
    assert call.took_ms < 2000


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[::1]:9/", "https://localhost:9/"])
async def test_an_address_that_may_not_be_called_is_not_called(open_wire, make_call, url):
    """Literal or by name; the reason says that it was the address."""
    wire = open_wire(allowed="192.0.2.0/24")
    call = make_call(url)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.ADDRESS_NOT_ALLOWED)


async def test_an_unknown_name_means_nothing_was_sent(open_wire, make_call):
    """`.invalid` never resolves."""
    wire = open_wire()
    call = make_call("http://no-such-host.invalid/", timeout_ms=20_000)
    await wire.request(call)
    assert call.outcome is Outcome.UNREACHABLE
    assert call.detail in (Detail.NAME_NOT_FOUND, Detail.CONNECT_TIMEOUT)


async def test_a_name_is_resolved_and_called(serve, open_wire, make_call):
    """The system's own resolver, on the loop."""

    async def script(peer):
        await peer.request()
        await peer.answer()
        await peer.gone()

    server = await serve(script)
    wire = open_wire()
    call = make_call(server.url.replace("127.0.0.1", "localhost"))
    await wire.request(call)
    assert call.outcome is Outcome.ANSWERED


async def test_a_body_larger_than_the_socket_takes_is_sent_whole(serve, open_wire, make_call):
    """What the kernel does not take at once follows."""

    async def script(peer):
        await asyncio.sleep(0.05)
        await peer.answer(b"%d" % len(await peer.request()))
        await peer.gone()

    server = await serve(script)
    wire = open_wire()
    call = make_call(server.url, b"x" * 8_000_000)
    await wire.request(call)
    assert call.body == b"8000000"
