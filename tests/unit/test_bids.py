"""Whatever a buyer answers is a bid, a no-bid, or an invalid bid with its reason; no error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.auction.bids import NotABid, read_bid
from exchange.domain.bid import Bid, Contender
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from tests.making import an_offer

ASKED = Contender(an_offer(), ping_id="ping-1")
PRICED = Contender(an_offer(), static_price=Micros(9_000_000), ping_id="ping-1")


@pytest.mark.parametrize(
    ("body", "price"),
    [
        (b'{"bid": 12.50, "bid_id": "x"}', 12_500_000),
        (b'{"bid": 12, "new_field": [1, 2]}', 12_000_000),
        (b'{"bid": 0.000001, "currency": "USD", "ttl_s": 60}', 1),
    ],
)
def test_a_bid_is_read_exactly(body, price):
    """Money is exact, unknown fields are let pass."""
    bid = read_bid(200, body, ASKED)
    assert isinstance(bid, Bid)
    assert (bid.price, bid.ping_id) == (price, "ping-1")


def test_an_acceptance_without_a_price_bids_the_static_price():
    """Where the offer names one."""
    bid = read_bid(200, b'{"bid_id": "x"}', PRICED)
    assert isinstance(bid, Bid)
    assert bid.price == 9_000_000
    assert read_bid(200, b'{"bid_id": "x"}', ASKED).reason is Reason.INVALID_BID


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (204, b"", Reason.NO_BID),
        (200, b'{"bid": 0, "reason": "not now"}', Reason.NO_BID),
        (200, b'{"bid": 0}', Reason.NO_BID),
        (200, b'{"accepted": false}', Reason.NO_BID),
        (200, b"", Reason.INVALID_BID),
        (200, b"<html>success</html>", Reason.INVALID_BID),
        (200, b"[1]", Reason.INVALID_BID),
        (200, b'{"bid": -1}', Reason.INVALID_BID),
        (200, b'{"bid": "12.50"}', Reason.INVALID_BID),
        (200, b'{"bid": 1e999}', Reason.INVALID_BID),
        (200, b'{"bid": NaN}', Reason.INVALID_BID),
        (200, b'{"bid": 1.0000001}', Reason.INVALID_BID),
        (200, b'{"bid": 1000.01}', Reason.INVALID_BID),
        (200, b'{"bid": 5, "currency": "EUR"}', Reason.INVALID_BID),
        (200, b'{"bid": 5, "ttl_s": 0}', Reason.INVALID_BID),
        (200, b'{"bid": 5, "bid_id": {"a": 1}}', Reason.INVALID_BID),
        (200, b"\xff\xfe{", Reason.INVALID_BID),
        (200, b"[" * 60_000, Reason.INVALID_BID),
        (500, b'{"bid": 5}', Reason.INVALID_BID),
        (302, b"", Reason.INVALID_BID),
        (201, b'{"bid": 5}', Reason.INVALID_BID),
    ],
)
def test_anything_else_is_no_bid_with_its_reason(status, body, reason):
    """Late and oversize answers never come this far; all others end here."""
    verdict = read_bid(status, body, ASKED)
    assert isinstance(verdict, NotABid)
    assert verdict.reason is reason


@given(st.sampled_from([200, 204, 400, 500]), st.binary(max_size=300))
def test_no_bytes_raise(status, body):
    """Nothing that a buyer sends can hurt the others."""
    assert isinstance(read_bid(status, body, ASKED), Bid | NotABid)


def test_a_buyers_words_are_bounded_and_printable():
    """They end up in timelines and pages."""
    verdict = read_bid(200, b'{"bid": 0, "reason": "a\\u001b[31m\\n' + b"x" * 900 + b'"}', ASKED)
    assert isinstance(verdict, NotABid)
    assert verdict.detail is not None
    assert len(verdict.detail) <= 200
    assert verdict.detail.isprintable()
