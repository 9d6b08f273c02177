"""Whoever mistyped a name is shown the one that was most likely meant."""

import pytest

from exchange.domain.nearest import hint
from exchange.domain.vertical import FieldType

TYPES = [kind.value for kind in FieldType]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("zip", "us_zip"), ("ZIP", "us_zip"), ("state", "us_state"), ("emial", "email")],
)
def test_a_word_of_a_name_means_that_name(typed, meant):
    """However much shorter it is, before anything that merely looks alike."""
    assert hint(typed, TYPES) == f'; did you mean "{meant}"?'


def test_what_looks_like_nothing_has_no_hint():
    """A wrong guess is worse than none."""
    assert hint("quarterly", TYPES) == ""
