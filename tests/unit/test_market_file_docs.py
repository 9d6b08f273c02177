"""The documentation names every key, and its examples work."""

import re
from pathlib import Path

import msgspec
import pytest

from exchange.configuration.reading import read_sheets, sheet_of
from exchange.contract import door, learning, mapping
from exchange.contract.market import buyers, campaigns, limits, margins, offers, sellers, verticals
from exchange.domain.condition import Kind, Name, compile_condition
from exchange.domain.condition_names import DERIVED_NAMES, EXCHANGE_NAMES
from exchange.domain.door import Outcome

DOCS = Path(__file__).parents[2] / "docs"
MARKET_FILE = (DOCS / "market-file.md").read_text(encoding="utf-8")
CONDITIONS = (DOCS / "conditions.md").read_text(encoding="utf-8")

SECTIONS = {
    verticals.VerticalPart: "## `[[vertical]]`",
    verticals.FieldPart: "### `[vertical.fields]`",
    sellers.SellerPart: "## `[[seller]]`",
    sellers.SourcePart: "### `source`",
    limits.VolumeCapPart: "### `caps` of a seller or source",
    sellers.WebhookPart: "### `webhook`",
    buyers.BuyerPart: "## `[[buyer]]`",
    buyers.BillingPart: "### `billing`",
    limits.CapPart: "### `caps`\n",
    limits.AccountPart: "### `[[buyer.account]]`",
    buyers.ReturnsPart: "### `returns`",
    offers.OfferPart: "### `[[buyer.offer]]`",
    offers.PingPart: "### `ping`",
    offers.PostPart: "### `post`",
    offers.NoticesPart: "### `notices`",
    offers.StatusPart: "### `status`",
    offers.FormatPart: "### `format`, as a table",
    mapping.MappingPart: "## `[[mapping]]`",
    door.DoorPart: "## `[[door]]`",
    door.AnswerPart: "### `[door.answer.OUTCOME]`",
    door.FromPart: "### Rules of a door",
    campaigns.CampaignPart: "## `[[campaign]]`",
    campaigns.TermsPart: "### `sellers`",
    margins.MarginPart: "### `margin`",
    margins.BandPart: "### `bands`",
    campaigns.FloorsPart: "### `[campaign.floors]`",
    campaigns.DuplicatesPart: "### `duplicates`",
    learning.ExpectedValuePart: "### `expected_value`",
    learning.LearnFloorPart: "### `learn_floor`",
    campaigns.StagePart: "### `[[campaign.stage]]`",
}


def documented(heading):
    """The keys of a section's table, in its order."""
    section = MARKET_FILE[MARKET_FILE.index(f"\n{heading}") + 1 :]
    section = re.split(r"\n#{2,3} ", section, maxsplit=1)[0]
    return re.findall(r"^\| `([a-z_0-9]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("part", SECTIONS, ids=lambda part: part.__name__)
def test_every_key_is_documented_and_no_other(part):
    """What the types take is what the page says."""
    assert sorted(documented(SECTIONS[part])) == sorted(
        field.encode_name for field in msgspec.structs.fields(part)
    )


def test_every_key_of_a_call_is_documented():
    """Its own stand in its table, what it reads in its door's."""
    own = documented("### `[[door.call]]`")
    told = {*own, *documented(SECTIONS[door.DoorPart])}
    read = {field.encode_name for field in msgspec.structs.fields(door.ReadsPart)}
    keys = {field.encode_name for field in msgspec.structs.fields(door.CallPart)}
    assert set(own) == keys - read
    assert keys <= told


def test_every_outcome_of_a_door_is_documented():
    """Each word that an answer may be written for."""
    section = MARKET_FILE[MARKET_FILE.index("### `[door.answer.OUTCOME]`") :].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) == {outcome.value for outcome in Outcome}


def test_the_first_market_of_the_page_is_a_market():
    """A newcomer who copies it gets no error."""
    [text] = re.findall(r"```toml\n(.*?)```", MARKET_FILE, re.DOTALL)
    reading = read_sheets([sheet_of("market.toml", text)])
    assert reading.market.campaign[0].id == "auto-us"
    assert reading.warnings == ()


def test_every_example_of_a_condition_can_be_read():
    """Each row of the table is code that compiles."""
    names = {
        **EXCHANGE_NAMES,
        **DERIVED_NAMES,
        **dict.fromkeys(("sr22", "homeowner", "a", "b"), Name(Kind.BOOL)),
        **dict.fromkeys(("annual_miles", "loan", "value"), Name(Kind.NUMBER)),
        **dict.fromkeys(("zip", "email", "current_insurer", "vehicle_model"), Name(Kind.TEXT)),
        "credit": Name(Kind.TEXT, ("poor", "good")),
        "birth_date": Name(Kind.DATE),
    }
    table = CONDITIONS[CONDITIONS.index("## What can be said") : CONDITIONS.index("Nothing else")]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    examples = [example for row in rows for example in re.findall(r"`([^`]+)`", row)]
    whole = [
        example
        for example in examples
        if example not in {"<", "<=", ">", "==", "!=", "+", "-", "*", ".upper()", "( … )"}
    ]
    assert len(whole) > 20
    for example in whole:
        assert compile_condition(example, names).text == example


def test_every_name_that_a_condition_knows_is_documented():
    """What follows from a lead's fields stands in the page's table."""
    table = CONDITIONS[CONDITIONS.index("## Names") : CONDITIONS.index("## What a timeline")]
    told = set(
        re.findall(r"`([a-z_0-9]+)`", "\n".join(re.findall(r"^\| .*? \|", table, re.MULTILINE)))
    )
    assert told == EXCHANGE_NAMES.keys() | DERIVED_NAMES.keys()
