"""Which line a key of a TOML text stands on."""

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from exchange.configuration.locate import line_of, locate

TEXT = '''# a comment with [brackets] = and "quotes
title = "one"

[[buyer]]          # the first
id = "a"
caps = [ { spend = 20, per = "month" },
         { leads = 3 } ]   # a comment, with a comma
notes = """
several
lines with ] and } and # """
[buyer.billing]
mode = 'prepaid'
[[buyer.offer]]
id = "a-1"
hours = { mon-fri = "09:00-17:00", "sat" = "10:00-14:00" }
[[buyer.offer]]
id = "a-2"
ping.url = "http://x"
  ping . timeout_ms = 3
[[buyer]]
id = "b"
[[buyer.offer]]
id = "b-1"
prices = [
  # first
  { when = 'x == "]"', price = 1.00 },
  { when = 'y', price = 2 },
]
'''


def test_every_kind_of_key_is_found_on_its_line():
    """Tables, arrays of tables, inline tables, arrays over lines, dotted and quoted keys."""
    lines = locate(TEXT)
    expected = {
        ("title",): 2,
        ("buyer", 0): 4,
        ("buyer", 0, "id"): 5,
        ("buyer", 0, "caps"): 6,
        ("buyer", 0, "caps", 0, "per"): 6,
        ("buyer", 0, "caps", 1, "leads"): 7,
        ("buyer", 0, "notes"): 8,
        ("buyer", 0, "billing"): 11,
        ("buyer", 0, "billing", "mode"): 12,
        ("buyer", 0, "offer", 0, "hours", "sat"): 15,
        ("buyer", 0, "offer", 1): 16,
        ("buyer", 0, "offer", 1, "ping", "url"): 18,
        ("buyer", 0, "offer", 1, "ping", "timeout_ms"): 19,
        ("buyer", 1): 20,
        ("buyer", 1, "offer", 0, "id"): 23,
        ("buyer", 1, "offer", 0, "prices", 0, "when"): 26,
        ("buyer", 1, "offer", 0, "prices", 1, "price"): 27,
    }
    assert {path: lines.get(path) for path in expected} == expected


def test_a_missing_key_has_the_line_of_what_it_is_missing_from():
    """The nearest thing above is where somebody would look."""
    lines = locate(TEXT)
    assert line_of(lines, ("buyer", 1, "offer", 0, "vertical")) == 22
    assert line_of(lines, ("campaign",)) == 1


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
scalars = (
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def written(value, at, places):
    """Write a value with every element of an array on a line of its own; note where it lands."""
    line, path = at
    places[path] = line
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        text = "["
        for index, element in enumerate(value):
            text += "\n"
            below = written(element, (line + text.count("\n"), (*path, index)), places)
            text += f"{below}, # ] }}"
        return text + ("\n]" if value else "]")
    if isinstance(value, dict):
        text = "{"
        for index, (key, element) in enumerate(value.items()):
            text += f"{', ' if index else ''}{json.dumps(key, ensure_ascii=False)} = "
            text += written(element, (line + text.count("\n"), (*path, key)), places)
        return text + "}"
    return json.dumps(value, ensure_ascii=False)


@given(st.dictionaries(keys, values, max_size=4))
def test_whatever_is_written_is_found_where_it_was_written(document):
    """For any document: the located lines are those on which the values were put."""
    places = {}
    text = ""
    for key, value in document.items():
        line = text.count("\n") + 1
        text += (
            f"{json.dumps(key, ensure_ascii=False)} = {written(value, (line, (key,)), places)}\n"
        )
    assert tomllib.loads(text) == document
    lines = locate(text)
    assert {path: lines[path] for path in places} == places


def test_a_table_that_has_no_head_stands_where_it_is_first_named():
    """`[door.vertical.auto.fields]` alone makes `vertical` and `auto`, too."""
    lines = locate("[[door]]\nid = 'a'\n\n[door.vertical.auto.fields]\nzip = 'z'\n")
    assert lines["door", 0, "vertical"] == 4
    assert lines["door", 0, "vertical", "auto"] == 4
    assert lines["door", 0] == 1
