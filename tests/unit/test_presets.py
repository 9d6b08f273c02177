"""Every preset says and understands what its cases show, and never takes an accident for a yes."""

import json
import shutil
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import msgspec
import pytest

from exchange.configuration.reading import read_market
from exchange.dialect.compiling import (
    DialectError,
    param_faults,
    post_dialect,
    secrets_of_params,
)
from exchange.domain.dialect import Offered, PostWord
from tests.making_presets import (
    SHELF,
    answer,
    heard_of,
    is_yes,
    lacking,
    presets,
    proof_of,
    run,
    submitted,
    told,
)

ALL = presets()
PINGED = [preset for preset in ALL if preset.mapping.ping is not None]
each = pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
each_ping = pytest.mark.parametrize("preset", PINGED, ids=lambda preset: preset.name)


def named(cases):
    return [
        pytest.param(preset, half, case, id=f"{preset.name}: {half}: {case.promise}")
        for preset, half, case in cases
    ]


EXEMPLARY = [(preset, *pair) for preset in ALL for pair in preset.sheets("exemplary")]
SUPPLEMENTAL = [(preset, *pair) for preset in ALL for pair in preset.sheets("supplemental")]
EVERYWHERE = [(preset, *pair) for preset in ALL for pair in preset.every()]
YES = [(preset, half, case) for preset, half, case in EXEMPLARY if is_yes(case)]


def is_success(said):
    return isinstance(said, Offered) or getattr(said, "word", None) is PostWord.ACCEPTED


@pytest.mark.parametrize(("preset", "half", "case"), named(EXEMPLARY))
def test_it_speaks_as_its_platform_does(preset, half, case):
    """What is sent, what comes back, what it means."""
    run(preset, half, case)


@pytest.mark.parametrize(("preset", "half", "case"), named(SUPPLEMENTAL))
def test_an_odd_answer_is_read_for_what_it_is(preset, half, case):
    """Types that change, prices with signs, words that contradict each other, statuses that lie."""
    run(preset, half, case)


@pytest.mark.parametrize(("preset", "half", "case"), named(EVERYWHERE))
def test_what_no_platform_says_is_neither_yes_nor_no(preset, half, case):
    """Empty, cut short, deep, huge, a gateway's page: in doubt, in every dialect."""
    run(preset, half, case)


@pytest.mark.parametrize(("preset", "half", "case"), named(YES))
@pytest.mark.parametrize(
    "kind", ["text/html", "text/plain; charset=latin-1", "application/xml", "image/png", "nonsense"]
)
def test_a_content_type_that_lies_changes_nothing(preset, half, case, kind):
    """An answer is read by what it is; a mark and blanks before it are read over."""
    heard, dialect = heard_of(case.heard), preset.half(half)
    usual = dialect.read(heard)
    assert dialect.read(answer(heard.body, heard.status, kind)) == usual
    marked = b"\xef\xbb\xbf \r\n" + heard.body + b"\r\n"
    assert dialect.read(answer(marked, heard.status, kind)) == usual


@pytest.mark.parametrize(("preset", "half", "case"), named(YES))
def test_a_yes_cut_anywhere_is_none(preset, half, case):
    """No beginning of a JSON or XML answer is an answer."""
    heard, dialect = heard_of(case.heard), preset.half(half)
    if heard.body[:1] in b"{<":
        for end in range(len(heard.body.rstrip())):
            assert not is_success(dialect.read(answer(heard.body[:end], heard.status)))


@pytest.mark.parametrize(("preset", "half", "case"), named(YES))
@pytest.mark.parametrize("status", [301, 400, 403, 404, 408, 429, 500, 502, 503])
def test_a_yes_with_a_status_of_failure_is_none(preset, half, case, status):
    """What stands in the body of a failure sells nothing."""
    heard = heard_of(case.heard)
    assert not is_success(preset.half(half).read(answer(heard.body, status)))


@pytest.mark.parametrize(("preset", "half", "case"), named(YES))
def test_a_yes_within_something_else_is_none(preset, half, case):
    """Twice, in a page, in a list, in a text, behind a notice."""
    body = heard_of(case.heard).body.decode()
    for odd in (
        f"{body}{body}",
        f"<!DOCTYPE html><html><body>{body}</body></html>",
        f"[{body}]",
        json.dumps(f"error near {body}"),
        f"Warning: something in line 7\n{body}",
    ):
        assert not is_success(preset.half(half).read(answer(odd.encode()))), odd


@each_ping
def test_a_ping_names_nobody(preset):
    """No value of the person stands in a ping, in any spelling that a filter could give it."""
    given = {"lead": {"first_name": "Zyxcanary", "last_name": "Quuxcanary"}}
    dialect, view = preset.ping(), preset.view("ping", given)
    message = dialect.render(view)
    sent = (message.query + message.headers + message.body).decode().casefold()
    identity = submitted(preset.setting, given).person.identity
    for value in (*map(str, identity.values()), "5125550123", "555-0123", "canary", "203.0.113.9"):
        assert value.casefold() not in sent


@each
def test_a_post_brings_the_person(preset):
    """Who won can call: the telephone number is there, and but for a call the name."""
    message = preset.post().render(preset.view("post", {}))
    sent = message.body.decode()
    assert "5550123" in sent.replace("-", "")
    assert "Ann" in sent or "CID" in sent


@each
def test_a_key_is_shown_to_nobody(preset):
    """Where people look at a request, its secrets are not."""
    dialect = preset.post()
    message = dialect.render(preset.view("post", {}))
    proof = b"".join(f"{k}: {v}\r\n".encode() for k, v in proof_of(dialect, message).items())
    seen = dialect.redacted(message.query + message.headers + proof + message.body).decode()
    for secret in preset.setting.get("secrets", {}).values():
        for spelled in (secret, quote_plus(secret), escape(secret)):
            assert spelled not in seen
    assert "5550123" in seen.replace("-", "")


def test_each_buyer_brings_its_own_key():
    """A parameter is one secret and nothing else; which, a plan can ask; half of one is a fault."""
    phonexa = next(preset for preset in ALL if preset.name == "phonexa-like")
    params = phonexa.setting["params"]
    assert secrets_of_params(params) == [(("params", "api_password"), "acme_phonexa")]
    other = {**params, "api_password": "{secret:other}"}
    setting = msgspec.structs.replace(phonexa.compiled(), params=other, secrets={"other": b"o-1"})
    dialect = post_dialect(phonexa.mapping, setting)
    body = dialect.render(phonexa.view("post", {})).body
    assert b"apiPassword=o-1&" in body
    assert b"apiPassword=***&" in dialect.redacted(body)
    unknown = msgspec.structs.replace(setting, secrets={"others": b"x"})
    with pytest.raises(DialectError, match='secret "other", which is not kept; did you mean'):
        post_dialect(phonexa.mapping, unknown)
    half = {**params, "api_password": "key {secret:other}"}
    [fault] = param_faults(phonexa.mapping, "auto_insurance", half)
    assert fault.path == ("params", "api_password")


def test_no_preset_lacks_a_case():
    """Each half of each says what is sent, and shows a yes, a no and a doubt."""
    assert lacking() == []
    assert len(ALL) >= 10


def test_a_new_dialect_is_a_file_and_its_cases(tmp_path):
    """Found by folder alone; without cases, or without one of the ends, the shelf lacks it."""
    for preset in ALL[:2]:
        shutil.copy(SHELF / f"{preset.name}.toml", tmp_path)
        shutil.copytree(preset.folder, tmp_path / "cases" / preset.name)
    assert lacking(tmp_path) == []
    (tmp_path / "corner-shop.toml").write_text(
        """
        [[mapping]]
        id = "corner-shop"
        [mapping.post]
        body = { json = { who = "{lead.first_name}" } }
        accepted = { path = "said", equals = ["aye"] }
        refused = { path = "said", equals = ["nay"] }
        """
    )
    assert lacking(tmp_path) == ["corner-shop: no cases"]
    folder = tmp_path / "cases/corner-shop"
    (folder / "exemplary").mkdir(parents=True)
    (folder / "supplemental").mkdir()
    setting = {"vertical": "solar", "params": {}, "lead": ALL[0].setting["lead"]}
    shown = next(p for p in ALL if p.setting["vertical"] == "solar").setting["lead"]
    (folder / "setting.json").write_text(json.dumps({**setting, "lead": shown}))
    cases = [
        {
            "promise": "aye is yes",
            "sent": {"json": {"who": "Ann"}},
            "heard": {"body": {"said": "aye"}},
            "said": {"word": "accepted"},
        },
        {
            "promise": "nay is no",
            "heard": {"body": {"said": "nay"}},
            "said": {"word": "refused"},
        },
    ]
    (folder / "supplemental/post.json").write_text(json.dumps({"half": "post", "cases": cases}))
    (folder / "exemplary/post.json").write_text(json.dumps({"half": "post", "cases": cases}))
    assert lacking(tmp_path) == ["corner-shop: no post that is unclear"]
    doubt = {"promise": "hm", "heard": {"body": "hm"}, "said": {"word": "unclear"}}
    sheet = {"half": "post", "cases": [*cases, doubt]}
    (folder / "exemplary/post.json").write_text(json.dumps(sheet))
    assert lacking(tmp_path) == []
    [shop] = [preset for preset in presets(tmp_path) if preset.name == "corner-shop"]
    for half, case in shop.sheets("exemplary"):
        run(shop, half, case)
    wrong = {**cases[1], "said": {"word": "accepted"}}
    (folder / "exemplary/post.json").write_text(json.dumps({"half": "post", "cases": [wrong]}))
    [(half, case)] = shop.sheets("exemplary")
    with pytest.raises(AssertionError):
        run(shop, half, case)
    assert told(shop.post().read(heard_of(case.heard))) == {"word": "refused"}


def test_all_that_ships_is_one_market():
    """Applied together, verticals and mappings have no fault of their own."""
    kinds = ("verticals", "mappings")
    shipped = [path for kind in kinds for path in sorted((SHELF.parent / kind).glob("*.toml"))]
    reading = read_market(shipped)
    assert len(reading.market.mapping) == len(list(SHELF.glob("*.toml")))
    assert reading.warnings == ()
