"""The rule that names most of a lead gives its floor, whatever the order and size of the table."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.condition import Kind, Name
from exchange.domain.floor_table import (
    ANY,
    DEFAULT,
    ENTRIES_MAX,
    RANGE_MAX,
    Columns,
    Drawing,
    FloorRuleError,
)
from exchange.domain.money import Micros

NAMES = {
    "state": Name(Kind.TEXT, ("TX", "OK", "NY")),
    "device": Name(Kind.TEXT),
    "hour": Name(Kind.NUMBER),
    "insured": Name(Kind.BOOL),
    "credit": Name(Kind.TEXT, ("good", "poor")),
}


def table(fields, values, default=1, vertical="auto"):
    drawing = Drawing(Columns(tuple(fields), NAMES, vertical))
    for key, amount in values.items():
        drawing.add(key, Micros(amount))
    return drawing.table(Micros(default))


FIELDS = ("state", "device", "credit", "insured")
SPOKEN = {
    "state": ["TX", "OK", "NY", "TX,OK", ANY],
    "device": ["mobile", "desktop", ANY],
    "credit": ["good", "poor", ANY],
    "insured": ["true", "false", ANY],
}
HELD = {
    "state": ["TX", "OK", "NY", None],
    "device": ["mobile", "desktop", "tv", None],
    "credit": ["good", "poor", None],
    "insured": [True, False, None],
}


def keys(fields):
    return st.tuples(*(st.sampled_from(SPOKEN[name]) for name in fields)).map("|".join)


def text(value):
    return str(value).lower() if isinstance(value, bool) else value


def fits(key, facts):
    """Tell by hand whether a rule is for a lead."""
    return all(
        part == ANY or text(value) in part.split(",")
        for part, value in zip(key.split("|"), facts, strict=True)
    )


def weight(key):
    """Return how specific a rule is, the least being the most: few wildcards, and late ones."""
    wild = tuple(part == ANY for part in key.split("|"))
    return sum(wild), wild


@st.composite
def cases(draw):
    fields = FIELDS[: draw(st.integers(1, 4))]
    rules = draw(st.lists(keys(fields), max_size=30, unique=True))
    facts = draw(st.tuples(*(st.sampled_from(HELD[name]) for name in fields)))
    return fields, rules, facts


@given(cases(), st.randoms(use_true_random=False))
def test_the_most_specific_rule_counts_as_brute_force_finds_it(case, chance):
    """Every rule is tried by hand; a table of the same rules in another order says the same."""
    fields, rules, facts = case
    kept, drawing = {}, Drawing(Columns(fields, NAMES, "auto"))
    for number, key in enumerate(rules, 2):
        try:
            drawing.add(key, Micros(number))
        except FloorRuleError:  # a list may say what another rule says already
            continue
        kept[key] = number
    known = {name: value for name, value in zip(fields, facts, strict=True) if value is not None}
    fitting = sorted((key for key in kept if fits(key, facts)), key=weight)
    found = drawing.table(Micros(1)).find(known)
    if fitting:
        assert (found.rule, found.amount) == (fitting[0], kept[fitting[0]])
    else:
        assert (found.rule, found.amount) == (DEFAULT, 1)
    shuffled = list(kept.items())
    chance.shuffle(shuffled)
    assert table(fields, dict(shuffled)).find(known) == found


def test_what_is_named_first_goes_before_what_is_named_later():
    """Of rules with as many wildcards, the one of the earlier field."""
    made = table(("state", "device"), {"*|mobile": 9, "TX|*": 7, "TX|mobile": 11})
    assert made.find({"state": "TX", "device": "mobile"}).rule == "TX|mobile"
    assert made.find({"state": "TX", "device": "tv"}).rule == "TX|*"
    assert made.find({"state": "NY", "device": "mobile"}).rule == "*|mobile"
    both = table(("state", "device"), {"*|mobile": 9, "TX|*": 7})
    assert both.find({"state": "TX", "device": "mobile"}).rule == "TX|*"


def test_numbers_are_named_one_by_one_or_as_a_range():
    """Nine to five with both ends; a fraction is no whole number of a range."""
    made = table(("hour",), {"9-16": 9, "17,18": 8, "1.5": 7})
    rules = [made.find({"hour": hour}).rule for hour in (8, 9, 16, 17, 18, Decimal("1.5"))]
    assert rules == [DEFAULT, "9-16", "9-16", "17,18", "17,18", "1.5"]


def test_a_table_may_speak_of_verticals_and_only_its_own_count():
    """The same table in two campaigns; a named vertical counts as named."""
    values = {"auto|TX": 9, "solar|TX": 20, "*|TX": 5, "auto,solar|*": 3}
    of = {name: table(("vertical", "state"), values, vertical=name) for name in ("auto", "solar")}
    assert of["auto"].find({"state": "TX"}).amount == 9
    assert of["solar"].find({"state": "TX"}).amount == 20
    assert of["auto"].find({"state": "NY"}).amount == 3
    assert table(("vertical", "state"), values, vertical="home").find({"state": "TX"}).amount == 5


@pytest.mark.parametrize(
    ("fields", "rules", "says"),
    [
        (("state", "device"), ["TX"], "has 1 part for 2 fields"),
        (("credit",), ["goood"], 'none of its values; did you mean "good"?'),
        (("state",), ["TX,,OK"], "empty part"),
        (("state",), ["TX,*"], "stands alone"),
        (("state",), ["TX,TX"], "twice"),
        (("state",), ["TX,OK", "OK,NY"], '"TX,OK" stands already'),
        (("hour",), ["9-17", "12"], '"9-17" stands already'),
        (("hour",), ["17-9"], "ends before it begins"),
        (("hour",), ["noon"], "neither a number nor a range"),
        (("hour",), ["nan"], "neither a number nor a range"),
        (("hour",), [f"0-{RANGE_MAX}"], "too wide"),
        (("insured",), ["yes"], "neither true nor false"),
    ],
)
def test_a_key_that_cannot_be_is_told_in_a_sentence(fields, rules, says):
    """What is wrong, and what was meant where that can be guessed."""
    with pytest.raises(FloorRuleError, match="^.*" + says.replace("?", r"\?")):
        table(fields, {key: number for number, key in enumerate(rules)})


def test_a_long_key_is_told_by_its_beginning():
    """Timelines and quotes hold a hundred characters of it."""
    key = ",".join(f"d{number}" for number in range(100))
    told = table(("device",), {key: 9}).find({"device": "d99"}).rule
    assert (len(told), key.startswith(told[:-1]), told[-1]) == (101, True, "…")


def test_a_table_has_an_end():
    """Ranges multiply: what they come to is counted before it is made."""
    with pytest.raises(FloorRuleError, match=f"{ENTRIES_MAX} entries"):
        table(("hour", "hour", "hour"), {"0-99|0-99|0-99": 1})
