"""The link against servers that do not behave, and over doors that must be opened."""

import asyncio
import contextlib
import socket
import ssl
import subprocess

import pytest
import trustme

from exchange.market import function
from exchange.market.errors import FunctionError, MarketUnavailable
from exchange.market.link import Link
from exchange.stores.binaries import valkey_program
from tests.integration.market.making import a_function, until

SAYS_WHO_IT_IS = 2
"""Answers of a greeting that tell by what the server is known again."""
GREETING = b"%2\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$5\r\nproto\r\n:3\r\n" + b"$1\r\nx\r\n" * (
    SAYS_WHO_IT_IS + len(function.FUNCTIONS)
)


@contextlib.asynccontextmanager
async def serving(converse, greeting=GREETING):
    """A server that greets every link and then converses; the URL of it."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await reader.read(2**20)
            writer.write(greeting)
            await converse(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def scripted(answer):
    """A server that answers every packet with what `answer` makes of it; None: by breaking off."""

    async def converse(reader, writer):
        while data := await reader.read(2**20):
            reply = answer(data)
            if reply is None:
                writer.transport.abort()
                return
            writer.write(reply)

    return serving(converse)


def forgetful(data):
    commands = data.count(b"EVALSHA") + data.count(b"$4\r\nLOAD")
    return b"-NOSCRIPT No matching script.\r\n" * commands


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak RESP"),
        (lambda _: b"*-7\r\n$x\r\n", "does not speak RESP"),
        (lambda _: b"", r"no answer within 0\.2 s"),
        (lambda _: b"*3\r\n:1\r\n", r"no answer within 0\.2 s"),
        (lambda _: None, "the connection broke"),
        (lambda _: b"-LOADING Valkey is loading the dataset in memory\r\n", "LOADING"),
        (lambda _: b"-READONLY You can't write against a replica.\r\n", "READONLY"),
        (lambda _: b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "OOM"),
        (lambda _: b"-MISCONF Errors writing to the AOF file\r\n", "MISCONF"),
        (forgetful, "NOSCRIPT"),
    ],
)
async def test_a_server_that_misbehaves_is_an_outage_and_says_which(answer, problem):
    """Garbage, silence, half a reply, a reset, a refusal: MarketUnavailable, in time, named."""
    async with (
        scripted(answer) as url,
        Link(url, timeout_s=0.2) as link,
        asyncio.timeout(5),
    ):
        with pytest.raises(MarketUnavailable, match=problem):
            await link.call(function.CLAIM, ["k"], ("l", 1))


async def test_a_server_that_became_a_replica_is_left_for_whoever_is_reached_now():
    """Its name may lead to another one by then: the link connects anew."""
    replies = [b"-READONLY You can't write against a replica.\r\n", b"$5\r\nfirst\r\n"]
    async with scripted(lambda _: replies.pop(0)) as url, Link(url, timeout_s=5) as link:
        with pytest.raises(MarketUnavailable):
            await link.call(function.CLAIM, ["k"], ("l", 1))
        await until(lambda: link.generation > 1)
        assert await link.call(function.CLAIM, ["k"], ("l", 1)) == b"first"


async def test_a_reply_that_nobody_asked_for_ends_the_connection():
    """The stream would be out of step from then on: better a new one."""
    two = b"$1\r\na\r\n$1\r\nb\r\n"
    async with scripted(lambda _: two) as url, Link(url, timeout_s=5) as link:
        for count in range(1, 4):
            assert await link.call(function.CLAIM, ["k"], ("l", 1)) == b"a"
            await until(lambda count=count: link.is_up and link.generation > count)


async def test_replies_in_pieces_are_put_together():
    """Byte by byte, with an announcement in between: every caller gets its own."""

    async def converse(reader, writer):
        await reader.read(2**20)
        for byte in b"$1\r\na\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n$-1\r\n_\r\n$1\r\nb\r\n":
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        await reader.read(1)

    async with serving(converse) as url, Link(url, timeout_s=5) as link:
        calls = [link.call(function.CLAIM, ["k"], ("l", 1)) for _ in range(4)]
        assert await asyncio.gather(*calls) == [b"a", None, None, b"b"]


async def test_calls_of_one_turn_leave_in_one_write():
    """Twenty concurrent calls are one packet."""
    packets = []

    def answer(data):
        packets.append(data.count(b"EVALSHA"))
        return b"_\r\n" * packets[-1]

    async with scripted(answer) as url, Link(url, timeout_s=5) as link:
        await asyncio.gather(*[link.call(function.CLAIM, [f"k{n}"], ("l", 1)) for n in range(20)])
    assert packets == [20]


async def test_what_is_announced_is_heard_whenever_one_begins_to_listen(link):
    """Before or after the link was entered: the channel's messages come, and no others."""
    heard = []
    link.listen("news", heard.append)
    say = a_function("say", "return redis.call('PUBLISH', ARGV[1], ARGV[2])")
    await link.call(say, ["k"], ("other", "no"))
    assert await link.call(say, ["k"], ("news", "yes")) == 1
    await until(lambda: heard)
    assert heard == [b"yes"]


async def test_a_mistake_in_a_function_is_told_by_name(link):
    """It fails its caller alone, and says which function it was."""
    broken = a_function("broken", "return redis.call('GET')")
    good = link.call(function.ENROLLED, ["buyers"])
    with pytest.raises(FunctionError, match="function broken failed"):
        await link.call(broken, ["k"])
    assert await good == []
    assert link.is_up


async def test_a_readers_error_is_its_callers_alone(link):
    """What a caller makes of its reply cannot hurt the stream."""

    def stumble(_):
        raise ZeroDivisionError

    calls = [
        link.call(function.ENROLLED, ["buyers"]),
        link.call(function.ENROLLED, ["buyers"], take=stumble),
        link.call(function.ENROLLED, ["buyers"]),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [list, ZeroDivisionError, list]


async def test_a_replica_is_not_taken_for_a_market():
    """It could tell what was, and would take no hold."""

    async def converse(reader, _):
        await reader.read(1)

    replica = GREETING.replace(b"$6\r\nmaster", b"$7\r\nreplica")
    async with serving(converse, replica) as url, Link(url, timeout_s=5) as link:
        assert not link.is_up
        with pytest.raises(MarketUnavailable, match="it is a replica"):
            await link.call(function.ENROLLED, ["buyers"])


@pytest.fixture
def guarded(tmp_path):
    """The port of a Valkey that asks for a password."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(valkey_program()), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--requirepass", "s3cr:t/@", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.kill()


async def test_a_password_opens_and_a_wrong_one_is_told_without_showing_it(guarded):
    """Over TCP with a password and a database; the message never repeats the password."""
    async with Link(f"redis://:s3cr%3At%2F%40@127.0.0.1:{guarded}/3", timeout_s=5) as link:
        await until(lambda: link.is_up)
        assert await link.call(function.ENROL, ["buyers"], ("acme",)) == 1
    async with Link(f"redis://127.0.0.1:{guarded}/0", timeout_s=5) as link:
        with pytest.raises(MarketUnavailable, match="NOAUTH"):
            await link.call(function.ENROLLED, ["buyers"])
    async with Link(f"redis://:wr0ng@127.0.0.1:{guarded}/0", timeout_s=5) as link:
        with pytest.raises(MarketUnavailable, match="WRONGPASS") as failed:
            await link.call(function.ENROLLED, ["buyers"])
    assert "wr0ng" not in str(failed.value)


async def test_tls_is_verified(market_url, tmp_path):
    """A certificate of an authority that we trust is needed, else nothing is sent."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    path, _, options = market_url.removeprefix("unix://").partition("?")

    async def pump(reader, writer):
        while data := await reader.read(2**16):
            writer.write(data)
        writer.close()

    async def serve(reader, writer):
        far_reader, far_writer = await asyncio.open_unix_connection(path)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = f"rediss://localhost:{port}/{options.partition('=')[2]}"
    async with Link(url, timeout_s=10) as link:
        assert not link.is_up
        with pytest.raises(MarketUnavailable, match="certificate"):
            await link.call(function.ENROLLED, ["buyers"])
    async with Link(f"{url}?ssl_ca_certs={tmp_path}/ca.pem", timeout_s=10) as link:
        assert link.is_up
        assert await link.call(function.ENROL, ["buyers"], ("acme",)) == 1
    server.close()
    await server.wait_closed()


async def test_many_calls_of_one_function_are_taken_in_their_order_whatever_stands_between(link):
    """One future for all of them; other calls' replies come to those who asked."""
    keep = a_function("keep", "return redis.call('SET', KEYS[1], ARGV[1])")
    read = a_function("read", "return redis.call('GET', KEYS[1])")
    for n in range(5):
        await link.call(keep, [f"k{n}"], (n,))
    await link.call(read, ["k0"])
    taken = []
    before = link.call(read, ["k4"])
    many = link.call_each(read, read.pack_each(f"k{n}" for n in range(5)), 5, taken.append)
    after = link.call(read, ["k3"])

    await many
    assert await asyncio.gather(before, after) == [b"4", b"3"]
    assert taken == [b"0", b"1", b"2", b"3", b"4"]


async def test_of_many_calls_none_is_taken_after_one_that_failed(link):
    """A reply is never taken for another's, and the stream stays in step."""
    keep = a_function("keep", "return redis.call('SET', KEYS[1], '1')")
    read = a_function("read", "return redis.call('LRANGE', KEYS[1], 0, -1)")
    await link.call(keep, ["k1"])
    await link.call(read, ["k0"])
    taken = []

    with pytest.raises(FunctionError):
        await link.call_each(read, read.pack_each(["k0", "k1", "k2"]), 3, taken.append)

    assert await link.call(read, ["k2"]) == []
    assert taken == [[]]


async def test_many_calls_of_a_function_that_was_forgotten_teach_it_again():
    """They fail this once, for whoever asks for many asks again; the next ones are answered."""
    taught = []

    def answer(data):
        taught.append(data.count(b"$4\r\nLOAD"))
        if taught[-1]:
            return b"$1\r\nx\r\n" * taught[-1]
        replies = data.count(b"EVALSHA")
        return (b"*0\r\n" if any(taught) else b"-NOSCRIPT No matching script.\r\n") * replies

    async with scripted(answer) as url, Link(url, timeout_s=5) as link:
        packed, taken = function.COUNTERS.pack_each(["a", "b"]), []
        with pytest.raises(MarketUnavailable, match="NOSCRIPT"):
            await link.call_each(function.COUNTERS, packed, 2, taken.append)
        await until(lambda: any(taught))

        await link.call_each(function.COUNTERS, packed, 2, taken.append)
        assert taken == [[], []]
        assert link.generation == 1


async def test_many_calls_on_a_connection_that_breaks_fail_and_are_not_repeated():
    """Some of the replies were taken: the rest is asked for anew."""
    asked = []

    async def converse(reader, writer):
        asked.append((await reader.read(2**20)).count(b"EVALSHA"))
        writer.write(b"$1\r\na\r\n")
        writer.close()

    async with serving(converse) as url, Link(url, timeout_s=5) as link:
        taken = []
        packed = function.CLAIM.pack_each(["k1", "k2", "k3"])
        with pytest.raises(MarketUnavailable):
            await link.call_each(function.CLAIM, packed, 3, taken.append)
        assert taken == [b"a"]
        assert asked[0] == 3


async def test_it_is_known_for_how_long_the_oldest_call_waits():
    """From the moment it was made until its reply is there; without any it is 0."""
    asked, answers = asyncio.Event(), asyncio.Event()

    async def converse(reader, writer):
        await reader.read(2**20)
        asked.set()
        await answers.wait()
        writer.write(b":1\r\n")
        await reader.read(2**20)

    async with serving(converse) as url, Link(url, timeout_s=5) as link:
        assert link.waiting_ms == 0
        call = link.call(a_function("one", "return 1"), ["k"])
        await asked.wait()
        before = link.waiting_ms
        assert before > 0
        await until(lambda: link.waiting_ms > before)
        answers.set()
        assert await call == 1
        assert link.waiting_ms == 0
