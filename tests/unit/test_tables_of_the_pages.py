"""The tables of filters and of field types say what each really makes of the values shown there."""

import json
import re
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from exchange.configuration.draft import Entry
from exchange.configuration.rules_vertical import check_vertical
from exchange.contract.market.verticals import FieldPart, VerticalPart
from exchange.dialect.filters import FILTERS, make_filter
from exchange.dialect.placeholders import parse_template
from exchange.domain.vertical import FieldType, Privacy, Show
from exchange.intake.errors import Bad, Code
from exchange.intake.normalize import normalizer
from tests.making_intake import a_field, geography

DOCS = Path(__file__).parents[2] / "docs"
CODES = "|".join(Code)


def rows(page, head):
    """The rows of the table that begins with this line, as lists of cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text[text.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def value(text):
    """A value as the pages write it, numbers exact."""
    return json.loads(text, parse_float=Decimal)


# Filters

FILTER_ROWS = [
    [cell.strip("`") for cell in row] for row in rows("mappings.md", "| filter | makes | of |")
]
TIERS = {"tiers": {"excellent": "A", "good": "B", "*": "C"}}
"""The map that opens the page."""


@pytest.mark.parametrize(("call", "of", "becomes"), [(r[0], r[2], r[3]) for r in FILTER_ROWS])
def test_a_filter_makes_what_its_row_shows(call, of, becomes):
    """Value and type."""
    [placeholder] = parse_template(f"{{lead.x|{call}}}")
    made = make_filter(placeholder.calls[0], TIERS)(value(of))
    expected = value(becomes)
    assert made == expected
    assert isinstance(made, str) == isinstance(expected, str)
    assert isinstance(made, bool) == isinstance(expected, bool)


def test_every_filter_has_a_row_and_no_other():
    assert {row[0].partition("(")[0] for row in FILTER_ROWS} == FILTERS.keys()


# Types of fields

TYPE_ROWS = rows("fields.md", "| type | what is understood | becomes |")
CHOICES = {"values": ("poor", "very_good"), "aliases": {"VG": "very_good"}}


def read(kind, raw):
    changes = CHOICES if kind == "choice" else {}
    return normalizer(a_field("field", kind, **changes), geography())(raw)


def kinds(row):
    return re.findall(r"`(\w+)`", row[0])


def becoming():
    for row in TYPE_ROWS:
        for group in row[2].split("; `"):
            *raws, result = re.findall(r"`(.+?)`", f"`{group.lstrip('`')}")
            yield from ((kind, raw, result) for kind in kinds(row) for raw in raws)


def refusing():
    for row in TYPE_ROWS:
        pending = []
        for word in re.findall(r"`(.+?)`", row[3]):
            if re.fullmatch(CODES, word):
                yield from ((kind, raw, word) for kind in kinds(row) for raw in pending)
                pending = []
            elif word != "length_max":
                pending.append(word)
        assert not pending, "what is refused has its code"


@pytest.mark.parametrize(("kind", "raw", "result"), list(becoming()))
def test_what_is_understood_becomes_what_the_table_says(kind, raw, result):
    """And it is read again as itself."""
    got = read(kind, value(raw))
    assert got == value(result)
    assert isinstance(got, bool) == isinstance(value(result), bool)
    assert read(kind, got) == got


@pytest.mark.parametrize(("kind", "raw", "code"), list(refusing()))
def test_what_is_refused_has_the_code_of_the_table(kind, raw, code):
    got = read(kind, value(raw))
    assert isinstance(got, Bad)
    assert got.code == code


def test_every_type_has_one_row_with_a_value_and_a_refusal():
    """In the contract's own words."""
    assert sorted(kind for row in TYPE_ROWS for kind in kinds(row)) == sorted(FieldType)
    assert {kind for kind, _, _ in becoming()} == {kind for kind, _, _ in refusing()}
    assert {kind for kind, _, _ in becoming()} == set(FieldType)


def showable(kind):
    """Every `show` that a market file may say for a field of this type, but for none."""
    more = {"values": ("a", "b")} if kind == "choice" else {}
    for privacy, show in product(Privacy, set(Show) - {Show.HIDDEN}):
        field = FieldPart(type=kind, privacy=privacy, show=show, **more)
        vertical = VerticalPart(id="v", fields={"one": field})
        if not list(check_vertical(Entry(("vertical", 0), vertical))):
            yield show


@pytest.mark.parametrize("kind", FieldType)
def test_the_table_says_what_a_ping_may_show(kind):
    """What a plan takes, type by type."""
    [row] = [row for row in TYPE_ROWS if kind in kinds(row)]
    told = row[4]
    if kind in {"name", "city"}:
        told = dict(zip(("name", "city"), told.split("; "), strict=True))[kind]
    assert set(re.findall(r"`(\w+)`", told)) - {kind} == set(showable(kind))
