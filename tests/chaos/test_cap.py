"""A cap is exact, whoever sells at once; `python -m tests.chaos.cap` repeats it twenty times."""

from tests.chaos.cap import once


async def test_five_hundred_sales_at_once_from_three_processes_fill_a_cap_of_a_hundred_exactly():
    """What sellers were told, the ledger, the buyer's book and market state: 100 each."""
    counted = await once()
    assert counted.is_right, counted
