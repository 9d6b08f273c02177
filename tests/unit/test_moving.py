"""docs/moving.md names every door and preset, where they are, and the words that they say."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from exchange.configuration.reading import read_sheets, sheet_of
from exchange.domain.door import Format, Outcome
from tests.making_doors import CONFIG, PRESETS, as_json, parts, preset, told, translated

PAGE = (Path(__file__).parents[2] / "docs/moving.md").read_text(encoding="utf-8")
DOORS = {name: preset(name) for name in PRESETS}
PARTS = {name: parts((CONFIG / f"doors/{name}.toml").read_text())[0] for name in PRESETS}
MAPPINGS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["mapping"][0]
    for path in CONFIG.glob("mappings/*.toml")
}
POSTED = {"boberdoo": "new_api/api.php", "leadspedia": "post.do", "px": "api/lead/post"}
PINGED = {"boberdoo": "new_api/api.php", "leadspedia": "ping.do", "px": "api/lead/ping"}


def rows(head):
    """The cells of the table that begins so."""
    table = PAGE[PAGE.index(f"\n{head}") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


WAYS = {words(row[1])[0]: row for row in rows("| if you send |")}


def test_every_door_that_ships_has_its_row():
    assert sorted(WAYS) == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_addresses_and_keys_are_those_of_the_door(name):
    """All its calls are named, those behind the first by their last part."""
    whole, *others = words(WAYS[name][2])
    calls = [call.path for call in PARTS[name].call]
    assert whole == f"https://EXCHANGE/doors/{name}/{calls[0]}"
    assert [other.removeprefix("…/") for other in others] == [
        path.rpartition("/")[2] for path in calls[1:]
    ]
    assert words(WAYS[name][3]) == [PARTS[name].key]
    campaign = PARTS[name].campaign.path
    assert words(WAYS[name][4])[0] in ([campaign] if isinstance(campaign, str) else campaign)


[COLUMNS] = re.findall(r"^\| here \| \| (.*) \|$", PAGE, re.MULTILINE)
HEARD = [
    (door, words(row[0])[0], cell)
    for row in rows("| here |")
    for door, cell in zip(COLUMNS.split(" | "), row[2:], strict=True)
]


@pytest.mark.parametrize(("door", "outcome", "cell"), HEARD)
def test_a_door_says_the_word_of_the_table(door, outcome, cell):
    """As JSON, which every door can speak."""
    place = PINGED if outcome == "quoted" else POSTED
    call = DOORS[door].call(place.get(door, "ping" if outcome == "quoted" else "post"))
    price = {"price": "10.20"} if outcome in {"quoted", "sold"} else {}
    said = call.write(told(outcome=outcome, does="post", status=200, **price), Format.JSON)
    key, value = words(cell)
    found = json.loads(said.body)[key]
    assert (found if isinstance(found, str) else json.dumps(found)) == value


def test_the_outcomes_of_a_lead_are_all_there():
    """And those of a request that a seller must tell apart."""
    ends = {"quoted", "sold", "unsold", "pending", "duplicate", "rejected", "invalid", "denied"}
    named = {words(row[0])[0] for row in rows("| here |")}
    assert ends <= named <= {str(outcome) for outcome in Outcome}


def test_every_preset_that_ships_has_its_row():
    """With a ping or without, as it is."""
    table = {words(row[0])[0]: row for row in rows("| preset |")}
    assert table.keys() == MAPPINGS.keys()
    for name, row in table.items():
        assert (row[2] == "none") == ("ping" not in MAPPINGS[name])


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_preset_is_written_for_the_vertical_of_its_cases(name):
    """Or its own words say that it fits every one."""
    told = next(row[4] for row in rows("| preset |") if words(row[0]) == [name])
    if told == "every vertical":
        assert "Fits every vertical" in (CONFIG / f"mappings/{name}.toml").read_text()
    else:
        setting = json.loads((CONFIG / f"mappings/cases/{name}/setting.json").read_text())
        assert told.replace(" ", "_").removesuffix("s") in setting["vertical"]


def test_the_door_of_the_page_stands_beside_what_ships():
    """A market with two campaigns, the door that it is like, and the operator's own."""
    [block] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    market = "".join(
        f'[[campaign]]\nid = "{name}"\nvertical = "{vertical}"\nsellers = ["fastquotes"]\n'
        for name, vertical in (("auto-us", "auto_insurance"), ("solar-us", "solar"))
    )
    paths = [*sorted(CONFIG.glob("verticals/*.toml")), CONFIG / "doors/leadspedia.toml"]
    sheets = [sheet_of(path.name, path.read_text(encoding="utf-8")) for path in paths]
    own = sheet_of("market.toml", f'[[seller]]\nid = "fastquotes"\n{market}{block}')
    assert {door.id for door in read_sheets([*sheets, own]).market.door} == {
        "leadspedia",
        "fast-lp",
    }


TESTS = re.findall(r"`(\w+)=(\w+)` \(([^)]+)\)", PAGE)


@pytest.mark.parametrize(("name", "word", "platform"), TESTS)
def test_a_test_lead_is_said_as_the_page_says_it(name, word, platform):
    """The door of that platform takes it for a test."""
    door = platform.lower().replace(" ", "")
    _, request = translated(DOORS[door], POSTED.get(door, "post"), {"form": {name: word}})
    assert as_json(request.fields)["test"] in {True, "1", "true"}


def test_every_door_that_knows_tests_is_told_of():
    assert len(TESTS) == sum(part.test is not None for part in PARTS.values())
