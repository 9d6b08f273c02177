"""The wire types towards buyers read what the contract shows and write exact numbers."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidders.answers import Accepted, Bid, NoBid, Pending, PriceError, Refused, exact
from exchange.contract.buyer import UnreadableError, encode, read_ping, read_post

PING = b"""{"ping_id": "p-1", "vertical": "auto_insurance", "test": false,
 "auction": {"type": "first_price", "floor": 5.10, "currency": "USD", "tmax_ms": 280,
             "max_buyers": 1, "to_come": {}},
 "lead": {"state": "TX", "zip": "78701", "age_band": "35-39", "currently_insured": true,
          "phone_hash": "ab", "score": 71},
 "source": {"id": "opaque", "channel": "search"}, "new_field": [1, 2],
 "consent": {"tcpa": true, "jornaya_id": "j", "trustedform_ping_url": "https://cert.example/1"}}"""

POST = b"""{"sale_id": "s-1", "ping_id": "p-1", "bid_id": "b-1", "price": 12.500001,
 "currency": "USD", "vertical": "auto_insurance", "lead": {"first_name": "Ann"},
 "source": {"id": "opaque"}, "consent": {"tcpa": true, "text": "I agree", "new": 1}, "x": null}"""


def test_a_ping_of_the_contract_is_read_whole_and_new_fields_pass():
    """Every field of the contract's example arrives; what is not known yet is passed over."""
    ping = read_ping(PING)
    assert ping.auction.floor == Decimal("5.10")
    assert ping.auction.tmax_ms == 280
    assert ping.lead["currently_insured"] is True
    assert ping.consent is not None
    assert ping.consent.trustedform_ping_url == "https://cert.example/1"
    assert ping.source is not None
    assert ping.source.channel == "search"


def test_a_post_of_the_contract_is_read_whole_with_its_exact_price():
    """The price keeps all six decimals; consent has its text."""
    post = read_post(POST)
    assert post.price == Decimal("12.500001")
    assert post.consent is not None
    assert (post.consent.text, post.consent.named_buyers) == ("I agree", ())


def test_a_ping_without_the_optional_parts_is_enough():
    """Only id, vertical, lead and the time left are needed."""
    ping = read_ping(b'{"ping_id":"p","vertical":"solar","auction":{"tmax_ms":95.5},"lead":{}}')
    assert (ping.auction.floor, ping.source, ping.test) == (0, None, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"ping_id": "p"}',
        b"\xff\xfe",
        b'{"ping_id": "\xff"}',
        PING.replace(b"5.10", b"NaN"),
        PING.replace(b"5.10", b"1E+99999999999999999999"),
        PING.replace(b'"TX"', b"[" * 100_000 + b"]" * 100_000),
        PING.replace(b"71", b"9" * 5000),
    ],
)
def test_what_is_no_ping_is_unreadable_and_nothing_else(body):
    """Every way of being broken ends in the one exception that the door knows."""
    with pytest.raises(UnreadableError) as caught:
        read_ping(body)
    assert str(caught.value)


def test_an_unreadable_body_is_not_repeated_in_the_message():
    """A wrong value may be someone's name: the message says where it stood, not what it was."""
    with pytest.raises(UnreadableError) as caught:
        read_post(POST.replace(b'{"first_name": "Ann"}', b'"Canary Person"'))
    assert "Canary" not in str(caught.value)
    assert "lead" in str(caught.value)


prices = st.decimals(
    min_value=Decimal("0.000001"), max_value=Decimal(1_000_000_000), places=6, allow_nan=False
)


@given(prices)
def test_a_price_goes_over_the_wire_unchanged(price):
    """What a buyer bids is a JSON number that reads back as the same decimal."""
    answer = Bid(price).answer()
    body = encode(answer)
    assert b'"bid":"' not in body
    read = msgspec.json.decode(body, type=dict[str, Decimal])
    assert read == {"bid": price}


@given(prices)
def test_a_price_is_written_without_exponent_or_spare_zeros(price):
    """`1E+3` and `12.500000` are right for machines, `1000` and `12.5` for everyone."""
    text = str(exact(price))
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    "price",
    [12.5, True, "12,50", "NaN", Decimal("Infinity"), 0, "-1", "0.0000001", "1E+999999",
     "1.00000000000000000000000000000000001", Decimal("1000000000.000001"), None],
)  # fmt: skip
def test_a_price_that_the_exchange_would_refuse_cannot_be_bid(price):
    """Floats, negatives, too many decimals and absurd exponents fail where they are written."""
    with pytest.raises(PriceError, match="exact number"):
        Bid(price)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Bid("12.50", bid_id="b", ttl_s=60), {"bid": 12.5, "bid_id": "b", "ttl_s": 60}),
        (Bid(9, exclusive_price="20.00"), {"bid": 9, "exclusive_bid": 20}),
        (NoBid("too young"), {"bid": 0, "reason": "too young"}),
        (Accepted("r-1"), {"accepted": True, "reference": "r-1"}),
        (Accepted(price="8.00"), {"accepted": True, "price": 8}),
        (Refused("duplicate"), {"accepted": False, "reason": "duplicate"}),
        (Pending(), {"accepted": None}),
    ],
)
def test_answers_have_the_contracts_names(answer, body):
    """Fields left open are absent, `accepted` alone is always there."""
    assert msgspec.json.decode(encode(answer.answer())) == body


def test_no_bid_without_a_reason_has_no_body():
    """It is the 204 of the contract."""
    assert NoBid().answer() is None
