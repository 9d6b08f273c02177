"""What a buyer pays, its seller gets and the exchange keeps: each account moves by just that."""

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.bookkeeping import Parties, sale_transfers
from exchange.domain.ids import SaleId
from exchange.domain.money import Micros

BETWEEN = Parties(buyer_id="acme", seller_id="fast", campaign_id="auto", currency="USD")
amounts = st.integers(0, 60_000_000)


@given(amounts, amounts)
@example(0, 0)
@example(0, 5)
@example(5, 0)
@example(5, 5)
def test_the_entries_of_a_sale_add_up_to_charge_payout_and_margin(charge, payout):
    """Whatever a buyer took off its price: its seller has its payout, and the margin bears it."""
    booked = sale_transfers(SaleId("s"), BETWEEN, charge=Micros(charge), payout=Micros(payout))
    moved = Counter()
    for one in booked:
        assert one.amount > 0
        assert (one.currency, one.sale_id) == ("USD", "s")
        moved[one.debit] -= one.amount
        moved[one.credit] += one.amount
    assert moved["buyer/acme"] == -charge
    assert moved["seller/fast"] == payout
    assert moved["margin/auto"] == charge - payout
    assert len({one.kind for one in booked}) == len(booked)
