"""What docs/doors.md tells of each door is what the door does, and its own door can be used."""

import inspect
import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange.commands.try_door import Asking, ending, lines, try_door
from exchange.contract.door import DoorPart
from exchange.domain.door import Fault, Format, Outcome, Told
from exchange.intake.doors.answering import LISTS, NAMES
from exchange.intake.doors.checking import Market, check_door
from exchange.intake.doors.taking import part_of
from tests.making_doors import CONFIG, PRESETS, VERTICALS, as_json, doors, preset, translated
from tests.unit.test_trying_door import a_market, tried

PAGE = (Path(__file__).parents[2] / "docs/doors.md").read_text(encoding="utf-8")
READS = (
    *("key", "campaign", "source", "seller_ref", "ping_id", "lead_id", "min_price", "test"),
    *("already_sold", "legs"),
)
TOLD = {
    "quoted": {"ping_id": "QUOTE", "price": Decimal("10.20")},
    "sold": {"lead_id": "LEAD", "price": Decimal("10.20")},
    "unsold": {"lead_id": "LEAD", "reason": "no_bids", "message": "no bids"},
    "duplicate": {"lead_id": "LEAD", "reason": "duplicate", "message": "duplicate"},
    "pending": {"lead_id": "LEAD", "message": "pending"},
    "denied": {"message": "there is no valid key"},
}


def places(rule):
    """Where a rule of a door that ships looks, as the page writes it."""
    part = part_of(rule)
    paths = (part.path,) if isinstance(part.path, str) else part.path
    told = [f"`{path}`" for path in (*paths, *((part.header,) if part.header else ()))]
    only = "".join(f", where `{place}` is `{text}`" for place, text in part.only_if.items())
    words = [f"`{a}` is {str(b).lower()}" for a, b in (part.map or {}).items() if a != "*"]
    return ", ".join(told) + only + (f" ({', '.join(words)})" if words else "")


def reading_rows(name):
    """The rows of a door's table: what it reads, and where."""
    table = tomllib.loads((CONFIG / f"doors/{name}.toml").read_text())["door"][0]
    part = msgspec.convert(table, DoorPart)
    for field in READS:
        rule = getattr(part, field)
        if rule is not None:
            yield f"| {field} | {places(rule)} |"
    for group in ("fields", "consent", "tracking"):
        for field, rule in getattr(part, group).items():
            yield f"| {'lead' if group == 'fields' else group}.{field} | {places(rule)} |"
    for vertical, special in part.vertical.items():
        for field, rule in special.fields.items():
            yield f"| lead.{field} ({vertical}) | {places(rule)} |"


def answer_rows(name):
    """The rows of a door's table of answers, byte by byte but for an XML document's first line."""
    door = preset(name)
    for outcome, changes in TOLD.items():
        path = door.paths[0 if outcome == "quoted" else min(1, len(door.paths) - 1)]
        call = door.call(path)
        does = "ping" if outcome == "quoted" else "post"
        status = 401 if outcome == "denied" else 200
        told = Told(outcome=Outcome(outcome), does=does, status=status, **changes)
        written = call.write(told, call.format)
        body = written.body.decode().removeprefix('<?xml version="1.0" encoding="UTF-8"?>\n')
        yield f"| {outcome} | {written.status} | `{body.strip()}` |"


def section(name):
    """What the page says of one door."""
    begin = PAGE.index(f"\n### {name}\n")
    return re.split(r"\n#{2,3} ", PAGE[begin + 5 :], maxsplit=1)[0]


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_door_reads_is_told(name):
    """Each rule with its places, and none that the door has not."""
    told = section(name)
    rows = re.findall(r"^\| (?:[a-z_]+|[a-z]+\.\w+(?: \(\w+\))?) \| `.*\|$", told, re.MULTILINE)
    assert [row for row in rows if " | 2" not in row] == list(reading_rows(name))


@pytest.mark.parametrize("name", PRESETS)
def test_how_a_door_answers_is_told(name):
    """The bytes that a sender will hear."""
    told = section(name)
    rows = re.findall(r"^\| [a-z]+ \| \d+ \| .*\|$", told, re.MULTILINE)
    assert rows == list(answer_rows(name))


@pytest.mark.parametrize("name", PRESETS)
def test_the_addresses_of_a_door_are_told(name):
    """All of its calls, and the field that holds the key."""
    told = section(name)
    assert set(re.findall(rf"`/doors/{name}/([^`]+)`", told)) == set(preset(name).paths)


# The door of one's own

OWN = PAGE[PAGE.index("\n## A door of your own") :]
BLOCKS = dict(reversed(re.findall(r"```(\w+)\n(.*?)```", OWN, re.DOTALL)))


def own():
    return doors(BLOCKS["toml"])["brightcrm"]


def test_the_own_door_of_the_page_has_no_fault():
    """It could stand in a market as it is."""
    [part] = [msgspec.convert(one, DoorPart) for one in tomllib.loads(BLOCKS["toml"])["door"]]
    market = Market(
        verticals=VERTICALS,
        campaigns={"auto-us": "auto_insurance"},
        sellers={"fastquotes": ["search"]},
        posts_into={"fastquotes": ["auto-us"]},
    )
    found = check_door(part, market)
    assert (found.faults, found.warnings) == ((), ())


def test_the_own_door_reads_what_the_page_sends_as_the_page_says():
    """The request of the page, and what the page says it becomes."""
    sent, became, *_ = re.findall(r"```json\n(.*?)```", OWN, re.DOTALL)
    opening, told = translated(own(), "leads", {"json": json.loads(sent)})
    assert opening.does == "post"
    expected = json.loads(became)
    assert as_json(told.extra) == expected.pop("extra")
    assert as_json(told.fields) == expected


def test_the_own_door_answers_as_the_page_says():
    """Sold, and refused."""
    *_, sold, refused = re.findall(r"```json\n(.*?)```", OWN, re.DOTALL)
    call = own().call("leads")
    told = Told(
        outcome=Outcome.SOLD,
        does="post",
        status=200,
        lead_id="LEAD",
        price=Decimal("10.20"),
        message="sold",
    )
    assert json.loads(call.write(told, Format.JSON).body) == json.loads(sold)
    told = Told(
        outcome=Outcome.INVALID,
        does="post",
        status=422,
        message="fields are missing or wrong",
        errors=(
            Fault("applicant.born", "lead.birth_date", "bad_value", "must be a date as DD/MM/YYYY"),
        ),
    )
    assert json.loads(call.write(told, Format.JSON).body) == json.loads(refused)


def test_a_try_of_the_page_shows_what_the_page_shows():
    """Line by line."""
    [shown] = re.findall(r"```text\n(.*?)```", OWN, re.DOTALL)
    sent, *_ = re.findall(r"```json\n(.*?)```", OWN, re.DOTALL)
    found = tried(
        a_market(BLOCKS["toml"]),
        (Outcome.SOLD,),
        body=sent.encode(),
        headers={"x-crm-secret": "sk_own"},
    )
    assert "\n".join([*lines(found), ending(found)]) == shown.strip()


def test_every_option_of_a_try_is_told():
    told = OWN[OWN.index("### Try a request") :].split("\n### ")[0]
    options = set(re.findall(r"^\| `--([a-z-]+)", told, re.MULTILINE))
    own = {*inspect.signature(try_door).parameters, *inspect.signature(Asking).parameters}
    known = {name.replace("_", "-") for name in own}
    assert options == known - {"file", "settings", "as-json", "asking"} | {"json"}


def test_all_that_an_answer_may_name_is_told():
    """Each name of the templates of a door, and no other."""
    told = OWN[OWN.index("### What an answer may name") :].split("\n### ")[0]
    names = set(NAMES).union(*(inner for _, inner in LISTS.values()))
    assert set(re.findall(r"`\{([a-z_.]+)\}`", told)) == names
