"""Doors in market files: what is wrong is told where it stands, what did not change stays."""

import re

import msgspec
import pytest

from exchange.configuration.difference import Action, Present, difference
from exchange.configuration.objects import Object, decode, encode, market_of, parts_of
from exchange.configuration.reading import read_market
from exchange.configuration.snapshots import Compiler, InvalidConfigurationError, Stored
from exchange.configuration.writing import write_market
from tests.making_doors import CONFIG, PRESETS, sent
from tests.market_files import assert_told_once, changed, read, refused

MARKET = """\
[[vertical]]
id = "auto"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }
insured = { type = "bool", privacy = "attribute" }

[[vertical]]
id = "solar"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
roof = { type = "text", privacy = "attribute" }

[[seller]]
id = "quick"
source = [ { id = "fb-1" }, { id = "search" } ]

[[seller]]
id = "sunny"

[[door]]
id = "house"
name = "The house's words"
sellers = ["quick"]
sources = ["fb-1"]
format = "xml"
always_200 = true
key = { header = "X-Secret" }
campaign = { path = "product", map = { 7 = "auto-us" } }
source = { const = "fb-1" }
passed_over = ["sent_at"]
[door.maps.answers]
sold = 1
"*" = 0.50
[door.fields]
first_name = { path = "person.name", piece = "first" }
phone = { join = ["area", "number"] }
zip = ["person.zip", "zip"]
[door.consent]
text = "tcpa"
[door.tracking]
sub1 = "s1"
[door.vertical.auto.fields]
insured = { path = "cover", filter = "digits", map = { 1 = true, "*" = false } }
[door.answer.sold]
body = { state = "{outcome|map(answers)}", paid = 2.50, "@version" = "2" }
[door.answer."*"]
status = 202
xml = '''
<answer>
  <state>{outcome}</state>
</answer>
'''
[[door.call]]
path = "in/post"
does = "post"
[door.call.answer.unsold]
body = { state = "no" }
[[door.call]]
path = "in/status"
methods = ["GET"]
does = "status"
lead_id = "id"

[[door]]
id = "copy"
like = "house"
sellers = ["quick"]
sources = ["search"]
source = { const = "search" }
[[door.call]]
path = "in/status"
lead_id = "lead"
does = "status"

[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = ["quick"]

[[campaign]]
id = "solar-us"
vertical = "solar"
sellers = ["sunny"]
"""


def test_a_market_with_a_door_is_a_market():
    """Every construct is taken, a copy beside it, without a warning."""
    reading = read(MARKET)
    assert [door.id for door in reading.market.door] == ["house", "copy"]
    assert [warning.message for warning in reading.warnings if "door" in warning.key] == []


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # shape
        ('format = "xml"', 'formt = "xml"', "door[0].formt", 'did you mean "format"?'),
        ('format = "xml"', 'format = "xmll"', "door[0].format", 'did you mean "xml"?'),
        ('{ const = "fb-1" }', '{ cnst = "fb-1" }', "door[0].source.cnst", '"const"?'),
        ('path = "in/post"', 'path = "/in post"', "door[0].call[0].path", "malformed"),
        ('lead_id = "id"', 'led_id = "id"', "door[0].call[1].led_id", '"lead_id"?'),
        ("[door.answer.sold]", "[door.answer.sld]", "door[0].answer.sld", '"sold"?'),
        ("sold = 1", "sold = [1]", "door[0].maps.answers.sold", "is a list"),
        # what it names
        (
            'sellers = ["quick"]\nsources = ["fb-1"]',
            'sellers = ["quik"]\nsources = ["fb-1"]',
            "sellers[0]",
            '"quick"?',
        ),
        ('sources = ["fb-1"]', 'sources = ["fb-2"]', "door[0].sources[0]", '"fb-1"?'),
        ('{ const = "fb-1" }', '{ const = "fb1" }', "door[0].source.const", '"fb-1"?'),
        ('{ 7 = "auto-us" }', '{ 7 = "auto-su" }', "door[0].campaign.map.7", '"auto-us"?'),
        ("door.vertical.auto.", "door.vertical.autos.", "door[0].vertical.autos", '"auto"?'),
        ("insured = { path", "insurd = { path", "vertical.auto.fields.insurd", '"insured"?'),
        ("zip = [", "zipp = [", "door[0].fields.zipp", '"zip"?'),
        ("zip = [", 'roof = "r"\nzip = [', "door[0].fields.roof", "(auto) has such a field"),
        ("|map(answers)", "|map(answer)", "door[0].answer.sold.body.state", '"answers"?'),
        ("|map(answers)", "|mpa(answers)", "door[0].answer.sold.body.state", '"map"?'),
        ('filter = "digits"', 'filter = "digit"', "fields.insured.filter", '"digits"?'),
        (
            "xml = '''\n<answer>\n  <state>{outcome}",
            "xml = '''\n<answer>\n  <state>{outcom}",
            "door[0].answer.*.xml",
            '"outcome"?',
        ),
        ('text = "tcpa"', 'txet = "tcpa"', "door[0].consent.txet", '"text"?'),
        ('methods = ["GET"]', "methods = []", "door[0].call[1].methods", "names no method"),
        ('path = "in/status"\nm', 'path = "in/post"\nm', "door[0].call[1].path", "another call"),
        # its model and its name
        ('like = "house"', 'like = "hause"', "door[1].like", '"house"?'),
        ('like = "house"', 'like = "copy"', "door[1].like", "no other door"),
        ('id = "copy"', 'id = "house"', "door[1].id", 'another door "house" at market.toml:23'),
        ('lead_id = "lead"', 'lead_id = "a..b"', "door[1].call[0].lead_id.path", "a..b"),
    ],
)
def test_each_mistake_in_a_door_is_told_with_its_line_and_key(old, new, key, says):
    """Also what a copy of the door takes over: once, where its author can mend it."""
    assert_told_once(MARKET, old, new, key, says)


def test_a_fault_in_a_text_of_several_lines_is_told_at_its_own_line():
    """Not where the text begins; where the text is one line, there."""
    text = changed(MARKET, "<state>{outcome}", "<state>{outcom}")
    [found] = refused(text)
    assert found.line == text[: text.index("{outcom}")].count("\n") + 1
    whole = "'''\n<answer>\n  <state>{outcome}</state>\n</answer>\n'''"
    [found] = refused(changed(MARKET, whole, "'<answer><state>{outcom}</state></answer>'"))
    assert found.line == MARKET[: MARKET.index(whole)].count("\n") + 1


def test_a_fault_that_a_copy_takes_over_is_told_once():
    """It is the model's; the copy has no line where it could be mended."""
    assert len(refused(changed(MARKET, "|map(answers)", "|map(answer)"))) == 1


def test_what_only_a_copy_brings_to_light_stands_where_it_says_whose_copy_it_is():
    """The model is open to another seller, who has the field."""
    text = changed(MARKET, 'sellers = ["quick"]\nsources = ["search"]', 'sellers = ["sunny"]')
    found = refused(text)
    assert {finding.key for finding in found} == {"door[1].like", "door[1].source.const"}
    assert any("fields.first_name no vertical" in finding.message for finding in found)


def test_a_copy_of_a_copy_is_refused():
    """Whose words count would be hard to tell."""
    more = '\n[[door]]\nid = "third"\nlike = "copy"\n'
    [finding] = refused(MARKET + more)
    assert finding.key == "door[2].like"
    assert finding.message == '"copy" is like "house" itself: name that one'


def test_a_door_may_be_meant_for_many_verticals():
    """Fields that a market lacks are no mistake then, nor verticals that it does not have."""
    text = changed(MARKET, "zip = [", 'roof = "r"\nzip = [')
    read(changed(text, 'id = "house"', 'id = "house"\nany_vertical = true'))


def test_a_broken_vertical_is_one_mistake():
    """What doors name of it is not told on top."""
    [finding] = refused(changed(MARKET, 'type = "bool"', 'type = "boool"'))
    assert finding.key == "vertical[0].fields.insured.type"


def test_a_door_that_can_never_give_what_a_campaign_needs_is_odd():
    """A warning: what it lacks, and which vertical requires it."""
    [warning] = read(changed(MARKET, 'zip = ["person.zip", "zip"]\n', "")).warnings
    assert (warning.key, warning.line) == ("door[0].call[0]", 54)
    assert warning.message == 'cannot give zip, which "auto" requires'


def test_what_is_written_reads_as_it_was():
    """Export and apply go round, in the same order and with the same digits."""
    market = read(MARKET).market
    written = write_market(market)
    assert "<answer>\n  <state>{outcome}</state>\n</answer>" in written
    assert '[[door]]\nid = "house"\nname = "The house\'s words"\n' in written
    assert '[[door.call]]\npath = "in/status"\nmethods = ["GET"]\n' in written
    again = read(written).market
    assert again == market
    assert [encode(part) for part in parts_of(again).values()] == [
        encode(part) for part in parts_of(market).values()
    ]


def test_what_ships_is_one_market_that_can_be_exported():
    """The five compatibility doors, beside all verticals."""
    paths = [*sorted(CONFIG.glob("verticals/*.toml")), *sorted(CONFIG.glob("doors/*.toml"))]
    reading = read_market(paths)
    assert sorted(door.id for door in reading.market.door) == PRESETS
    assert reading.warnings == ()
    assert read(write_market(reading.market)).market == reading.market


def present(market):
    parts = parts_of(market).items()
    objects = {key: Object(index, part) for index, (key, part) in enumerate(parts)}
    return Present(version=3, objects=objects, retired={})


def test_what_is_stored_reads_as_it_was():
    """Numbers keep their digits and tables their order in the database, too."""
    market = read(MARKET).market
    for (kind, _), part in parts_of(market).items():
        body = encode(part)
        assert decode(kind, body) == part
        assert encode(decode(kind, body)) == body
    assert market_of(present(market).objects) == market


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("paid = 2.50", "paid = 2.5", ["answer"]),
        ("paid = 2.50", "paid = 3.00", ["answer.sold.body.paid"]),
        ('path = "cover"', 'path = "covered"', ["vertical.auto.fields.insured.path"]),
        ("always_200 = true\n", "", ["always_200"]),
        ('lead_id = "id"', 'lead_id = "lid"', ["call.1.lead_id"]),
    ],
)
def test_what_differs_in_a_door_is_told_key_by_key(old, new, keys):
    """How a number is written is a difference: it is sent."""
    market, other = read(MARKET).market, read(changed(MARKET, old, new)).market
    [only] = difference(present(market), other).changes
    assert (only.action, only.kind, only.id) == (Action.CHANGE, "door", "house")
    assert [field.key for field in only.fields] == keys


def test_a_door_that_is_omitted_is_retired_and_comes_back():
    """As every other object of the market."""
    market = read(MARKET).market
    start = MARKET.index('[[door]]\nid = "copy"')
    without = read(MARKET[:start] + MARKET[MARKET.index("[[campaign]]") :]).market
    [change] = difference(present(market), without).changes
    assert (change.action, change.kind, change.id) == (Action.RETIRE, "door", "copy")
    [door] = [door for door in market.door if door.id == "copy"]
    gone = Present(version=4, objects=present(without).objects, retired={("door", "copy"): door})
    [change] = difference(gone, market).changes
    assert (change.action, change.kind, change.id) == (Action.REVIVE, "door", "copy")


def stored(text=MARKET):
    market = read(text).market
    return Stored(version=7, market=market, keys={}, signing={}, credited={})


def compiled(given, compiler=None):
    return (compiler or Compiler(lambda name: name.encode().ljust(32))).snapshot(given).doors


def test_doors_are_part_of_the_snapshot():
    """A copy speaks its model's words and its own before them."""
    doors = compiled(stored())
    assert set(doors) == {"house", "copy"}
    house, copy = doors["house"], doors["copy"]
    assert not house.takes("search")
    assert copy.takes("search")
    assert copy.admits("quick")
    assert not copy.admits("sunny")
    asked = sent(copy, {"query": {"lead": "77", "id": "78"}})
    assert copy.call("in/status").open(asked).lead_id == "77"
    assert house.call("in/status").open(asked).lead_id == "78"


def test_doors_are_compiled_again_only_where_something_changed():
    """Another seller changes none; a word changes the door and its copy; a vertical changes all."""
    compiler = Compiler(lambda name: name.encode().ljust(32))
    first = compiled(stored(), compiler)
    same = compiled(
        stored(changed(MARKET, 'id = "sunny"', 'id = "sunny"\nname = "Sunny"')), compiler
    )
    assert same["house"] is first["house"]
    assert same["copy"] is first["copy"]
    own = compiled(stored(changed(MARKET, 'lead_id = "lead"', 'lead_id = "lid"')), compiler)
    assert own["house"] is same["house"]
    assert own["copy"] is not same["copy"]
    word = compiled(stored(changed(MARKET, 'text = "tcpa"', 'text = "tcpa_text"')), compiler)
    assert word["house"] is not own["house"]
    assert word["copy"] is not own["copy"]
    fields = compiled(stored(re.sub(r"roof = .*", "", MARKET)), compiler)
    assert fields["house"] is not word["house"]


def test_a_stored_door_that_cannot_be_compiled_is_named():
    """A worker of another version keeps what it has."""
    given = stored()
    broken = decode("door", encode(given.market.door[0]).replace("map(answers)", "map(gone)"))
    market = msgspec.structs.replace(given.market, door=(broken,))
    with pytest.raises(InvalidConfigurationError, match='door "house"'):
        compiled(msgspec.structs.replace(given, market=market))
