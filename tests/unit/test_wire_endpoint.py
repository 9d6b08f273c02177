"""An endpoint is checked before anything is sent to it."""

import pytest

from exchange.wire.endpoint import EndpointError, compile_endpoint, header_line


def test_a_request_is_whole_and_exact():
    """The prepared head, the call's own headers, the length and the pieces of the body."""
    endpoint = compile_endpoint(
        "https://bids.acme.example/ping?x=1#part", headers={"Content-Type": "application/json"}
    )
    assert endpoint.request(b'{"a":', b"1}", headers=header_line("webhook-id", "7")) == (
        b"POST /ping?x=1 HTTP/1.1\r\nHost: bids.acme.example\r\nContent-Type: application/json\r\n"
        b'webhook-id: 7\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )


def test_a_large_body_is_counted_too():
    """The length is right beyond the lengths that were prepared."""
    assert b"\r\nContent-Length: 5000\r\n" in compile_endpoint("http://a.example").request(
        b"x" * 5000
    )


def test_a_get_without_a_body_says_no_length():
    """A GET ends with its head."""
    request = compile_endpoint("http://a.example/x", method="GET").request()
    assert request == b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "named"),
    [
        ("http://a.example", "http", "a.example", 80, b"a.example"),
        ("http://A.example.:80/", "http", "a.example", 80, b"a.example"),
        ("https://a.example:8443/", "https", "a.example", 8443, b"a.example:8443"),
        ("http://[::1]:8080/", "http", "::1", 8080, b"[::1]:8080"),
        ("https://127.0.0.1/", "https", "127.0.0.1", 443, b"127.0.0.1"),
    ],
)
def test_a_url_is_taken_apart(url, scheme, host, port, named):
    """Host and port as the resolver takes them, the Host header as HTTP wants it."""
    endpoint = compile_endpoint(url)
    assert (endpoint.scheme, endpoint.host, endpoint.port) == (scheme, host, port)
    assert endpoint.head.split(b"\r\n")[1] == b"Host: " + named


def test_endpoints_of_one_host_share_its_connections():
    """The key is scheme, host and port, whatever the path and however the port is written."""
    one = compile_endpoint("http://a.example/ping")
    assert one.key == compile_endpoint("http://a.example:80/post").key
    assert one.key != compile_endpoint("https://a.example/ping").key


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "a.example/ping",
        "http://",
        "http:///path",
        "http://user:secret@a.example/",
        "http://@a.example/",
        "http://a.example/a b",
        "http://a.example/\r\nX: y",
        "http://a.example\t/",
        "http://a.example/\x00",
        "http://ä.example/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "http://a.example:port/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
    ],
)
def test_a_url_that_cannot_be_called_is_refused(url):
    """Only http and https, no user, no control character, a real host and port."""
    with pytest.raises(EndpointError):
        compile_endpoint(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Key", "a\r\nX-Other: b"),
        ("X-Key", "a\nb"),
        ("X-Key", "nul\x00"),
        ("X-Key", "snow ☃"),
        ("X Key", "a"),
        ("X-Key:", "a"),
        ("", "a"),
        ("Host", "b.example"),
        ("content-length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
    ],
)
def test_a_header_that_would_break_the_message_is_refused(name, value):
    """No line breaks in, no second length or host beside our own."""
    with pytest.raises(EndpointError):
        compile_endpoint("http://a.example", headers={name: value})


def test_other_methods_are_refused():
    """GET, POST and PUT are what buyers are called with."""
    with pytest.raises(EndpointError, match="GET, POST, PUT"):
        compile_endpoint("http://a.example", method="DELETE")


def test_an_endpoint_shows_none_of_its_headers():
    """A fixed header may hold a secret; a log or a trace that prints the endpoint must not."""
    endpoint = compile_endpoint("http://a.example/canary", headers={"X-Key": "canary"})
    assert "canary" not in repr(endpoint) + str(endpoint.__rich_repr__())
