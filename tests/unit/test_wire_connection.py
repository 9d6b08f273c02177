"""A connection reads what any server may send, however it is cut into pieces."""

import gc
import re
import weakref
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.connection import KNOWN_HEAD_MAX, KNOWN_HEADS_MAX, Connection, Limits
from exchange.wire.endpoint import compile_endpoint
from exchange.wire.pool import Pool
from exchange.wire.states import TRANSITIONS, Event, State

ENDPOINT = compile_endpoint("http://a.example/ping")
LIMITS = Limits(answer_max_bytes=1000, head_bytes_max=400)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Line:
    """A transport that notes what was done with it."""

    def __init__(self):
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += data

    def abort(self):
        self.closed = True

    def quiet(self):
        return not self.closed


class Listener:
    """An owner that notes what it heard."""

    def __init__(self):
        self.heard = []
        self.gone_count = 0

    def made(self, connection):
        connection.stand(0.0)

    def answered(self, connection, call, head, body):
        assert isinstance(call, Call)
        self.heard.append((head.status, body, head.keep))
        connection.idle_since = 0.0
        if not head.keep:
            connection.shut()

    def failed(self, _connection, _call, outcome, why):
        self.heard.append((outcome, why))

    def gone(self, _connection):
        self.gone_count += 1


def connect(limits=LIMITS):
    listener, line = Listener(), Line()
    connection = Connection(listener, Pool(), limits)
    connection.connection_made(line)
    carry(connection)
    return connection, line, listener


def carry(connection):
    connection.call = Call(ENDPOINT, ENDPOINT.request(b"{}"), 100.0)


def feed(connection, line, pieces):
    for piece in pieces:
        if not line.closed:
            connection.data_received(piece)


ANSWERS = {
    "with a length": (OK, (200, b"hi", True)),
    "without a body": (b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", (204, b"", True)),
    "chunked": (
        CHUNKED + b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        (200, b"abcde", True),
    ),
    "chunked with a trailer": (
        CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n\r\n",
        (200, b"a", True),
    ),
    "that closes": (
        b"HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        (500, b"x", False),
    ),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", (200, b"x", False)),
    "after interim ones": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        (200, b"hi", True),
    ),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
}


@pytest.mark.parametrize(("sent", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_every_form_of_answer_is_read(sent, expected):
    """Lengths, chunks, trailers, interim answers, none at all."""
    connection, line, listener = connect()
    feed(connection, line, [sent])
    assert listener.heard == [expected]
    assert connection.head == b""
    assert connection.call is None


@given(sent=st.sampled_from(list(ANSWERS.values())), cuts=st.lists(st.integers(0, 200)))
def test_an_answer_reads_the_same_however_it_is_cut(sent, cuts):
    """TCP keeps no borders: any cut gives the same status, body and fate of the connection."""
    raw, expected = sent
    connection, line, listener = connect()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    feed(connection, line, [raw[a:b] for a, b in pairwise(places)])
    assert listener.heard == [expected]


@given(st.lists(st.binary(max_size=120), max_size=8))
def test_nothing_that_a_server_sends_raises(pieces):
    """Garbage ends as one outcome at most."""
    connection, line, listener = connect()
    feed(connection, line, pieces)
    connection.connection_lost(None)
    assert len(listener.heard) == 1
    assert listener.gone_count == 1


@given(st.sampled_from(list(ANSWERS.values())), st.data())
def test_a_changed_byte_never_raises(sent, data):
    """Almost right is harder than garbage; it ends once, too."""
    raw = bytearray(sent[0])
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    connection, line, listener = connect()
    feed(connection, line, [bytes(raw)])
    connection.connection_lost(None)
    assert len(listener.heard) == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"SSH-2.0-OpenSSH\r\n", (Outcome.BAD_HTTP, Detail.NONE)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n", (Outcome.BAD_HTTP, Detail.NONE)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
            (Outcome.BAD_HTTP, Detail.NONE),
        ),
        (
            b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            (Outcome.BAD_HTTP, Detail.UPGRADE_REFUSED),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, (Outcome.BAD_HTTP, Detail.NONE)),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500 + b"\r\nContent-Length: 0\r\n\r\n",
            (Outcome.OVERSIZE, Detail.HEAD_TOO_LARGE),
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500, (Outcome.OVERSIZE, Detail.HEAD_TOO_LARGE)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"z" * 1001,
            (Outcome.OVERSIZE, Detail.BODY_TOO_LARGE),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * 1001, (Outcome.OVERSIZE, Detail.BODY_TOO_LARGE)),
    ],
)
def test_what_is_no_answer_ends_the_connection(sent, expected):
    """Garbage, contradictions, upgrades and floods are an outcome, and nothing more is read."""
    connection, line, listener = connect()
    feed(connection, line, [sent])
    assert listener.heard == [expected]
    assert line.closed


def test_a_body_of_exactly_the_limit_is_read():
    """The limit itself is allowed."""
    connection, line, listener = connect()
    feed(connection, line, [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"z" * 1000])
    assert listener.heard == [(200, b"z" * 1000, True)]


def test_chunk_framing_cannot_go_on_forever():
    """Endless chunk extensions are no body, and are not read without end either."""
    connection, line, listener = connect()
    feed(connection, line, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"])
    feed(connection, line, [b"x" * 100] * 100)
    assert listener.heard == [(Outcome.OVERSIZE, Detail.BODY_TOO_LARGE)]
    assert connection.received < 10_000


def test_no_more_than_the_limit_is_kept():
    """Of a body that is too large nothing beyond the limit stays in memory."""
    connection, line, _ = connect()
    feed(connection, line, [b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"z" * 90_000])
    assert len(connection.body) <= 1000


def test_an_answer_without_a_length_ends_with_the_connection():
    """Old servers close to say that the body is whole."""
    connection, line, listener = connect()
    feed(connection, line, [b"HTTP/1.1 200 OK\r\nServer: old\r\n\r\n", b"he", b"llo"])
    assert listener.heard == []
    connection.connection_lost(None)
    assert listener.heard == [(200, b"hello", False)]


@pytest.mark.parametrize(
    ("sent", "error", "why"),
    [
        (b"", None, Detail.CLOSED_SILENTLY),
        (b"", ConnectionResetError(), Detail.CLOSED_SILENTLY),
        (b"HTTP/1.1 200 OK\r\nServer: o", None, Detail.CLOSED_HALFWAY),
        (b"\r\n\r\n", None, Detail.CLOSED_HALFWAY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhe", None, Detail.CLOSED_HALFWAY),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
            None,
            Detail.CLOSED_HALFWAY,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhe", ConnectionResetError(), Detail.CLOSED_HALFWAY),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None, Detail.CLOSED_HALFWAY),
    ],
)
def test_a_connection_that_ends_too_early_breaks_its_call(sent, error, why):
    """A part of an answer is never taken for a whole one."""
    connection, line, listener = connect()
    feed(connection, line, [sent] if sent else [])
    connection.connection_lost(error)
    assert listener.heard == [(Outcome.BROKEN, why)]
    assert listener.gone_count == 1


@pytest.mark.parametrize("extra", [b"x", OK, OK[:9], b"HTTP/1.1 200 OK\r\n\r\n", b"\x00"])
@pytest.mark.parametrize(
    "form", ["with a length", "chunked", "without a body", "after interim ones"]
)
def test_bytes_after_an_answer_end_the_connection_not_the_answer(form, extra):
    """What follows an answer could be read as the next one: the connection is not kept."""
    raw, (status, body, _) = ANSWERS[form]
    connection, line, listener = connect()
    feed(connection, line, [raw + extra])
    assert listener.heard == [(status, body, False)]


PIECES = [
    *(raw for raw, _ in ANSWERS.values()),
    OK + b"x",
    OK[:-1],
    OK.replace(b"2", b"3"),
    OK.replace(b"hi", b"ho"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\n\r\nhi",
    CHUNKED,
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b"2\r\nhi\r\n0\r\n\r\n",
    b"hi",
]


class Forgetful(dict):
    """Heads that are never known again: the parser reads every answer."""

    def get(self, _head):
        return None


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), max_size=6))
def test_a_known_head_is_read_as_the_parser_would(answers):
    """Over many connections to one host, whose heads are known or not: the same is heard."""
    heard = []
    for heads in ({}, Forgetful()):
        listener, pool = Listener(), Pool()
        pool.heads = heads
        for pieces in answers * 2:
            line, connection = Line(), Connection(listener, pool, LIMITS)
            connection.connection_made(line)
            for piece in pieces:
                if connection.call is None and not line.closed:
                    carry(connection)
                feed(connection, line, [piece])
            listener.heard.append(line.closed)
            connection.connection_lost(None)
        heard.append(listener.heard)
    assert heard[0] == heard[1]


@given(st.sampled_from(list(ANSWERS.values())), st.data())
def test_a_changed_byte_is_seen_in_a_known_head(sent, data):
    """Once known is not trusted for ever: any other byte is the parser's business again."""
    raw = bytearray(sent[0])
    heard = []
    at, byte = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 255))
    for known in (True, False):
        listener, pool = Listener(), Pool()
        for piece in (sent[0], bytes(raw[:at] + bytes([byte]) + raw[at + 1 :])):
            line, connection = Line(), Connection(listener, pool, LIMITS)
            connection.connection_made(line)
            carry(connection)
            feed(connection, line, [piece])
            connection.connection_lost(None)
            if not known:
                pool.heads.clear()
        heard.append(listener.heard)
    assert heard[0] == heard[1]


def test_heads_are_not_kept_without_end():
    """A host that never says the same twice fills no memory."""
    connection, line, listener = connect()
    for number in range(3 * KNOWN_HEADS_MAX):
        if number:
            carry(connection)
        feed(connection, line, [b"HTTP/1.1 204 No Content\r\nX: %d\r\n\r\n" % number])
    assert len(listener.heard) == 3 * KNOWN_HEADS_MAX
    assert 0 < len(connection.heads) <= KNOWN_HEADS_MAX


def test_a_very_long_head_is_not_kept():
    """It is read, each time."""
    connection, line, listener = connect(Limits())
    feed(connection, line, [b"HTTP/1.1 204 N\r\nX: " + b"x" * KNOWN_HEAD_MAX + b"\r\n\r\n"])
    assert listener.heard == [(204, b"", True)]
    assert not connection.heads


def test_a_byte_that_nobody_asked_for_ends_the_connection():
    """An idle connection that speaks is closed before a call could take it for its answer."""
    connection, line, listener = connect()
    feed(connection, line, [OK])
    feed(connection, line, [b"H"])
    assert line.closed
    assert len(listener.heard) == 1


def test_one_parser_reads_many_answers():
    """A kept connection starts anew for every call."""
    connection, line, listener = connect()
    kept = [(raw, expected) for raw, expected in ANSWERS.values() if expected[2]]
    for raw, _ in kept:
        carry(connection)
        feed(connection, line, [raw])
    assert listener.heard == [expected for _, expected in kept]


@pytest.mark.parametrize(
    ("header", "idle_s"),
    [
        (b"Keep-Alive: timeout=5, max=100\r\n", 4.5),
        (b"keep-alive: max=3, timeout=2\r\n", 1.5),
        (b"Keep-Alive: timeout=9999\r\n", 15.0),
        (b"", 15.0),
        (b"X: timeout=1\r\n", 15.0),
    ],
)
def test_a_server_says_how_long_it_keeps_a_connection(header, idle_s):
    """It is believed where it is less than our own limit, with a margin."""
    connection, line, _ = connect()
    feed(connection, line, [b"HTTP/1.1 200 OK\r\n" + header + b"Content-Length: 0\r\n\r\n"])
    assert connection.usable(idle_s - 0.01, repeatable=True)
    assert not connection.usable(idle_s, repeatable=True)


def test_a_call_that_must_not_be_sent_twice_gets_a_fresh_connection():
    """A connection that was idle may be dying unseen; only a repeatable call risks it."""
    connection, line, _ = connect()
    feed(connection, line, [OK])
    assert connection.usable(1.0, repeatable=False)
    assert not connection.usable(1.1, repeatable=False)
    assert connection.usable(1.1, repeatable=True)


def test_a_closed_connection_leaves_no_cycle_behind():
    """Parser, transport and connection let go of each other: nothing waits for the collector."""
    connection, line, listener = connect()
    feed(connection, line, [OK])
    connection.connection_lost(None)
    held = weakref.ref(listener)
    gc.disable()
    try:
        del connection, listener
        assert held() is None
    finally:
        gc.enable()


def test_a_call_shows_nothing_of_what_it_carries():
    """A post holds a person; a log or a trace that prints the call must not."""
    call = Call(ENDPOINT, ENDPOINT.request(b"canary"), 100.0)
    call.body = b"canary"
    assert "canary" not in repr(call) + str(list(call.__rich_repr__()))


def test_interim_answers_are_counted_for_each_answer_alone():
    """Early hints before every answer of a kept connection: the hundredth is read as the first."""
    connection, line, listener = connect()
    feed(connection, line, [OK])
    for _ in range(100):
        carry(connection)
        feed(connection, line, [b"HTTP/1.1 103 Early Hints\r\n", b"\r\n", OK])
    assert listener.heard == [(200, b"hi", True)] * 101


def given(connection, _line):
    carry(connection)


def answered(connection, line):
    feed(connection, line, [OK])


def answered_last(connection, line):
    feed(connection, line, [OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])


def given_up(connection, _line):
    connection.call.outcome = Outcome.TIMEOUT


def spoken_to(connection, line):
    feed(connection, line, [b"H"])


def unreadable(connection, line):
    feed(connection, line, [b"SSH-2.0-OpenSSH\r\n"])


def lost(connection, _line):
    connection.connection_lost(None)


def shut(connection, _line):
    connection.shut()


def stands(connection, line):
    connection.connection_made(line)


HAPPEN = {
    Event.STANDS: stands,
    Event.GIVEN: given,
    Event.ANSWERED: answered,
    Event.ANSWERED_LAST: answered_last,
    Event.GIVEN_UP: given_up,
    Event.UNASKED: spoken_to,
    Event.UNREADABLE: unreadable,
    Event.LOST: lost,
    Event.SHUT: shut,
}
WAYS = {
    State.OPENING: [],
    State.IDLE: [Event.STANDS],
    State.ASKED: [Event.STANDS, Event.GIVEN],
    State.LATE: [Event.STANDS, Event.GIVEN, Event.GIVEN_UP],
}


@pytest.mark.parametrize(("state", "event"), TRANSITIONS, ids=str)
def test_a_connection_becomes_what_the_table_says(state, event):
    """Every line of it, on a connection that came there by lines of it."""
    line, connection = Line(), Connection(Listener(), Pool(), LIMITS)
    for each in WAYS[state]:
        HAPPEN[each](connection, line)
    assert connection.state is state
    HAPPEN[event](connection, line)
    assert connection.state is TRANSITIONS[state, event]


def test_the_page_draws_the_table():
    """Each state with all that may become of it, and nothing else."""
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = set()
    for state in WAYS:
        (row,) = re.findall(rf"^\| {state} \| (.*) \|$", page, re.MULTILINE)
        for part in row.split(" · "):
            events, _, then = part.rpartition(": ")
            drawn |= {(state, Event(event), State(then)) for event in events.split(", ")}
    assert drawn == {(state, event, then) for (state, event), then in TRANSITIONS.items()}
