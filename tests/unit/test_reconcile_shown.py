"""What `exchange reconcile` prints for people: amounts as in a bill, numbers as they are."""

import pytest

from exchange.commands.reconcile import shown
from exchange.story.reconciling import Line, Part


@pytest.mark.parametrize(
    ("name", "number", "told"),
    [
        ("buyer/acme|spend|day|1795737600", 25_000_000, "25.00"),
        ("buyer/acme|balance|total|0", 12_345_678, "12.345678"),
        ("pilot/fast|payout|total|0", 500_000, "0.50"),
        ("buyer/acme|leads|day|1795737600", 25_000_000, "25000000"),
        ("01a2-7e", "held", "held"),
        ("", 3, "3"),
    ],
)
def test_a_counter_of_money_is_shown_as_an_amount(name, number, told):
    """And whatever counts something else as it stands."""
    line = Line(
        part=Part.SETTLED, whose="acme", name=name, market=number, ledger=number, differs=False
    )
    assert shown(line, line.market) == told
