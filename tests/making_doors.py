"""Doors for tests: those that ship, compiled, and what is sent to them."""

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from exchange.configuration.compiling.verticals import vertical_of
from exchange.contract.door import DoorPart
from exchange.contract.market.verticals import VerticalPart
from exchange.domain.door import Told
from exchange.intake.doors.bodies import sent_of
from exchange.intake.doors.compiling import compile_door
from exchange.intake.doors.like import resolved
from exchange.intake.request import Unparsable

CONFIG = Path(__file__).parents[1] / "config"
PRESETS = sorted(path.stem for path in CONFIG.glob("doors/*.toml"))
FORM = "application/x-www-form-urlencoded"


def verticals():
    found = {}
    for path in CONFIG.glob("verticals/*.toml"):
        for table in tomllib.loads(path.read_text(), parse_float=Decimal)["vertical"]:
            part = msgspec.convert(table, VerticalPart)
            found[part.id] = vertical_of(part)
    return found


VERTICALS = verticals()


def parts(text):
    """The doors of a TOML text, as they stand."""
    return [msgspec.convert(table, DoorPart) for table in tomllib.loads(text)["door"]]


def doors(text, known=VERTICALS):
    """The doors of a TOML text, compiled."""
    found = {part.id: part for part in parts(text)}
    return {name: compile_door(resolved(part, found), known) for name, part in found.items()}


def preset(name):
    return doors((CONFIG / f"doors/{name}.toml").read_text())[name]


def cases(name):
    return json.loads((CONFIG / f"doors/cases/{name}.json").read_text())


def sending(sent):
    """The body, content type and query of what a case says was sent."""
    if "json" in sent:
        body = json.dumps(sent["json"]).encode()
    elif "form" in sent:
        body = urlencode(sent["form"]).encode()
    else:
        body = bytes.fromhex(sent["hex"]) if "hex" in sent else sent.get("body", "").encode()
    query = sent.get("query", {})
    behind = query if isinstance(query, str) else urlencode(query)
    usual = "application/json" if "json" in sent else FORM
    return body, sent.get("type", usual), behind.encode()


def sent(door, what):
    """What was sent, taken apart; or why it cannot be."""
    body, kind, query = sending(what)
    headers = {name.lower(): text for name, text in what.get("headers", {}).items()}
    return sent_of(body, kind, query, headers, door.inside)


def translated(door, path, what, campaign="auto-us", vertical="auto_insurance"):
    """The opening and the translation of what was sent, as JSON would hold them."""
    call = door.call(path)
    taken = sent(door, what)
    if isinstance(taken, Unparsable):
        return taken, None
    told = call.translate(taken, campaign, vertical)
    return call.open(taken), told


def as_json(value):
    return json.loads(msgspec.json.Encoder(decimal_format="number").encode(value))


def told(**changes):
    return msgspec.convert(changes, Told, strict=False)
