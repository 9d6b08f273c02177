"""Each door that ships does what its cases say: bytes in, a native request; an outcome, bytes out.

The cases lie in config/doors/cases, one file a door: exemplary ones first, then the odd ones.
"""

import tomllib

import pytest

from exchange.domain.door import Format, Outcome
from exchange.intake.doors.checking import Market, check_door
from exchange.intake.request import Unparsable
from tests.making_doors import (
    CONFIG,
    PRESETS,
    VERTICALS,
    as_json,
    cases,
    parts,
    preset,
    told,
    translated,
)

DOORS = {name: preset(name) for name in PRESETS}
REQUESTS = [(name, case) for name in PRESETS for case in cases(name)["requests"]]
ANSWERS = [(name, case) for name in PRESETS for case in cases(name)["answers"]]


def test_there_is_a_door_for_each_dialect():
    """The five that sellers come from, and each has cases."""
    assert PRESETS == ["boberdoo", "leadprosper", "leadspedia", "phonexa", "px"]
    assert {path.stem for path in CONFIG.glob("doors/cases/*.json")} == set(PRESETS)


@pytest.mark.parametrize(
    ("name", "case"), REQUESTS, ids=[f"{name}: {case['promise']}" for name, case in REQUESTS]
)
def test_a_request_becomes_the_native_one(name, case):
    """What was sent, under whichever names and in whichever format, in the contract's words."""
    opening, request = translated(DOORS[name], case["call"], case["sent"])
    if "unreadable" in case:
        assert isinstance(opening, Unparsable)
        assert opening.detail == case["unreadable"]
        return
    said = {name: value for name, value in as_json(opening).items() if value is not None}
    assert said == case["opening"]
    assert as_json(request.fields) == case["request"]
    assert as_json(request.extra) == case["extra"]


@pytest.mark.parametrize(
    ("name", "case"),
    ANSWERS,
    ids=[
        f"{name} {case['call']} {case['told']['outcome']} {case['format']}"
        for name, case in ANSWERS
    ],
)
def test_an_outcome_becomes_the_answer_that_is_expected(name, case):
    """Words, types, status and format, byte by byte."""
    call = DOORS[name].call(case["call"])
    written = call.write(told(**case["told"]), Format(case["format"]))
    assert written.body.decode() == case["body"]
    assert (written.status, written.content_type) == (case["status"], case["type"])


@pytest.mark.parametrize("name", PRESETS)
def test_every_outcome_of_every_call_has_an_answer(name):
    """Whatever happens, in each format, something is said that is not empty."""
    door = DOORS[name]
    for path in door.paths:
        for outcome in Outcome:
            for form in Format:
                said = door.call(path).write(told(outcome=outcome, does="post", status=503), form)
                assert said.body
                assert said.status == 503


@pytest.mark.parametrize("name", PRESETS)
def test_a_door_that_ships_stands_in_any_market(name):
    """Next to every vertical that ships, and next to none of them."""
    [part] = parts((CONFIG / f"doors/{name}.toml").read_text())
    for verticals in (VERTICALS, {}):
        campaigns = {f"{one}-us": one for one in verticals}
        market = Market(
            verticals=verticals,
            campaigns=campaigns,
            sellers={"fastquotes": ["search"]},
            posts_into={"fastquotes": list(campaigns)},
        )
        found = check_door(part, market)
        assert found.faults == ()
        assert found.warnings == ()


@pytest.mark.parametrize("name", PRESETS)
def test_what_to_change_stands_at_the_top_of_the_file(name):
    """The URL and the key, and the example of a door like it is one that can be read."""
    text = (CONFIG / f"doors/{name}.toml").read_text()
    head = text[: text.index("\n[[door]]\n")]
    assert f"https://EXCHANGE/doors/{name}/" in head
    assert "exchange keys create --role seller" in head
    example = "\n".join(
        line.removeprefix("#   ") for line in head.splitlines() if line.startswith("#   ")
    )
    table = tomllib.loads(example[example.index("[[door]]") :])
    assert table["door"][0]["like"] == name
