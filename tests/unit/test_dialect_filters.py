"""Each filter does what the reference says, on every value; none raises, none lets a person out."""

import hashlib
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.dialect.filters import FILTERS, make_filter
from exchange.dialect.placeholders import Call
from exchange.dialect.words import to_json
from tests.making_dialect import POST, a_post

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text()
TABLE = PAGE.split("| filter | makes |")[1].split("\n\n")[0]
NOW = datetime(2026, 9, 1, 0, 5, 9, 123_456, tzinfo=UTC)
LONG = "x" * 65_537

EXAMPLES = [
    ("digits", "+1 (512) 555-0123", "15125550123"),
    ("digits", "none", ""),
    ("national", "+1 (512) 555-0123", "5125550123"),
    ("national", "5125550123", "5125550123"),
    ("national", "+44 20 7946 0958", None),
    ("e164", "512.555.0123", "+15125550123"),
    ("e164", "555-0123", None),
    ("dashes", "+15125550123", "512-555-0123"),
    ("upper", "straße", "STRASSE"),
    ("lower", "ABC", "abc"),
    ("title", "dana o'neil", "Dana O'Neil"),
    ("trim", " \t a b \n", "a b"),
    ("first(3)", "78701", "787"),
    ("first(0)", "78701", ""),
    ("last(4)", "5125550123", "0123"),
    ("last(0)", "78701", ""),
    ("replace(_, )", "rear_end_hit", "rear end hit"),
    ("replace(a,)", "banana", "bnn"),
    ("default(0)", None, "0"),
    ("default(0)", "", "0"),
    ("default(0)", 5, 5),
    ("default(0)", False, False),
    ("yes_no", True, "yes"),
    ("yes_no", "N", "no"),
    ("yes_no", "perhaps", None),
    ("yes_no(title)", False, "No"),
    ("yes_no(upper)", 1, "YES"),
    ("y_n", True, "Y"),
    ("y_n(lower)", False, "n"),
    ("one_zero", "true", "1"),
    ("true_false", 0, "false"),
    ("true_false(title)", "on", "True"),
    ("date(MM/DD/YYYY)", "1991-04-02", "04/02/1991"),
    ("date(M-D-YY)", "1991-04-02", "4-2-91"),
    ("date(YYYY-MM-DDTHH:mm:ssZ)", NOW, "2026-09-01T00:05:09Z"),
    ("date(hh:mm A)", NOW, "12:05 AM"),
    ("date(DD.MM.YYYY HH:mm,America/Chicago)", NOW, "31.08.2026 19:05"),
    ("date(YYYYMMDD)", "2026-09-01T00:05:09Z", "20260901"),
    ("date(YYYY)", "soon", None),
    ("iso", NOW, "2026-09-01T00:05:09Z"),
    ("unix", NOW, 1788221109),
    ("unix_ms", NOW, 1788221109123),
    ("money", "9.5", "9.50"),
    ("money", Decimal("1234.565"), "1234.57"),
    ("money", 7, "7.00"),
    ("money", "nine", None),
    ("cents", Decimal("9.505"), 951),
    ("cents", "12", 1200),
    ("round(1)", "142.25", Decimal("142.3")),
    ("round(0)", Decimal("2.5"), Decimal(3)),
    ("int", "142.99", 142),
    ("int", "-1.9", -1),
    ("text", 2019, "2019"),
    ("text", True, "true"),
    ("text", ("a", "b"), "a, b"),
    ("number", "007", None),
    ("number", "7.50", Decimal("7.50")),
    ("number", " 7 ", 7),
    ("bool", "Yes", True),
    ("bool", 0, False),
    ("bool", "maybe", None),
    ("md5", "é", hashlib.md5("é".encode()).hexdigest()),
    ("sha1", "é", hashlib.sha1("é".encode()).hexdigest()),
    ("sha256", 5, hashlib.sha256(b"5").hexdigest()),
    ("base64", "é", "w6k="),
    ("url", "a b/é", "a%20b%2F%C3%A9"),
    ("upper", LONG, None),
    ("replace(x,yyyy)", "x" * 20_000, None),
    ("money", Decimal("1e999"), None),
    ("money", Decimal("NaN"), None),
    ("round(12)", Decimal("1e20"), None),
    ("int", float("inf"), None),
]


def made(text):
    """The filter that a template would call so."""
    name, _, rest = text.partition("(")
    arguments = tuple(rest[:-1].split(",")) if rest else ()
    return make_filter(Call(name, arguments), {"m": {"*": "rest"}})


@pytest.mark.parametrize(("call", "value", "result"), EXAMPLES)
def test_a_filter_makes_what_the_reference_says(call, value, result):
    """The type counts: `1` is no `true`, and a number stays one."""
    if call == "md5":
        result = hashlib.md5(value.encode()).hexdigest()
    got = made(call)(value)
    assert (type(got), got) == (type(result), result)


def test_each_filter_is_in_the_reference_and_has_an_example():
    told = set(re.findall(r"`([a-z_0-9]+)(?:\([^`]*\))?`", TABLE))
    assert set(FILTERS) <= told
    shown = {call.partition("(")[0] for call, _, _ in EXAMPLES}
    assert shown == set(FILTERS) - {"map"}


def test_filters_are_worked_through_in_their_order():
    """On a constant they are worked out once, when the market is loaded."""
    lines = (
        'body.json = { a = "{lead.phone|national|last(3)|number}", b = "{lead.bill|default(9)}",'
        ' c = "{lead.email|lower|trim|sha256|upper}", d = "{param.p|upper}",'
        ' e = "{lead.email|national|default(none)|upper}", f = "{lead.phone|digits|map(m)}" }'
    )
    before = 'params = { p = "abc" }\nmaps.m = { "15125550123" = true }'
    view = msgspec.structs.replace(POST, lead={"phone": "+15125550199", "email": " Z@x.example "})
    sent = json.loads(a_post(lines, before).render(view).body)
    digest = hashlib.sha256(b"z@x.example").hexdigest().upper()
    assert sent == {"a": 199, "b": "9", "c": digest, "d": "ABC", "e": "NONE"}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.datetimes(),
    st.dates().map(str),
    st.lists(st.one_of(st.text(max_size=3), st.integers())).map(tuple),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
    st.sampled_from(["1e999", "٣", "0" * 100, "9999-12-31T23:59:59+00:00", "0001-01-01", LONG]),
)


def no_constant(name):
    """JSON has no name for what is no number, though this reader knows some."""
    pytest.fail(f"{name} is no JSON")


CALLS = [*sorted({call for call, _, _ in EXAMPLES}), "map(m)", "date(HH,Pacific/Kiritimati)"]


@given(VALUES, st.lists(st.sampled_from(CALLS), min_size=1, max_size=4))
@example(datetime.max, ["date(YYYY,Pacific/Kiritimati)"])  # noqa: DTZ901 - as odd as can be
@example("9999-12-31T23:59:59-12:00", ["unix_ms"])
@example(Decimal("9" * 60), ["round(12)"])
@example(Decimal("-NaN"), ["default(0)"])
@example(Decimal("Infinity"), ["default(0)"])
@example("NaN, or Infinity", ["default(0)"])
def test_no_filter_raises_and_what_it_makes_can_be_sent(value, calls):
    """Whatever the value is, and whatever filter went before."""
    for call in calls:
        value = made(call)(value)
        if value is not None:
            json.loads(to_json(value), parse_constant=no_constant)
