"""What an encrypted line makes of every way in which bytes, records and goodbyes may come."""

import contextlib
import itertools
import ssl

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.wire.line import READ_BYTES, READ_FIRST_BYTES
from exchange.wire.tls import WORDLESS_BYTES_MAX, Cipher, TlsLine, client_tls

AUTHORITY = trustme.CA()
REQUEST = b"POST /ping HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


def server_context(*, oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = oldest, newest
    AUTHORITY.issue_cert("a.example").configure_cert(context)
    return context


def client_context():
    context = client_tls()
    AUTHORITY.configure_trust(context)
    return context


SERVING = {
    "1.3": server_context(),
    "1.2": server_context(newest=ssl.TLSVersion.TLSv1_2),
}
TRUSTING = client_context()


class Loop:
    """A loop that notes who waits for what, and turns when it is told to."""

    def __init__(self):
        self.readers, self.writers, self.soon = {}, {}, []

    def add_reader(self, number, callback):
        self.readers[number] = callback

    def add_writer(self, number, callback):
        self.writers[number] = callback

    def remove_reader(self, number):
        self.readers.pop(number, None)

    def remove_writer(self, number):
        self.writers.pop(number, None)

    def call_soon(self, callback, *arguments):
        self.soon.append((callback, arguments))

    def turn(self):
        while self.soon:
            callback, arguments = self.soon.pop(0)
            callback(*arguments)


class Sock:
    """A socket by a script: what it takes at a time, and what comes in."""

    def __init__(self, takes=()):
        self.takes = list(takes)  # so many bytes each time; then all
        self.sent = bytearray()
        self.coming = []  # bytes, b"" for the end, or an error
        self.closed = False

    def fileno(self):
        return 7

    def send(self, data):
        takes = self.takes.pop(0) if self.takes else len(data)
        if isinstance(takes, OSError):
            raise takes
        if not takes and data:
            raise BlockingIOError
        self.sent += bytes(data[:takes])
        return min(takes, len(data))

    def recv(self, size):
        if not self.coming:
            raise BlockingIOError
        piece = self.coming.pop(0)
        if isinstance(piece, OSError):
            raise piece
        if len(piece) > size:
            self.coming.insert(0, piece[size:])
        elif not piece:
            self.coming.insert(0, b"")
        return piece[:size]

    def close(self):
        self.closed = True


class Heard:
    """A protocol that notes what it hears."""

    def __init__(self):
        self.words, self.pieces, self.lost = b"", [], []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.words += data
        self.pieces.append(data)

    def connection_lost(self, error):
        self.lost.append(error)


class Ends:
    """A line and the server that it speaks to, joined by hand."""

    def __init__(self, version="1.3", takes=(), context=TRUSTING, session=None):
        self.loop, self.sock, self.heard, self.sessions = Loop(), Sock(), Heard(), []
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = SERVING[version].wrap_bio(self.incoming, self.outgoing, server_side=True)
        cipher = Cipher(context, "a.example", session)
        for _ in range(3):
            for side in (cipher.tls, self.server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                self.incoming.write(cipher.outgoing.read())
                if side is cipher.tls:
                    continue
                cipher.incoming.write(self.outgoing.read())
        self.line = TlsLine(self.loop, self.sock, self.heard, cipher, self.sessions.append)
        self.sock.takes = list(takes)

    def say(self, words, cuts=()):
        """The server says something; it arrives in pieces, cut at these places."""
        while words:
            words = words[self.server.write(words) :]
        raw = self.outgoing.read()
        places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
        self.arrive(*(raw[a:b] for a, b in itertools.pairwise(places)))

    def arrive(self, *pieces):
        """Each piece is there when the loop looks; it looks until nothing is."""
        for piece in pieces:
            self.sock.coming.append(piece)
            while self.loop.readers and self.sock.coming:
                self.loop.readers[7]()
                if self.sock.coming == [b""]:
                    break

    def writable(self):
        while self.loop.writers:
            self.loop.writers[7]()

    def read(self):
        """All that the server was told, decrypted; None at the end for a goodbye."""
        self.incoming.write(bytes(self.sock.sent))
        self.sock.sent.clear()
        told = []
        try:
            while data := self.server.read(65_536):
                told.append(data)
            told.append(None)
        except ssl.SSLZeroReturnError:  # the same, where the server has said it before
            told.append(None)
        except ssl.SSLWantReadError:
            pass
        return told


versions = pytest.mark.parametrize("version", SERVING)


@versions
@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 200_000), max_size=12),
)
def test_words_are_heard_whole_however_records_are_cut(version, words, cuts):
    """Bytes one by one, half records, several at once: the same words in the same order."""
    ends = Ends(version)
    for each in words:
        ends.say(each, cuts)
    assert ends.heard.words == b"".join(words)
    assert ends.heard.lost == []


@versions
def test_records_that_came_in_one_read_are_heard_at_once(version):
    """As on a plain line: a second answer is seen to be too many before the next call is sent."""
    ends = Ends(version)
    ends.server.write(b"one answer")
    ends.say(b"and another")
    assert ends.heard.pieces == [b"one answerand another"]


@versions
@settings(deadline=None, max_examples=60)
@given(
    requests=st.lists(st.binary(min_size=1, max_size=50_000), min_size=1, max_size=4),
    takes=st.lists(st.integers(0, 30_000), max_size=20),
)
def test_requests_arrive_whole_however_little_the_socket_takes(version, requests, takes):
    """A record that went out in two halves is one record; what is behind it waits."""
    ends = Ends(version, takes)
    for request in requests:
        ends.line.write(request)
    ends.writable()
    assert b"".join(ends.read()) == b"".join(requests)
    assert not ends.loop.writers


@versions
def test_answers_are_heard_while_a_request_is_still_going_out(version):
    """Reading does not wait for writing."""
    ends = Ends(version, takes=[1000, 0])
    ends.line.write(b"x" * 16_000)
    ends.say(b"too large")
    assert ends.heard.words == b"too large"
    ends.writable()
    assert b"".join(ends.read()) == b"x" * 16_000


@versions
def test_a_goodbye_ends_the_line_well(version):
    """And is returned, so that the server, too, knows that nothing was cut off."""
    ends = Ends(version)
    ends.say(b"the last words")
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    ends.arrive(ends.outgoing.read())
    ends.loop.turn()
    assert ends.heard.words == b"the last words"
    assert ends.heard.lost == [None]
    assert ends.sock.closed
    assert not ends.loop.readers
    assert ends.read() == [None]


@versions
@pytest.mark.parametrize("half", [0, 10])
def test_an_end_without_a_goodbye_is_a_fault(version, half):
    """Between records or inside one: what was said may have lost its end."""
    ends = Ends(version)
    ends.say(b"half of")
    ends.server.write(b"the rest")
    ends.arrive(ends.outgoing.read()[:half], b"") if half else ends.arrive(b"")
    ends.loop.turn()
    assert ends.heard.words == b"half of"
    (error,) = ends.heard.lost
    assert isinstance(error, ssl.SSLError)


@versions
def test_a_changed_byte_is_a_fault_and_the_server_is_told(version):
    """A record that was tampered with is not heard."""
    ends = Ends(version)
    ends.server.write(b"words")
    raw = bytearray(ends.outgoing.read())
    raw[-1] ^= 1
    ends.arrive(bytes(raw))
    ends.loop.turn()
    assert ends.heard.words == b""
    (error,) = ends.heard.lost
    assert isinstance(error, ssl.SSLError)
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        ends.read()


@versions
def test_closing_says_goodbye(version):
    """Also `abort`: the server is not left to guess."""
    ends = Ends(version)
    ends.line.abort()
    ends.loop.turn()
    assert ends.read() == [None]
    assert ends.heard.lost == [None]


@pytest.mark.parametrize("takes", [[0], [5]])
def test_no_goodbye_is_said_into_half_a_record(takes):
    """It would be garbage there."""
    ends = Ends(takes=takes)
    ends.line.write(REQUEST)
    sent = bytes(ends.sock.sent)
    ends.line.close()
    assert bytes(ends.sock.sent) == sent
    assert ends.sock.closed
    assert not ends.loop.writers


@versions
@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()])
def test_a_socket_that_fails_is_lost_once(version, error):
    """While reading, while writing, while writing on: one end, told in the next turn."""
    for fails in ("read", "write", "write on"):
        ends = Ends(version, takes=[0, error] if fails == "write on" else [])
        if fails == "read":
            ends.arrive(error)
        elif fails == "write":
            ends.sock.takes = [error]
            ends.line.write(REQUEST)
        else:
            ends.line.write(REQUEST)
            ends.writable()
        assert ends.heard.lost == []
        ends.line.write(REQUEST)
        ends.line.abort()
        ends.loop.turn()
        assert ends.heard.lost == [error]


def test_an_error_behind_a_large_piece_comes_after_it():
    """What had arrived before the reset is heard; that it was cut off is not forgotten."""
    ends = Ends()
    ends.server.write(b"x" * 5000)
    raw = ends.outgoing.read()
    ends.sock.coming = [raw[:READ_FIRST_BYTES], ConnectionResetError()]
    ends.loop.readers[7]()
    ends.loop.turn()
    (error,) = ends.heard.lost
    assert isinstance(error, ConnectionResetError)


def test_words_that_came_with_the_handshake_are_not_left_lying():
    """Nothing would tell of them: the socket is empty."""
    ends = Ends()
    assert not ends.line.incoming.pending
    assert ends.line.quiet.__self__ is ends.line


def test_half_a_record_is_not_quiet():
    """A connection on which something is coming gets no post, whatever came before it."""
    for before in (b"", b"an answer"):
        ends = Ends()
        if before:
            ends.server.write(before)
        whole = len(before) and ends.outgoing.pending
        ends.server.write(b"unasked")
        ends.arrive(ends.outgoing.read()[: whole + 9])
        assert ends.heard.words == before
        assert not ends.line.quiet()


@versions
def test_a_session_is_kept_and_gone_on_with(version):
    """The second handshake with a server is a short one."""
    first = Ends(version)
    first.say(b"words")
    (session,) = first.sessions
    second = Ends(version, session=session)
    second.say(b"words")
    assert second.server.session_reused
    assert second.heard.words == b"words"


class Fragmented(ssl.SSLObject):
    """Stands for OpenSSL inside a message of its own that came by halves: it must read first."""

    waits = 0

    def write(self, data):
        if type(self).waits:
            type(self).waits -= 1
            raise ssl.SSLWantReadError
        return super().write(data)


def test_a_write_that_must_wait_for_a_read_goes_out_after_it():
    """In order, and once."""
    context = client_context()
    context.sslobject_class = Fragmented
    ends = Ends(context=context)
    Fragmented.waits = 2
    ends.line.write(b"first")
    ends.line.write(b"second")
    assert ends.read() == []
    ends.say(b"now")
    assert b"".join(ends.read()) == b"firstsecond"
    assert ends.heard.words == b"now"


class Wordless(ssl.SSLObject):
    """Stands for a server that sends much and says nothing."""

    mute = False

    def read(self, *arguments):
        if type(self).mute:
            raise ssl.SSLWantReadError
        return super().read(*arguments)


def test_who_sends_without_a_word_is_not_listened_to_for_ever():
    """Several records may be under way; endless ones may not."""
    context = client_context()
    context.sslobject_class = Wordless
    ends = Ends(context=context)
    Wordless.mute = True
    ends.arrive(*[b"x" * 1000] * (WORDLESS_BYTES_MAX // 1000))
    ends.loop.turn()
    assert ends.heard.lost == []
    ends.arrive(b"x" * 1000)
    Wordless.mute = False
    ends.loop.turn()
    assert len(ends.heard.lost) == 1
    assert READ_BYTES < WORDLESS_BYTES_MAX
