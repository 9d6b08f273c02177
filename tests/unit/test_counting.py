"""Numbers of things are written as people write them."""

import pytest

from exchange.domain.counting import counted, is_or_are


@pytest.mark.parametrize(
    ("count", "says"),
    [(0, "0 leads are"), (1, "1 lead is"), (2, "2 leads are"), (1024, "1,024 leads are")],
)
def test_one_is_never_many(count, says):
    """Also none is written as more than one."""
    assert f"{counted(count, 'lead')} {is_or_are(count)}" == says


def test_a_word_may_be_called_otherwise_where_there_are_more():
    """Not every word takes an s."""
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(3, "entry", "entries") == "3 entries"
