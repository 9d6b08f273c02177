"""Money is exact: what cannot be said in whole micros is refused before it is computed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.money import (
    AMOUNT_MAX,
    Micros,
    MoneyError,
    floor_to_cent,
    from_decimal,
    parse_json,
    share,
    share_up,
    to_decimal,
    to_text,
)

amounts = st.integers(-AMOUNT_MAX, AMOUNT_MAX).map(Micros)


@given(amounts)
def test_an_amount_written_as_json_is_read_back_exactly(amount):
    """No amount changes on its way through a wire."""
    assert parse_json(to_text(amount).encode()) == amount
    assert from_decimal(to_decimal(amount)) == amount


@pytest.mark.parametrize(
    ("raw", "micros"),
    [
        (b"12.50", 12_500_000),
        (b"0", 0),
        (b"-3.00", -3_000_000),
        (b"1.5e1", 15_000_000),
        (b"1E-6", 1),
        (b"12.5000000000", 12_500_000),
        (b"1000000000", AMOUNT_MAX),
    ],
)
def test_every_spelling_of_a_json_number_is_understood(raw, micros):
    """Exponents and trailing zeros change nothing."""
    assert parse_json(raw) == micros


@pytest.mark.parametrize(
    "raw",
    [
        b"0.0000001",
        b"1E+999999",
        b"1e99",
        b'"12.50"',
        b"NaN",
        b"Infinity",
        b"",
        b" 1",
        b"1\n",
        b"1000000000.000001",
        b"1" * 5000,
        b"0." + b"1" * 5000,
        b"null",
        b"true",
    ],
)
def test_what_is_no_amount_is_refused(raw):
    """Too many decimals, absurd exponents, other types: a MoneyError, at once."""
    with pytest.raises(MoneyError):
        parse_json(raw)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E+999999", "1E-999999", "0.0000001"])
def test_a_decimal_that_is_no_amount_is_refused(text):
    """The same for what TOML brings."""
    with pytest.raises(MoneyError):
        from_decimal(Decimal(text))


@given(amounts)
def test_rounding_down_to_the_cent_takes_less_than_a_cent(amount):
    """The seller never gets more than its share, and loses less than a cent."""
    floored = floor_to_cent(amount)
    assert 0 <= amount - floored < 10_000
    assert floored % 10_000 == 0


@given(amounts, st.decimals(0, 100, places=4))
def test_a_share_and_its_rest_lose_nothing(amount, percent):
    """What one side is rounded down, the other gets."""
    assert share(amount, percent) <= share_up(amount, percent) <= share(amount, percent) + 1
    assert share(amount, percent) + share_up(amount, 100 - percent) in {amount, amount + 1}
