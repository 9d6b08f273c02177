"""Whatever is sent to a door in other words is read or refused, soon, and answered in any case."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.door import Fault, Format, LegTold, Opening, Outcome, Sent, Told, Translated
from exchange.domain.submission import Submission
from exchange.intake.arrival import Refused
from exchange.intake.doors.bodies import ELEMENTS_MAX, sent_of
from exchange.intake.doors.paths import Reading, place_text
from exchange.intake.request import Request, Unparsable
from tests.making_doors import FORM, PRESETS, VERTICALS, cases, doors, preset, sending
from tests.making_intake import JSON, MULTIPART, a_campaign, a_snapshot, an_arrival, intake
from tests.making_odd import (
    BODY_MAX,
    CPU_MAX_S,
    JSON_VALUES,
    TEXTS,
    VALUES,
    bodies,
    corpus,
    cpu_s,
    filled,
    names_nobody,
)

EVERYTHING = """
[[door]]
id = "everything"
inside = "data"
same_names = true
choose = "format"
key = ["key", "auth.key"]
campaign = { path = "campaign", or_only = true }
exclude_buyers = "not"
min_price = { path = "price", filter = "money" }
[door.maps.words]
yes = true
no = false
[door.fields]
first_name = { path = "full_name", piece = "first" }
last_name = { path = ["names[1].last", "full_name"], piece = "rest" }
phone = { path = ["a.b[0].@c", "phone"], filter = "digits|last(10)" }
email = { path = "mail", filter = "trim|lower" }
birth_date = { join = ["y", "m", "d"], between = "-", date = "YYYY-M-D" }
currently_insured = { path = "insured", map = "words" }
zip = { path = "zip", only_if = { country = "US" } }
[door.consent]
text = { path = "wording", filter = "url" }
[[door.call]]
path = "any"
methods = ["GET", "POST"]
does = { path = "do", default = "post" }
[door.call.answer."*"]
body = { "@a" = "{outcome}", "#text" = "{message}", list = [ "{lead_id}", { each = "errors", item = "{error.sentence}" } ], legs = { each = "legs", item = { id = "{leg.id}", buyer = "{leg.buyer}" } } }
"""  # noqa: E501 - a table of TOML stands in one line
DOORS = {**{name: preset(name) for name in PRESETS}, **doors(EVERYTHING)}
SENT = [sending(case["sent"])[0] for name in PRESETS for case in cases(name)["requests"]]
KINDS = ("json", "xml", "form", "multipart")
SNAPSHOT = a_snapshot(
    verticals={"auto_insurance": VERTICALS["auto_insurance"]},
    campaigns={"auto-us": a_campaign(vertical_id="auto_insurance")},
)
INTAKE = intake()


def through(name, body, content_type=FORM, query=b""):
    """A request on its whole way through a door, and all that came of it."""
    door = DOORS[name]
    sent = sent_of(body, content_type, query, {"accept": "application/xml"}, door.inside)
    if isinstance(sent, Unparsable):
        return [sent]
    came = [sent]
    for path in door.paths:
        call = door.call(path)
        told = call.translate(sent, "auto-us", "auto_insurance")
        accepted = INTAKE.accept(Request(told.fields, told.extra), an_arrival(), SNAPSHOT)
        came += [call.open(sent), told, accepted]
    return came


def is_sound(came):
    """Every part is what it should be, and no repr of any of them names anybody."""
    assert all(
        isinstance(one, Unparsable | Sent | Opening | Translated | Submission | Refused)
        for one in came
    )
    assert names_nobody(*came)


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_body_of_the_corpus_has_an_end_at_each_door(name, kind):
    for body in corpus(kind).values():
        for content_type in (JSON, MULTIPART, "", "text/plain; charset=utf-16"):
            is_sound(through(name, body, content_type))


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_no_request_of_any_bytes_raises_or_names_anybody(name, kind, data):
    """Mutated from what each dialect really sends, in the body and behind the question mark."""
    body = data.draw(bodies(kind, *SENT))
    query = data.draw(st.one_of(st.just(b""), bodies("form")))
    is_sound(through(name, body, data.draw(st.sampled_from([JSON, MULTIPART, FORM])), query))


@pytest.mark.parametrize("name", DOORS)
@given(
    body=st.one_of(JSON_VALUES, st.dictionaries(TEXTS, JSON_VALUES, max_size=5)),
    root=st.one_of(st.none(), TEXTS),
    query=st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, max_size=2)), max_size=3),
    names=st.lists(st.sampled_from(["full_name", "y", "mail", "insured", "do", "Mode", "Key"])),
)
def test_no_value_in_any_place_raises(name, body, root, query, names):
    """Under names that have rules, too."""
    if isinstance(body, dict):
        body |= dict(zip(names, body.values(), strict=False))
    sent = Sent(body=body, root=root, query=query)
    for path in DOORS[name].paths:
        call = DOORS[name].call(path)
        assert isinstance(call.open(sent), Opening)
        assert isinstance(call.translate(sent, None, None), Translated)
        told = call.translate(sent, "auto-us", "auto_insurance")
        accepted = INTAKE.accept(Request(told.fields, told.extra), an_arrival(), SNAPSHOT)
        assert isinstance(accepted, Submission | Refused)


@given(
    inner=bodies("json", *SENT),
    wrapped=st.sampled_from([b"data=%b", b'{"data": "%b"}', b"<a><data><![CDATA[%b]]></data></a>"]),
)
def test_a_request_inside_a_field_is_as_harmless(inner, wrapped):
    is_sound(through("everything", wrapped % inner))


# What is left over


def naive_rest(reading):
    """What was not read, told without any haste: the promise that the quick way must keep."""
    found = {}

    def look(place, value):
        if place in reading.read:
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                look((*place, name), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                look((*place, index), inner)
        elif value is not None and not (isinstance(value, str) and not value.strip()):
            found.setdefault(place_text(place), value)

    look(("body",), reading.sent.body)
    look(("query",), reading.sent.query)
    found.pop("", None)
    return found


NAMES = st.sampled_from(["a", "b", "c.d", "", "@e", "full_name"])
SMALL = st.recursive(
    st.one_of(st.none(), st.just(" "), st.integers(0, 3), st.just("x")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


@given(body=SMALL, query=st.dictionaries(NAMES, SMALL, max_size=2), data=st.data())
def test_what_is_left_is_all_that_was_not_read(body, query, data):
    """Whichever places were read, some of them below others."""
    reading = Reading(Sent(body=body, query=query))
    places = [("body", *steps) for steps in steps_of(body)]
    if places:
        reading.read |= set(data.draw(st.lists(st.sampled_from(places), max_size=4)))
    assert reading.rest() == naive_rest(reading)


def steps_of(value):
    """The way to every value below this one."""
    below = value.items() if isinstance(value, dict) else ()
    below = enumerate(value) if isinstance(value, list) else below
    for step, inner in below:
        yield (step,)
        yield from ((step, *more) for more in steps_of(inner))


def test_of_very_much_that_is_left_only_what_is_kept_is_told():
    """And one more, so that it is known that something was cut away."""
    reading = Reading(Sent(body={f"k{i}": "x" for i in range(5_000)}))
    assert len(reading.rest()) == 401
    reading = Reading(Sent(body={f"k{i}": "x" * 1_000 for i in range(50)}))
    assert 8 <= len(reading.rest()) <= 9


# Answers


WORDS = st.one_of(st.none(), TEXTS)


@pytest.mark.parametrize("name", DOORS)
@given(
    outcome=st.sampled_from(Outcome),
    wanted=st.sampled_from(Format),
    words=st.lists(WORDS, min_size=8, max_size=8),
    price=st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False)),
    faults=st.lists(st.builds(Fault, TEXTS, TEXTS, TEXTS, TEXTS), max_size=3),
    legs=st.lists(st.builds(LegTold, TEXTS, st.decimals(0, 10), WORDS), max_size=2),
)
def test_every_outcome_is_answered_whatever_is_told(
    name, outcome, wanted, words, price, faults, legs
):
    """In bytes of the format that was wanted, whatever a buyer or a sender has put into it."""
    said = dict(
        zip(
            (
                "lead_id",
                "ping_id",
                "buyer",
                "redirect_url",
                "reason",
                "message",
                "sale_id",
                "currency",
            ),
            words,
            strict=True,
        )
    )
    told = Told(
        outcome=outcome,
        does="post",
        status=200,
        price=price,
        errors=tuple(faults),
        legs=tuple(legs),
        **said,
    )
    for path in DOORS[name].paths:
        written = DOORS[name].call(path).write(told, wanted)
        assert written.body.decode()
        assert 200 <= written.status <= 599


# 64 KiB


def fields(form, count, between=b"&"):
    return between.join(form % index for index in range(count))


def table(*entries):
    return b"{" + b",".join(entries) + b"}"


DEEP = 60
HEAVY = {
    "brackets": b"[" * BODY_MAX,
    "braces": b'{"a":' * 13_000,
    "keys": table(*(b'"k%d":1' % i for i in range(4_990))),
    "nothings": table(*(b'"k%d":null' % i for i in range(4_900))),
    "a key many times": table(*[b'"phone":"1"'] * 4_990),
    "spellings of a key": table(
        *(
            b'"%b":1' % ("p" + "_" * (i % 40) + "hone" + " " * (i // 40)).encode()
            for i in range(980)
        )
    ),
    "humps": fields(b"aB" * 45 + b"%d=1", 640),
    "deep and wide": b'{"a":' * DEEP + b"[" + b",".join([b'"x"'] * 4_900) + b"]" + b"}" * DEEP,
    "deep with long names": b"".join(b'{"' + b"n" * 900 + b'":' for _ in range(55))
    + b"["
    + b",".join([b"1"] * 4_900)
    + b"]"
    + b"}" * 55,
    "deep, long and empty": b"".join(b'{"' + b"n" * 900 + b'":' for _ in range(55))
    + b"["
    + b",".join([b"[null]"] * 2_000)
    + b"]"
    + b"}" * 55,
    "numbers": b'{"a":[' + b",".join([b"1.5"] * 4_990) + b"]}",
    "a long key": filled(b'{"', b"a", b'":1}'),
    "a long value": filled(b'{"phone":"', b"5", b'"}'),
    "escaped nuls": filled(b'{"a":"', rb"\u0000", b'"}'),
    "Latin-1": filled(b'{"a":"', b"\xe9", b'"}'),
    "undefined bytes": filled(b'{"a":"', b"\x81", b'"}'),
    "a lying start": b"{" + b"\x81" * 60_000,
    "laughs": b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1_000 + b'">]><a>' + b"&b;" * 10_000,
    "open elements": b"<a>" * 21_000,
    "many elements": b"<r>" + b"".join(b"<k%d>x</k%d>" % (i, i) for i in range(990)) + b"</r>",
    "too many elements": b"<r>" + b"<a/>" * (8 * ELEMENTS_MAX) + b"</r>",
    "attributes": b"<r " + fields(b'a%d="1"', 3_990, b" ") + b"/>",
    "declarations": filled(b"<?xml ", b"<?xml "),
    "character references": filled(b"<r>", b"&#65;", b"</r>"),
    "zero references": filled(b"<r>", b"&#" + b"0" * 60, b"</r>"),
    "comments": filled(b"<r>", b"<!---->", b"</r>"),
    "sections": filled(b"<r>", b"<![CDATA[]]>x", b"</r>"),
    "prefixes": b"<r>" + b"<a:b:c/>" * 990 + b"</r>",
    "form fields": fields(b"k%d=1", 999),
    "a list": fields(b"a[]=%d", 999),
    "ampersands": b"&" * BODY_MAX,
    "equals": b"=" * BODY_MAX,
    "percents": filled(b"a=", b"%"),
    "odd percents": filled(b"a=", b"%g"),
    "escapes": filled(b"a=", b"%e9"),
    "a long word": filled(b"do=", "ß".encode()),
    "a long name": filled(b"full_name=a", b"+", b"b"),
    "accents": filled(b"full_name=a&phone=", "\u0301".encode()),
    "buyers": filled(b"not=", b","),
    "a long format": filled(b"format=", b"xm"),
}


@pytest.mark.parametrize("heavy", HEAVY)
@pytest.mark.parametrize("name", ["boberdoo", "px", "everything"])
def test_64_kib_of_anything_soon_come_to_an_end(name, heavy):
    """Taken apart, opened, translated and read as a lead; in the body and inside a field."""
    body = HEAVY[heavy][:BODY_MAX]
    assert cpu_s(once_through, name, body, repetitions=5) < CPU_MAX_S
    if name == "everything":
        wrapped = b"<a><data><![CDATA[" + body[: BODY_MAX - 60] + b"]]></data></a>"
        assert cpu_s(once_through, name, wrapped, repetitions=5) < CPU_MAX_S


def once_through(name, body, content_type=FORM):
    """What a request costs at one call of a door."""
    door = DOORS[name]
    sent = sent_of(body, content_type, b"", {}, door.inside)
    if not isinstance(sent, Unparsable):
        call = door.call(door.paths[0])
        call.open(sent)
        call.campaign(sent)
        told = call.translate(sent, "auto-us", "auto_insurance")
        INTAKE.accept(Request(told.fields, told.extra), an_arrival(), SNAPSHOT)


@pytest.mark.parametrize("field", ["full_name", "phone", "mail", "y", "insured", "wording", "not"])
def test_no_value_of_the_corpus_holds_the_others_up(field):
    """Where a rule makes something of it."""
    call = DOORS["everything"].call("any")
    for text in VALUES:
        sent = Sent(body={field: (text * BODY_MAX)[:BODY_MAX]})
        assert cpu_s(call.translate, sent, None, None, repetitions=3) < CPU_MAX_S


def test_no_answer_takes_long():
    """With as many faults and legs as there can be, in every format."""
    faults = tuple(Fault(f"Field_{i}", f"lead.f{i}", "bad_value", "is " * 30) for i in range(100))
    legs = tuple(LegTold(f"leg-{i}", Decimal("1.5"), "Acme") for i in range(50))
    told = Told(outcome=Outcome.INVALID, does="ping", status=422, errors=faults, legs=legs)
    for door in DOORS.values():
        for wanted in Format:
            for path in door.paths:
                assert cpu_s(door.call(path).write, told, wanted, repetitions=3) < CPU_MAX_S
