"""The presets of config/mappings/ and their cases, found by folder and run against the dialect.

A preset is `NAME.toml` with the mapping of that id. `cases/NAME/setting.json` says for which
vertical, parameters and lead it is tried; `cases/NAME/exemplary/*.json` show what is sent and what
the usual answers mean, `cases/NAME/supplemental/*.json` the odd ones. `cases/every/*.json` hold
for every preset. Nothing else names a preset.
"""

import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import msgspec

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.reading import read_market
from exchange.contract.mapping import MappingPart
from exchange.dialect.compiling import Setting, ping_dialect, post_dialect
from exchange.domain.anonymize import shown
from exchange.domain.dialect import (
    Declined,
    Half,
    Heard,
    Message,
    Offered,
    PingDialect,
    PingView,
    PostDialect,
    PostSaid,
    PostView,
    PostWord,
    Unclear,
)
from exchange.domain.money import Micros, from_decimal
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical
from tests.making import NOW_US, a_campaign
from tests.making_intake import a_body, a_snapshot, accepted

CONFIG = Path(__file__).parents[1] / "config"
SHELF = CONFIG / "mappings"
EVERY = "every"
URL = "https://buyer.example/leads"
SALE = "SALE"

Words = dict[str, Any]


@cache
def vertical(name: str) -> Vertical:
    reading = read_market([CONFIG / "verticals" / f"{name}.toml"])
    return vertical_of(reading.market.vertical[0])


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One exchange of words with a buyer."""

    promise: str
    heard: Words
    said: Words
    given: Words = {}
    """What is otherwise than the preset's setting says."""
    sent: Words | None = None


class Sheet(msgspec.Struct, forbid_unknown_fields=True):
    """A file of cases."""

    half: str
    cases: list[Case]


class Preset:
    """A mapping that ships, and what it is tried with."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        self.mapping = msgspec.convert(tables["mapping"][0], MappingPart)
        self.folder = path.parent / "cases" / self.name
        self.setting: Words = json.loads((self.folder / "setting.json").read_text())

    def sheets(self, kind: str) -> Iterator[tuple[str, Case]]:
        """Its cases of one kind, each with its half: `exemplary`, `supplemental`."""
        for path in sorted((self.folder / kind).glob("*.json")):
            sheet = msgspec.json.decode(path.read_bytes(), type=Sheet)
            yield from ((sheet.half, case) for case in sheet.cases)

    def every(self) -> Iterator[tuple[str, Case]]:
        """The cases that hold for every preset, of the halves that this one has."""
        for path in sorted((self.folder.parent / EVERY).glob("*.json")):
            sheet = msgspec.json.decode(path.read_bytes(), type=Sheet)
            if getattr(self.mapping, sheet.half) is not None:
                yield from ((sheet.half, case) for case in sheet.cases)

    def compiled(self) -> Setting:
        secrets = {name: text.encode() for name, text in self.setting.get("secrets", {}).items()}
        return Setting(
            vertical=vertical(self.setting["vertical"]),
            params=self.setting["params"],
            secrets=secrets,
        )

    def ping(self) -> PingDialect:
        return ping_dialect(self.mapping, self.compiled())

    def post(self) -> PostDialect:
        return post_dialect(self.mapping, self.compiled())

    def half(self, half: str) -> PingDialect | PostDialect:
        return self.ping() if half == "ping" else self.post()

    def view(self, half: str, given: Words) -> PingView | PostView:
        return a_ping(self.setting, given) if half == "ping" else a_post(self.setting, given)


def presets(shelf: Path = SHELF) -> list[Preset]:
    """All presets of a shelf; one without a setting cannot be read."""
    return [Preset(path) for path in sorted(shelf.glob("*.toml"))]


def lacking(shelf: Path = SHELF) -> list[str]:
    """What a shelf lacks: every half of every preset shows what is sent and what each end means."""
    found = []
    names = {path.stem for path in shelf.glob("*.toml")}
    folders = {path.name for path in (shelf / "cases").iterdir()} - {EVERY}
    found += [f"{name}: cases without a mapping" for name in sorted(folders - names)]
    found += [f"{name}: no cases" for name in sorted(names - folders)]
    for name in sorted(names & folders):
        preset = Preset(shelf / f"{name}.toml")
        if preset.mapping.id != name:
            found.append(f"{name}: its mapping is called {preset.mapping.id}")
        cases = list(preset.sheets("exemplary"))
        for half, wanted in ENDS.items():
            if getattr(preset.mapping, half) is None:
                continue
            mine = [case for kind, case in cases if kind == half]
            ends = {end_of(case) for case in mine}
            found += [f"{name}: no {half} that is {end}" for end in sorted(wanted - ends)]
            if not any(case.sent for case in mine):
                found.append(f"{name}: no {half} that says what is sent")
        if not list(preset.sheets("supplemental")):
            found.append(f"{name}: no odd answers")
    return found


ENDS = {
    "ping": {"a bid", "no bid", "unclear"},
    "post": {"accepted", "refused", "unclear"},
}


def end_of(case: Case) -> str:
    if "word" in case.said:
        return case.said["word"]
    return "a bid" if "bid" in case.said else "no bid" if "no" in case.said else "unclear"


def is_yes(case: Case) -> bool:
    return end_of(case) in {"a bid", "accepted"}


def submitted(setting: Words, given: Words) -> Submission:
    """The setting's lead through the real intake; null takes a field away."""
    lead = {**setting["lead"], **given.get("lead", {})}
    of_kind = vertical(setting["vertical"])
    campaign = a_campaign(vertical_id=of_kind.id)
    market = a_snapshot(verticals={of_kind.id: of_kind}, campaigns={campaign.id: campaign})
    body = a_body({name: value for name, value in lead.items() if value is not None})
    return accepted(body, market)


def consent_of(setting: Words, given: Words) -> Words:
    consent = {**setting.get("consent", {}), **given.get("consent", {})}
    return {name: value for name, value in consent.items() if value is not None}


def a_ping(setting: Words, given: Words) -> PingView:
    lead = submitted(setting, given).lead
    of_kind = vertical(setting["vertical"])
    consent = consent_of(setting, given)
    merged = {**setting, **given}
    return PingView(
        lead=shown(lead, of_kind, frozenset()),
        consent={name: consent[name] for name in ("tcpa", "jornaya_id") if name in consent},
        ping_id="PING",
        floor=from_decimal(Decimal(5)),
        currency="USD",
        tmax_ms=280,
        source_id="src-9f",
        channel=merged.get("channel"),
        vertical_id=of_kind.id,
        test=merged.get("test", False),
        at_us=NOW_US,
    )


def a_post(setting: Words, given: Words) -> PostView:
    got = submitted(setting, given)
    of_kind = vertical(setting["vertical"])
    merged = {**setting, **given}
    known = {**shown(got.lead, of_kind, frozenset()), **got.lead.fields, **got.person.identity}
    follows = {
        name: got.lead.derived[name] for name in ("age", "state") if name in got.lead.derived
    }
    return PostView(
        lead={**known, **follows},
        consent=consent_of(setting, given),
        sale_id=SALE,
        ping_id="PING",
        bid_id=merged.get("bid_id"),
        token=merged.get("token"),
        price=from_decimal(Decimal(20)),
        currency="USD",
        source_id="src-9f",
        channel=merged.get("channel"),
        vertical_id=of_kind.id,
        test=merged.get("test", False),
        at_us=NOW_US,
    )


def heard_of(words: Words) -> Heard:
    """The answer that a case tells of: a text is sent as it stands, all else as JSON."""
    body = words.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    raw = text.encode(words.get("encoding", "utf-8")) * words.get("times", 1)
    return answer(raw, words.get("status", 200), words.get("type", "application/json"))


def answer(raw: bytes, status: int = 200, kind: str = "application/json") -> Heard:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n"
    return Heard(status, head.encode(), raw)


def check_sent(dialect: Half, message: Message, wanted: Words) -> None:
    """Compare a message with a case: bytes where the case gives bytes, else parsed values."""
    for key, value in wanted.items():
        told = TOLD[key](dialect, message)
        if key == "headers":
            assert value.items() <= told.items(), (value, told)
        elif key == "xml":
            assert told == ET.canonicalize(value, strip_text=True)
        elif key == "json":
            assert typed(told) == typed(json.loads(json.dumps(value), **EXACT))
        else:
            assert told == value


def typed(value: object) -> object:
    """A JSON value in which 1, true and "1" differ, and 20 and 20.00 do not."""
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, Decimal):
        return ("number", value.normalize())
    return (type(value).__name__, value)


EXACT: Words = {"parse_int": Decimal, "parse_float": Decimal}


def headers_of(dialect: Half, message: Message) -> dict[str, str]:
    lines = message.headers.decode().split("\r\n")
    own = dict(line.split(": ", 1) for line in lines if line)
    return {**dialect.headers, **own}


def proof_of(dialect: Half, message: Message) -> dict[str, str]:
    lines = dialect.proof(URL, message, NOW_US).decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line)


def pairs_of(raw: bytes) -> dict[str, str]:
    pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw))
    assert len(dict(pairs)) == len(pairs), "no name is sent twice"
    return dict(pairs)


def kind_of(dialect: Half, message: Message) -> str:
    return headers_of(dialect, message)["Content-Type"].partition(";")[0]


TOLD: dict[str, Any] = {
    "method": lambda dialect, _: dialect.method,
    "type": kind_of,
    "headers": headers_of,
    "proof": proof_of,
    "query": lambda _, message: pairs_of(message.query),
    "form": lambda _, message: pairs_of(message.body),
    "json": lambda _, message: json.loads(message.body, **EXACT),
    "xml": lambda _, message: ET.canonicalize(message.body.decode(), strip_text=True),
    "bytes": lambda _, message: message.body.decode(),
}


def told(said: Offered | Declined | Unclear | PostSaid) -> Words:
    """What a dialect understood, in the words of a case."""
    if isinstance(said, PostSaid):
        return told_of_post(said)
    if isinstance(said, Unclear):
        return {"unclear": True}
    if isinstance(said, Declined):
        return {"no": said.reason}
    values = msgspec.structs.asdict(said)
    named = {name: value for name, value in values.items() if value is not None}
    named.pop("price", None)
    return {"bid": said.price, **named}


def told_of_post(said: PostSaid) -> Words:
    if said.word is PostWord.UNCLEAR:
        return {"word": "unclear"}
    values = {
        "reason": said.detail,
        "reference": said.reference,
        "redirect_url": said.redirect_url,
        "price": said.price,
    }
    return {"word": said.word.value} | {
        name: value for name, value in values.items() if value is not None
    }


def wanted(said: Words) -> Words:
    """A case's words with amounts as micros, to be compared."""
    return {
        name: micros(value) if name in {"bid", "price"} else value for name, value in said.items()
    }


def micros(text: str | None) -> Micros | None:
    return None if text is None else from_decimal(Decimal(text))


def run(preset: Preset, half: str, case: Case) -> None:
    """Run one case: what is sent, and how the answer is read."""
    dialect = preset.half(half)
    if case.sent is not None:
        check_sent(dialect, dialect.render(preset.view(half, case.given)), case.sent)
    said = dialect.read(heard_of(case.heard))
    assert told(said) == wanted(case.said), said
