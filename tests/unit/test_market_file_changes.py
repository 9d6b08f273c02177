"""What a market would change, and the file that it is written back as."""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.configuration.difference import Action, Present, conflicts, difference, notes
from exchange.configuration.objects import (
    GAP,
    Object,
    decode,
    encode,
    market_of,
    parts_of,
    positions,
)
from exchange.configuration.reading import read_market, read_sheets, sheet_of
from exchange.configuration.writing import inline, write_market
from exchange.demo.played import shipped

ROOT = Path(__file__).parents[2]

MARKET = """
[[vertical]]
id = "auto"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }
make = { type = "choice", privacy = "attribute", values = ["Ford", "\\"odd\\"", "it's"], aliases = { "a b" = "Ford" } }
[[seller]]
id = "fast"
source = [ { id = "a", cost = 3.10 }, { id = "b", channel = "search" } ]
[[buyer]]
id = "acme"
caps = [ { spend = 20000, per = "month" } ]
billing = { mode = "prepaid", opening_balance = 5000.00 }
[[buyer.offer]]
id = "acme-1"
vertical = "auto"
where = 'state == "TX"'
price = 9
[[buyer.offer]]
id = "acme-2"
vertical = "auto"
price = 0.000001
hours = { mon-fri = "09:00-17:00" }
[[buyer]]
id = "zeta"
[[buyer.offer]]
id = "zeta-1"
vertical = "auto"
price = 3
[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = [ { id = "fast", margin = { fixed = 2.00 } } ]
qualify = { adult = 'age >= 18' }
[[campaign.stage]]
method = "auction"
[[campaign.stage]]
method = "waterfall"
offers = ["zeta-1"]
"""  # noqa: E501 - a line as operators write them


def market(text=MARKET):
    return read_sheets([sheet_of("market.toml", text)]).market


def present(text=MARKET, retired=()):
    parts = parts_of(market(text))
    places = positions(parts, {})
    return Present(
        4, {key: Object(places[key], part) for key, part in parts.items()}, dict(retired)
    )


def changed(*replacements):
    text = MARKET
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return difference(present(), market(text))


def test_the_same_market_is_no_difference():
    """Also where it spells out a default, or writes a number otherwise."""
    assert not difference(present(), market())
    assert not changed(
        ("price = 9\n", "price = 9.00\npriority = 100\n"),
        ('id = "zeta"', 'id = "zeta"\npaused = false'),
    )


@pytest.mark.parametrize(
    ("old", "new", "kind", "name", "fields"),
    [
        ("price = 9\n", "price = 9.5\n", "offer", "acme-1", [("price", "9", "9.5")]),
        ("price = 9\n", "price = 9\nfloor = 2\n", "offer", "acme-1", [("floor", "0", "2")]),
        ("where = 'state == \"TX\"'\n", "", "offer", "acme-1",
         [("where", "'state == \"TX\"'", "none")]),
        ('"09:00-17:00"', '"09:00-18:00"', "offer", "acme-2",
         [("hours.mon-fri", '"09:00-17:00"', '"09:00-18:00"')]),
        ("cost = 3.10", "cost = 3.2", "seller", "fast", [("source.a.cost", "3.10", "3.2")]),
        (', { id = "b", channel = "search" }', "", "seller", "fast",
         [("source.b", '{ id = "b", channel = "search" }', "none")]),
        ("spend = 20000", "spend = 30000", "buyer", "acme",
         [("caps.0.spend", "20000", "30000")]),
        ('show = "zip3"', 'show = "as_is"', "vertical", "auto",
         [("fields.zip.show", '"zip3"', '"as_is"')]),
        ("age >= 18", "age >= 21", "campaign", "auto-us",
         [("qualify.adult", '"age >= 18"', '"age >= 21"')]),
        ('offers = ["zeta-1"]', 'offers = ["*"]', "campaign", "auto-us",
         [("stage.1.offers", '["zeta-1"]', '["*"]')]),
        ('sellers = [ { id = "fast", margin = { fixed = 2.00 } } ]', 'sellers = ["fast"]',
         "campaign", "auto-us",
         [("sellers", '[{ id = "fast", margin = { fixed = 2.00 } }]', '["fast"]')]),
    ],
)  # fmt: skip
def test_a_change_is_told_field_by_field(old, new, kind, name, fields):
    """Each key with what it was and what it becomes, as the file writes them."""
    [change] = changed((old, new)).changes
    assert (change.action, change.kind, change.id) == (Action.CHANGE, kind, name)
    assert [(field.key, field.old, field.new) for field in change.fields] == fields


def test_what_is_new_is_added_and_what_is_left_out_is_retired():
    """A buyer goes with its offers; what was retired once comes back as revived."""
    text = MARKET.replace('"zeta', '"yota')
    found = difference(present(), market(text)).changes
    assert {(change.action, change.kind, change.id) for change in found} == {
        (Action.ADD, "buyer", "yota"),
        (Action.ADD, "offer", "yota-1"),
        (Action.RETIRE, "buyer", "zeta"),
        (Action.RETIRE, "offer", "zeta-1"),
        (Action.CHANGE, "campaign", "auto-us"),
    }
    retired = {key: part for key, part in parts_of(market(text)).items() if key[1] == "yota"}
    [revived, *_] = difference(present(retired=retired), market(text)).changes
    assert (revived.action, revived.id) == (Action.REVIVE, "yota")


def test_another_order_of_offers_is_a_difference():
    """A waterfall over all offers asks them in the file's order."""
    first = MARKET.index('[[buyer.offer]]\nid = "acme-1"')
    second = MARKET.index('[[buyer.offer]]\nid = "acme-2"')
    end = MARKET.index('[[buyer]]\nid = "zeta"')
    swapped = MARKET[:first] + MARKET[second:end] + MARKET[first:second] + MARKET[end:]
    found = difference(present(), market(swapped))
    assert (found.changes, found.reordered) == ((), ("offer",))
    assert found


def test_a_currency_and_an_owner_cannot_change():
    """Money and counters stand under the old ones, also of what is retired."""
    text = MARKET.replace('id = "acme"', 'id = "acme"\ncurrency = "CAD"')
    [problem] = conflicts(present(), market(text))
    assert problem.path == ("buyer", 0, "currency")
    assert "kept in USD" in problem.message
    moved = MARKET.replace('"zeta-1"', '"acme-9"')
    earlier = parts_of(market(MARKET.replace('"acme-1"', '"acme-9"')))
    owned = {("offer", "acme-9"): earlier["offer", "acme-9"]}
    [problem] = conflicts(present(retired=owned), market(moved))
    assert problem.path == ("buyer", 1, "offer", 0, "id")
    assert 'offer of buyer "acme"' in problem.message


def test_an_opening_balance_that_changes_moves_no_money_and_says_so():
    """It was booked before; one that never was is booked now, and there is nothing to say."""
    changed = market(MARKET.replace("5000.00", "6000.00"))
    booked = msgspec.structs.replace(present(), opened=frozenset({"acme"}))
    [note] = notes(booked, changed)
    assert note.is_warning
    assert note.path == ("buyer", 0, "billing", "opening_balance")
    assert list(notes(booked, market(MARKET.replace("5000.00", "5000")))) == []
    assert list(notes(present(), changed)) == []


def test_a_market_written_back_is_the_same_market():
    """Reading what was written gives the same values, in the same order."""
    again = market(write_market(market()))
    assert again == market()


def test_the_shipped_market_is_the_same_when_written_back():
    """The demo's market with every vertical, mapping and door, key by key."""
    whole = read_market([*shipped(), ROOT / "config/demo/market.toml"]).market
    assert market(write_market(whole)) == whole


def test_an_object_is_stored_exactly():
    """Every digit of a number survives its way through JSON."""
    for (kind, _), part in parts_of(market()).items():
        assert decode(kind, encode(part)) == part
    entries = {key: Object(entry.position, entry.part) for key, entry in present().objects.items()}
    assert market_of(entries) == market()


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
values = st.recursive(
    st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.decimals(-(10**12), 10**12, places=6)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_every_value_is_read_back_as_it_was_written(value):
    """Strings with quotes and control characters, exact numbers, nested tables."""
    text = f"value = {inline(value)}"
    assert tomllib.loads(text, parse_float=Decimal)["value"] == value


names = st.lists(st.integers(0, 12), unique=True).map(
    lambda found: [("offer", str(number)) for number in found]
)


@given(names, names)
def test_positions_always_rise_and_move_as_little_as_possible(before, after):
    """Whatever came, went or moved: the order is the file's; an addition moves nobody else."""
    old = positions(before, {})
    new = positions(after, old)
    assert list(new) == after
    rising = list(new.values())
    assert rising == sorted(set(rising))
    if before == [key for key in after if key in old]:
        assert {key: new[key] for key in before} == old


def test_positions_are_given_anew_where_no_room_is_left():
    """After many additions at one place everything is numbered again."""
    keys = [("offer", "a"), ("offer", "b")]
    places = positions(keys, {})
    for number in range(GAP.bit_length() + 3):
        keys = [keys[0], ("offer", str(number)), *keys[1:]]
        places = positions(keys, places)
        assert sorted(places, key=places.__getitem__) == keys


def test_an_offer_names_its_buyer_where_it_stands_alone():
    """The admin API's object is the file's, plus its buyer."""
    part = parts_of(market())["offer", "zeta-1"]
    assert msgspec.to_builtins(part)["buyer"] == "zeta"
