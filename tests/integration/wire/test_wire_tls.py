"""Encrypted connections are verified, kept and counted like all others."""

import asyncio
import datetime as dt
import os
import socket
import ssl
import threading
from functools import partial

import pytest
import trustme

from exchange.wire.call import Detail, Outcome


async def answers(peer):
    while True:
        await peer.answer(await peer.request())


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_an_encrypted_call_is_answered_and_its_connection_kept(
    serve, open_wire, make_call, good, trusting
):
    """One handshake for many calls."""
    server = await serve(answers, good)
    wire = open_wire(tls=trusting)
    for n in range(5):
        call = make_call(server.url, b"%d" % n, repeatable=n % 2 == 0)
        await wire.request(call)
        assert (call.outcome, call.body) == (Outcome.ANSWERED, b"%d" % n)
    assert server.accepted == 1


async def test_a_name_is_sent_and_verified(serve, open_wire, make_call, authority, trusting):
    """The server hears which host is meant, and that only HTTP/1.1 is spoken."""
    heard = []
    good = serving(authority.issue_cert("localhost"))
    good.sni_callback = lambda _sock, name, _context: heard.append(name)
    good.set_alpn_protocols(["h2", "http/1.1"])
    protocols = []

    async def script(peer):
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answers(peer)

    server = await serve(script, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url.replace("127.0.0.1", "localhost"))
    await wire.request(call)
    assert call.outcome is Outcome.ANSWERED
    assert heard == ["localhost"]
    assert protocols == ["http/1.1"]


async def test_the_next_connection_goes_on_with_the_session(
    serve, open_wire, make_call, good, trusting
):
    """Certificates are exchanged and checked once in a while, not for every connection."""
    reused = []

    async def script(peer):
        reused.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await peer.answer(await peer.request(), b"Connection: close")

    server = await serve(script, good)
    wire = open_wire(tls=trusting)
    for _ in range(3):
        call = make_call(server.url)
        await wire.request(call)
        assert call.outcome is Outcome.ANSWERED
    assert reused == [False, True, True]


async def test_no_handshake_is_worked_out_on_the_loop(serve, open_wire, make_call, good, trusting):
    """A hundred connections at once do not keep pings waiting for their arithmetic."""
    threads = set()

    class Watched(ssl.SSLObject):
        def do_handshake(self):
            threads.add(threading.get_ident())
            super().do_handshake()

    trusting.sslobject_class = Watched
    server = await serve(answers, good)
    wire = open_wire(tls=trusting)
    calls = [make_call(server.url, timeout_ms=5000) for _ in range(20)]
    await wire.fan_out(calls, wire.clock() + 5)
    assert {call.outcome for call in calls} == {Outcome.ANSWERED}
    assert threads
    assert threading.get_ident() not in threads


async def test_a_cut_off_end_is_not_taken_for_a_goodbye(
    serve, open_wire, make_call, good, trusting
):
    """TCP's own end may be anybody's doing."""

    async def cut(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        with socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        await peer.gone()

    server = await serve(cut, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CLOSED_HALFWAY)


@pytest.fixture
async def openssl(authority, tmp_path):
    """OpenSSL's own server, told at its standard input what to say and to do."""
    running = []

    async def start(*options):
        certificate, port = authority.issue_cert("127.0.0.1"), free_port()
        key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
        certificate.private_key_pem.write_to_path(str(key))
        certificate.cert_chain_pems[0].write_to_path(str(chain))
        process = await asyncio.create_subprocess_exec(
            *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", chain),
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        running.append(process)
        async with asyncio.timeout(10):
            while b"ACCEPT" not in await process.stdout.readline():
                pass
        return process, f"https://127.0.0.1:{port}/"

    yield start
    for process in running:
        process.kill()
        await process.communicate()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def more_than(line, before):
    return line.wordless > before


async def told(process, word):
    """Read what the server prints until this word stands there."""
    async with asyncio.timeout(10):
        await process.stdout.readuntil(word)


@pytest.mark.parametrize("command", [b"K", b"k"], ids=["both sides", "its own"])
async def test_keys_that_change_in_the_middle_of_a_call_are_followed(
    openssl, open_wire, make_call, trusting, until, command
):
    """TLS 1.3 lets a server do so at any time, and ask for the same in return."""
    process, url = await openssl("-tls1_3", "-crlf")
    wire = open_wire(tls=trusting)
    for body in (b"one", b"two"):
        call = make_call(url, body, timeout_ms=5000)
        waiting = asyncio.create_task(wire.request(call))
        await told(process, body)
        (connection,) = wire.stock.standing
        if not connection.met:  # the server's tickets come first
            await until(partial(more_than, connection.transport, 0))
        before = connection.transport.wordless
        process.stdin.write(command + b"\n")
        await until(partial(more_than, connection.transport, before))
        process.stdin.write(b"HTTP/1.1 200 OK\nContent-Length: 5\n\n" + body + b"\n")
        await waiting
        assert (call.outcome, call.body) == (Outcome.ANSWERED, body + b"\r\n")
    assert wire.stock.opened_count == 1


async def test_a_second_handshake_is_refused(openssl, open_wire, make_call, trusting):
    """TLS 1.2 let a server ask for one at any time: work for the loop at anybody's wish."""
    process, url = await openssl("-tls1_2", "-crlf")
    wire = open_wire(tls=trusting)
    call = make_call(url, b"one", timeout_ms=5000)
    waiting = asyncio.create_task(wire.request(call))
    await told(process, b"one")
    process.stdin.write(b"r\n")
    await waiting
    assert (call.outcome, call.detail) == (Outcome.BROKEN, Detail.CLOSED_SILENTLY)


def other_name(authority):
    return serving(authority.issue_cert("other.example"))


def stranger(_authority):
    return serving(trustme.CA().issue_cert("127.0.0.1"))


def expired(authority):
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    return serving(authority.issue_cert("127.0.0.1", not_after=yesterday))


@pytest.mark.parametrize("certificate", [other_name, stranger, expired])
async def test_a_wrong_certificate_is_never_sent_anything(
    serve, open_wire, make_call, authority, trusting, certificate
):
    """Another's name, an unknown authority, an expired one: refused before a byte of the call."""
    server = await serve(answers, certificate(authority))
    wire = open_wire(tls=trusting)
    call = make_call(server.url, repeatable=False)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CERTIFICATE_REFUSED)
    assert server.requests == []
    assert len(wire.stock.standing) == 0


async def test_a_server_that_speaks_no_tls_is_unreachable(serve, open_wire, make_call):
    """Plain text on an encrypted port."""

    async def plain(peer):
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    server = await serve(plain)
    wire = open_wire()
    call = make_call(server.url.replace("http:", "https:"))
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.TLS_FAILED)


async def test_a_handshake_that_never_ends_ends_with_its_call(serve, open_wire, make_call):
    """The handshake is inside the call's time; nothing was sent."""

    async def mute(peer):
        await peer.gone()

    server = await serve(mute)
    wire = open_wire(connect_timeout_ms=200)
    call = make_call(server.url.replace("http:", "https:"), timeout_ms=60)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.UNREACHABLE, Detail.CONNECT_TIMEOUT)
    async with asyncio.timeout(5):
        await server.all_closed()


async def test_a_large_answer_and_a_large_request_pass(serve, open_wire, make_call, good, trusting):
    """Many records each way, more than a socket takes at once."""

    async def script(peer):
        await asyncio.sleep(0.05)
        body = await peer.request()
        await peer.answer(b"%d" % len(body) + b"." * 60_000)
        await peer.gone()

    server = await serve(script, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url, b"x" * 8_000_000, timeout_ms=20_000)
    await wire.request(call)
    assert call.body == b"8000000" + b"." * 60_000


async def test_an_answer_that_is_cut_off_is_broken(serve, open_wire, make_call, good, trusting):
    """Without TLS's goodbye, an answer that ends by closing may have lost its end."""

    async def cut(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        peer.reset()

    server = await serve(cut, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url, repeatable=False)
    await wire.request(call)
    assert call.outcome is Outcome.BROKEN


async def test_an_answer_that_ends_with_a_goodbye_is_whole(
    serve, open_wire, make_call, good, trusting
):
    """A close that TLS announces ends a body without a length."""

    async def ends(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    server = await serve(ends, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url)
    await wire.request(call)
    assert (call.outcome, call.body) == (Outcome.ANSWERED, b"all of it")


async def test_a_connection_that_died_is_known_on_tls_too(
    serve, open_wire, make_call, good, trusting
):
    """A ping is repeated, a post is in doubt, as without encryption."""

    async def dies_on_second(peer):
        await peer.answer(await peer.request())
        await peer.request()
        peer.reset()

    server = await serve(dies_on_second, good)
    wire = open_wire(tls=trusting)
    await wire.request(make_call(server.url, b"1"))
    ping = make_call(server.url, b"2")
    await wire.request(ping)
    post = make_call(server.url, b"3", repeatable=False)
    await wire.request(post)
    assert ping.outcome is Outcome.ANSWERED
    assert (post.outcome, post.detail) == (Outcome.BROKEN, Detail.CLOSED_SILENTLY)
    assert server.requests == [b"1", b"2", b"2", b"3"]


async def test_a_flood_on_tls_is_not_read_to_its_end(serve, open_wire, make_call, good, trusting):
    """The limit holds for encrypted answers."""

    async def floods(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b"x" * 65_536)

    server = await serve(floods, good)
    wire = open_wire(tls=trusting)
    call = make_call(server.url)
    await wire.request(call)
    assert (call.outcome, call.detail) == (Outcome.OVERSIZE, Detail.BODY_TOO_LARGE)
    async with asyncio.timeout(5):
        await server.all_closed()


async def test_closing_while_shaking_hands_leaves_nothing_behind(
    serve, open_wire, make_call, until
):
    """A handshake under way is stopped with the wire."""

    async def mute(peer):
        await peer.gone()

    server = await serve(mute)
    wire = open_wire()
    call = make_call(server.url.replace("http:", "https:"))
    waiting = asyncio.create_task(wire.request(call))
    await until(lambda: server.accepted)
    await wire.close()
    await waiting
    assert (call.outcome, call.detail) == (Outcome.ABANDONED, Detail.WIRE_CLOSED)
    await server.all_closed()
