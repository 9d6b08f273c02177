"""A head is plain if it can be read in one way only; it is read once."""

import pytest

from exchange.web.accept import JSON
from exchange.web.heads import KEPT_MAX, Heads

LEAD = b"POST /v1/leads HTTP/1.1\r\nHost: x\r\n"
LENGTH = b"Content-Length: 1\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/leads HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        b"POST /v1/leads HTTP/1.1\nContent-Length: 0\n\n",
        b"POST  /v1/leads HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST http://x/v1/leads HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"post /v1/leads HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"CONNECT /v1/leads HTTP/1.1\r\n\r\n",
        b"\r\n" + LEAD + LENGTH + b"\r\n",
        LEAD + LENGTH,
        LEAD + LENGTH + b"Content-Length: 1\r\n\r\n",
        LEAD + LENGTH + b"Content-Length: 2\r\n\r\n",
        LEAD + b"Content-Length: 1, 1\r\n\r\n",
        LEAD + b"Content-Length: -1\r\n\r\n",
        LEAD + b"Content-Length: +1\r\n\r\n",
        LEAD + b"Content-Length: 0x1\r\n\r\n",
        LEAD + b"Content-Length:\r\n\r\n",
        LEAD + b"Content-Length : 1\r\n\r\n",
        LEAD + b"Content-Length: 1 \r\n\r\n",
        LEAD + b"Content-Length: 1\r\n folded\r\n\r\n",
        LEAD + LENGTH + b"X-Note: a\tb\r\n\r\n",
        LEAD + LENGTH + b"X-Note: \xe4\r\n\r\n",
        LEAD + LENGTH + b"X-Note: a\nContent-Length: 2\r\n\r\n",
        LEAD + LENGTH + b"X-Note: a\rContent-Length: 2\r\n\r\n",
        LEAD + LENGTH + b"X-Note\r\n\r\n",
        LEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n",
        LEAD + LENGTH + b"Expect: 100-continue\r\n\r\n",
        LEAD + LENGTH + b"Upgrade: h2c\r\n\r\n",
        LEAD + LENGTH + b"Connection: close\r\n\r\n",
        LEAD + LENGTH + b"Connection: keep-alive, close\r\n\r\n",
        LEAD + LENGTH + b"Connection: keep-alive\r\nConnection: close\r\n\r\n",
        LEAD + LENGTH + b"Proxy-Connection: close\r\n\r\n",
        LEAD + LENGTH + b"Content-Encoding: gzip\r\n\r\n",
        LEAD + LENGTH + b"".join(b"X-%d: 1\r\n" % n for n in range(65)) + b"\r\n",
        LEAD + LENGTH + b"X-Note: " + b"1" * 4096 + b"\r\n\r\n",
        b"POST /" + b"1" * 3000 + b" HTTP/1.1\r\n\r\n",
        b"",
        b"POST /v1/leads HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        LEAD + b"host: y\r\n" + LENGTH + b"\r\n",
        LEAD + LENGTH + b"X-Note: 1\r\nx-note: 1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_could_be_read_otherwise_is_not_plain(head):
    """Other versions, spellings and framings, and wishes that are seldom met."""
    assert Heads().read(head) is None


@pytest.mark.parametrize(
    ("line", "route", "ping_id"),
    [
        (b"POST /v1/leads", "/v1/leads", None),
        (b"POST /v1/pings", "/v1/pings", None),
        (b"POST /v1/pings/a-B_0.9/post", "/v1/pings/{ping_id}/post", "a-B_0.9"),
        (b"POST /v1/pings/a%2fb/post", None, None),
        (b"POST /v1/pings//post", None, None),
        (b"POST /v1/leads?x=1", None, None),
        (b"POST /v1/leads/", None, None),
        (b"POST /v1/Leads", None, None),
        (b"GET /v1/leads", None, None),
        (b"HEAD /v1/leads", None, None),
    ],
)
def test_only_posts_of_leads_pings_and_quotes_are_answered_the_short_way(line, route, ping_id):
    """Of all else it is only known where it ends."""
    plain = Heads().read(line + b" HTTP/1.1\r\nhost: x\r\ncontent-length:  5\r\n\r\n12")
    assert (plain.route, plain.ping_id, plain.length) == (route, ping_id, 5)


def test_a_request_without_a_length_has_no_body():
    head = b"GET /v1/leads/x HTTP/1.1\r\nHost: x\r\n\r\n"
    plain = Heads().read(head + b"rest")
    assert (plain.size, plain.length, plain.route) == (len(head), 0, None)
    assert Heads().read(LEAD + b"\r\n").route is None


def test_a_head_says_what_its_headers_say_in_any_case():
    """As with the framework's own headers."""
    data = (
        LEAD
        + LENGTH
        + (
            b"AUTHORIZATION: bearer  k 1\r\nX-API-Key: third\r\n"
            b"content-type: text/xml; charset=utf-8\r\nAccept: text/xml\r\n"
            b"Idempotency-Key: once\r\n"
            b"Connection: Keep-Alive\r\nX-Empty:\r\nX-Blank: \r\n\r\n"
        )
    )
    head = Heads().read(data).head
    assert head.key == "k 1"
    assert head.content_type == "text/xml; charset=utf-8"
    assert (head.accept, head.once, head.path) == ("text/xml", "once", "/v1/leads")
    assert "k 1" not in repr(head)


def test_a_key_of_its_own_header_and_the_usual_answer():
    head = Heads().read(LEAD + LENGTH + b"X-API-Key: third\r\nAccept: */*\r\n\r\n").head
    assert (head.key, head.accept, head.content_type, head.once) == ("third", JSON, "", None)


def test_a_head_that_comes_again_is_known_and_few_are_kept():
    """Those with a key of their own are not kept at all."""
    heads = Heads()
    first = heads.read(LEAD + LENGTH + b"\r\n1")
    assert heads.read(LEAD + LENGTH + b"\r\n2") is first
    heads.read(LEAD + LENGTH + b"Idempotency-Key: 1\r\n\r\n")
    heads.read(b"GET /v1/leads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(heads.known) == 1
    for number in range(2 * KEPT_MAX):
        heads.read(LEAD + b"Content-Length: %d\r\n\r\n" % number)
        assert len(heads.known) <= KEPT_MAX
