"""The table of a rehearsal, and what its judge finds odd."""

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from bidders.rehearsal.acts import Pending, Problem, Quoted, Sold, Way
from bidders.rehearsal.judge import Judge, Weight
from bidders.rehearsal.judge import Kind as Oddity
from bidders.rehearsal.market import StageError, read_vertical
from bidders.rehearsal.page import markdown, page
from bidders.rehearsal.scenes import OTHERWISE, SCENES, scene_of
from bidders.rehearsal.telling import text
from bidders.rehearsal.visits import Door, Visit
from exchange.domain.reason import Reason
from exchange.web.problems import Kind
from tests.making_intake import geography

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rehearsal.md").read_text()


def test_the_page_shows_the_table_that_is_played():
    """docs/rehearsal.md and GET / say of every ZIP code what the code says."""
    assert markdown() in PAGE, f"docs/rehearsal.md must show:\n{markdown()}"
    shown = page("auto-us", "auto_insurance")
    assert all(f"<td>{scene.zip}</td>" in shown for scene in (*SCENES, OTHERWISE))
    assert len(re.findall("<tr>", shown)) == len(SCENES) + 2


def test_every_zip_code_exists_and_is_there_once():
    """Otherwise its lead would be 422, as on the exchange."""
    codes = [scene.zip for scene in SCENES]
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if code not in geography()] == []
    assert scene_of("78701-1234") is scene_of("78701") is SCENES[0]
    assert scene_of("00501") is scene_of(None) is OTHERWISE


def test_the_table_holds_all_that_a_seller_can_meet():
    """Every reason of a lead, every problem of a post, every way for an answer to go astray."""
    posts = [scene.post for scene in SCENES]
    reasons = {post.reason for post in posts if hasattr(post, "reason")}
    assert reasons == {reason for reason in Reason if reason >= 501} - {Reason.DUPLICATE}
    kinds = {post.kind for post in posts if isinstance(post, Problem)}
    not_at_a_post = {
        *(Kind.METHOD, Kind.EXPECTATION, Kind.HEADERS, Kind.CLOSING),
        *(Kind.DECIDED, Kind.BEING_SOLD),
    }
    assert kinds == set(Kind) - not_at_a_post
    assert {scene.delivery.way for scene in SCENES} == set(Way)
    assert {type(post.then) for post in posts if isinstance(post, Pending)} >= {Sold, type(None)}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.zip)
def test_a_ping_of_what_may_be_sold_is_quoted(scene):
    """Quote and sale name one price; a reason or a problem is the ping's too."""
    if scene.quote is None and isinstance(scene.post, Sold):
        assert scene.ping == Quoted(scene.post.total)
    elif scene.quote is None and not isinstance(scene.post, Pending):
        assert scene.ping is scene.post
    else:
        assert isinstance(scene.ping, Quoted)
        assert scene.ping.price == Decimal("10.00")


# The judge

NO_ZIP = """[[vertical]]
id = "x"
[vertical.fields]
age = { type = "int", privacy = "attribute" }
"""


def visit(number=1, at_s=0.0, **changes):
    plain = {
        "number": number,
        "at_s": at_s,
        "ended_s": changes.pop("ended_s", at_s + 0.1),
        "door": Door.POST,
        "method": "POST",
        "key": "k",
        "body": b"body",
        "person": b"Ann",
        "scene": SCENES[0],
        "http": 200,
        "lead_id": "lead-1",
        "lead_status": "sold",
    }
    return Visit(**{**plain, **changes})


LOST = {"way": Way.CUT}
BUSY = {"http": 503, "problem": "overloaded", "retry_after_s": 2.0, "scripted": True}
PENDING = {"lead_status": "pending"}
REFUSED = {"http": 422, "problem": "fields", "scripted": True, "scene": None, "person": None}


def look(number, at_s, **changes):
    looked = {"door": Door.LOOK, "method": "GET", "key": None, "body": None, "scene": None}
    return visit(number, at_s, **{**looked, **changes})


FINDINGS = {
    "nothing": ([visit()], []),
    "a lost answer, asked for again": ([visit(**LOST), visit(2, 1.0)], []),
    "a lost answer, sent under another key": (
        [visit(**LOST), visit(2, 1.0, key="other")],
        ["sold_twice"],
    ),
    "a lost answer, sent without a key": (
        [visit(key=None, **LOST), visit(2, 1.0, key=None)],
        ["sold_twice", "no_idempotency_key"],
    ),
    "a 500, sent under another key": (
        [visit(http=500, problem="internal"), visit(2, 1.0, key="other")],
        ["sold_twice"],
    ),
    "under way, sent under another key": (
        [visit(http=409, problem="under-way"), visit(2, 1.0, key="other")],
        ["sold_twice"],
    ),
    "a lost answer, never asked for again": ([visit(**LOST)], ["gave_up"]),
    "a lost answer, asked for again in vain": ([visit(**LOST), visit(2, 1.0, **LOST)], []),
    "busy, and patient": ([visit(**BUSY), visit(2, 2.2)], []),
    "busy, and patient under another key: nothing was sold": (
        [visit(**BUSY), visit(2, 2.2, key="other")],
        [],
    ),
    "busy, and impatient": ([visit(**BUSY), visit(2, 1.0)], ["ignored_retry_after"]),
    "busy, and lost": ([visit(**BUSY)], ["gave_up"]),
    "pending, and asked for": ([visit(**PENDING), look(2, 1.0)], []),
    "pending, and never asked for": ([visit(**PENDING)], ["never_asked_after_pending"]),
    "pending, and sold elsewhere": (
        [visit(**PENDING), look(2, 1.0), visit(3, 2.0, key="other")],
        ["resold_while_pending"],
    ),
    "pending, and repeated": ([visit(**PENDING), look(2, 1.0), visit(3, 2.0)], []),
    "pending, and asked for without a pause": (
        [visit(**PENDING), *(look(n, n * 0.2, **PENDING) for n in range(2, 9))],
        ["polls_too_often"],
    ),
    "the same person in another place is another lead": (
        [visit(**LOST), visit(2, 1.0), visit(3, 2.0, scene=SCENES[1], key="other")],
        [],
    ),
    "sold, and tried again by hand": ([visit(), visit(2, 5.0, key="other")], []),
    "refused, and mended": ([visit(**REFUSED), visit(2, 1.0, body=b"mended")], []),
    "refused, and repeated": (
        [visit(**REFUSED), visit(2, 1.0, **REFUSED)],
        ["repeated_a_refusal"],
    ),
    "no such key, and another one": (
        [visit(http=401, problem="unknown-key", scripted=True, scene=None), visit(2, 1.0)],
        [],
    ),
    "a key with another body": (
        [visit(), visit(2, 1.0, person=b"Bob", http=422, problem="key-reused")],
        ["key_with_another_body"],
    ),
    "a quote that was used": (
        [visit(http=409, problem="conflict")],
        ["quote_posted_twice"],
    ),
    "broken JSON": ([visit(http=400, problem="unreadable", detail="no JSON")], ["bad_request"]),
    "bad fields": (
        [visit(http=422, problem="fields", faults=(("lead.zip", "required"),))],
        ["bad_fields"],
    ),
    "unknown fields": ([visit(unknown=("zipp (meant zip?)",))], ["unknown_fields"]),
    "a ping that says who it is": (
        [visit(door=Door.PING, key=None, named=("phone",), lead_status="quoted")],
        ["identity_in_ping"],
    ),
    "hung up early, and came back": (
        [visit(gone=True, ended_s=3.0), visit(2, 4.0)],
        ["hung_up_early"],
    ),
    "hung up, and back before that was noticed": (
        [visit(2, 0.2), visit(1, 0.0, gone=True, ended_s=0.3)],
        ["hung_up_early"],
    ),
    "hung up, and back under another key before that was noticed": (
        [visit(2, 0.2, key="other"), visit(1, 0.0, gone=True, ended_s=0.3)],
        ["sold_twice", "hung_up_early"],
    ),
    "hung up when it said it would": (
        [visit(gone=True, timeout_ms=3000, ended_s=3.5), visit(2, 4.0)],
        [],
    ),
    "hung up at the answer deadline": ([visit(gone=True, ended_s=30.5), visit(2, 31.0)], []),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_the_judge_finds_what_is_odd_and_nothing_else(name):
    """Each story of a seller's requests, and the kinds of notes that it brings."""
    visits, wanted = FINDINGS[name]
    judge = Judge()
    for one in visits:
        judge.hear(one)
    report = judge.report()
    assert [note.kind for note in report.notes] == wanted
    faults = [note for note in report.notes if note.weight is Weight.FAULT]
    assert report.faults == sum(note.count for note in faults)
    assert report.requests == len(visits)


def test_a_report_names_each_oddity_once_with_its_number():
    """Counted, with the first request; what was not rehearsed stands at its end."""
    judge = Judge()
    for number in (1, 2):
        judge.hear(visit(number, number * 100.0, key=None, person=b"%d" % number))
    report = judge.report()
    [note] = report.notes
    assert (note.kind, note.count, note.first) == ("no_idempotency_key", 2, 1)
    assert report.leads == 2
    assert [(one.zip, one.requests, one.warnings) for one in report.rehearsed] == [("78701", 2, 2)]
    assert len(report.not_rehearsed) == len(SCENES) - 1
    told = text(report)
    assert "2 requests, 2 leads: 0 faults, 2 warnings." in told
    assert "warning no_idempotency_key, 2 times, first in request 1" in told
    assert "Not yet: 78702" in told
    assert msgspec.json.decode(msgspec.json.encode(report))["warnings"] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is no file, nor one of auto_insurance"),
        ("[[vertical", "is no TOML"),
        (NO_ZIP, "us_zip"),
    ],
)
def test_a_file_that_cannot_be_rehearsed_is_named(tmp_path, content, words):
    """No file, no TOML, no ZIP code to choose answers by."""
    path = tmp_path / "vertical.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StageError, match=words):
        read_vertical(str(path))


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "verticals").glob("*.toml")))
def test_every_vertical_that_ships_can_be_rehearsed(path, tmp_path, monkeypatch):
    """Each asks for a ZIP code; named by its id it is found from any folder."""
    assert read_vertical(str(path)).id == path.stem
    monkeypatch.chdir(tmp_path)
    assert read_vertical(path.stem).id == path.stem


@pytest.mark.parametrize("kind", [oddity.word for oddity in Oddity])
def test_every_kind_of_note_is_explained(kind):
    """docs/rehearsal.md has a line for it."""
    assert re.search(rf"^\| `{kind}` \|", PAGE, re.MULTILINE)
