"""Where market state is: every URL that people write, and no password shown."""

import pytest

from exchange.market.address import Address, parse
from exchange.market.errors import MarketAddressError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache.example", Address(host="cache.example")),
        ("redis://cache.example:7000/2", Address(host="cache.example", port=7000, database=2)),
        ("valkey://[::1]:7000", Address(host="::1", port=7000)),
        ("redis://h?db=4", Address(host="h", database=4)),
        ("redis://:p%40ss@h", Address(host="h", password="p@ss")),
        ("redis://me:p%3Aw@h/1", Address(host="h", username="me", password="p:w", database=1)),
        ("rediss://h/0?ssl_ca_certs=/ca.pem", Address(host="h", tls=True, ca_file="/ca.pem")),
        ("unix:///run/v%20k.sock?db=3", Address(path="/run/v k.sock", database=3)),
        ("unix://:pw@/run/vk.sock", Address(path="/run/vk.sock", password="pw")),
    ],
)
def test_a_url_names_an_address(url, address):
    """As redis-py reads them, and valkey:// besides."""
    assert parse(url) == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no scheme"),
        ("http://h", "http scheme"),
        ("redis://", "names no place"),
        ("unix://", "names no place"),
        ("redis://h:port", "port"),
        ("redis://h:99999", "Port"),
        ("redis://h/one", "one"),
        ("redis://h?retries=3", "unknown option retries"),
    ],
)
def test_what_names_no_address_is_refused_with_its_problem(url, problem):
    """And with what a URL looks like."""
    with pytest.raises(MarketAddressError, match=problem):
        parse(url)


def test_a_password_is_never_shown():
    """Not by the address, nor in what it is made into."""
    address = parse("redis://me:s3cret@h:7/0")
    assert "s3cret" not in f"{address} {address!r}"
    assert str(address) == "h:7"
    assert str(parse("unix:///run/vk.sock")) == "/run/vk.sock"
