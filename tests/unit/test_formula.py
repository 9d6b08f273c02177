"""Formulas: numbers from leads, in the words of conditions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.condition import ConditionError, Kind, Name
from exchange.domain.formula import compile_formula

NAMES = {"year": Name(Kind.NUMBER), "miles": Name(Kind.NUMBER), "state": Name(Kind.TEXT)}


@pytest.mark.parametrize(
    ("text", "facts", "value"),
    [
        ("7", {}, 7),
        ("2 * year - 4000", {"year": 2020}, 40),
        ("-miles * 0.001", {"miles": Decimal("12500.5")}, -13),
        ("year + miles", {"year": 2020}, 0),
        ("year", {"year": "2020"}, 0),
        ("year", {"year": True}, 0),
        ("len(state)", {"state": "TX"}, 2),
        ("year", {"year": 10**12}, 0),
        ("miles", {"miles": Decimal("NaN")}, 0),
        ("miles", {"miles": Decimal("Infinity")}, 0),
    ],
)
def test_a_formula_is_a_whole_number_and_0_of_what_is_not_known(text, facts, value):
    """Rounded down; absent, of another type, or beyond all measure: 0."""
    assert compile_formula(text, NAMES).value(facts) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("state", "is a text, not a number"),
        ("year > 2000", "is not in the language"),
        ("yaer", 'did you mean "year"?'),
        ("year / 2", "multiply instead"),
        ("__import__('os')", "cannot be read|not in the language|no field"),
    ],
)
def test_what_is_no_formula_is_refused_in_a_sentence(text, says):
    """Never run, never guessed."""
    with pytest.raises(ConditionError, match=says.replace("?", r"\?")):
        compile_formula(text, NAMES)


@given(st.integers(-(10**5), 10**5), st.integers(-1000, 1000))
def test_arithmetic_is_pythons(year, factor):
    """Against what Python makes of it."""
    text = f"{factor if factor >= 0 else f'-{-factor}'} * year + 3"
    assert compile_formula(text, NAMES).value({"year": year}) == factor * year + 3
