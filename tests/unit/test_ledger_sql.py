"""Statements are found by the heads above them."""

import pytest

from exchange.ledger.sql import parse, read

TEXT = """\
-- What this file is for.

-- one --
SELECT 1;

-- other_one --
-- why it is so
SELECT '-- not a head --';
"""


def test_statements_stand_under_their_heads():
    """In the file's order, without the semicolon."""
    assert list(parse(TEXT).items()) == [
        ("one", "SELECT 1"),
        ("other_one", "-- why it is so\nSELECT '-- not a head --'"),
    ]


def test_a_head_that_stands_twice_is_noticed():
    """The later one would hide the earlier."""
    with pytest.raises(AssertionError, match="twice"):
        parse(TEXT + "\n-- one --\nSELECT 2;\n")


@pytest.mark.parametrize("name", ["commit.sql", "reading.sql", "check.sql", "worker.sql"])
def test_every_file_of_the_package_is_read(name):
    """No statement is empty."""
    assert all(read(name).values())
