"""A body in XML is the request that JSON would have been, or a status; never anything else."""

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.submission import Submission
from exchange.intake.parsing import parse
from exchange.intake.request import Parsed, Unparsable
from exchange.intake.xml_body import ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX
from tests.making_intake import (
    CONSENT,
    FORM,
    JSON,
    MULTIPART,
    PERSON,
    REST,
    XML,
    a_body,
    accept,
    accepted,
    errors,
    multipart,
    urlencoded,
    xml,
)

CORPUS = {
    path.stem: path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "corpus/xml").glob("*.xml"))
}
EMPTY = {"lead": {}, "consent": {}, "tracking": {}}


def read(body, content_type=XML):
    raw = body.encode() if isinstance(body, str) else body
    parsed = parse(raw, content_type)
    assert isinstance(parsed, Parsed), parsed
    return parsed.request.fields


def refused(body, content_type=XML):
    parsed = parse(body.encode() if isinstance(body, str) else body, content_type)
    assert isinstance(parsed, Unparsable), parsed
    return parsed.status, parsed.detail


@pytest.mark.parametrize(
    "content_type", [XML, "text/xml", "Application/XML; charset=utf-8", 'text/xml; charset="UTF-8"']
)
def test_xml_is_taken_under_both_names(content_type):
    assert read("<request/>", content_type) == EMPTY


@pytest.mark.parametrize(
    "begin",
    ["", "\ufeff", "\n\n", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='utf8'?>\n"],
)
def test_a_document_may_begin_in_every_usual_way(begin):
    assert read(f"{begin}<request><source>s</source></request>") == {"source": "s", **EMPTY}


def test_elements_are_the_names_of_the_contract():
    body = """
    <request>
      <campaign> auto-us </campaign><source>search</source>
      <min_price>4.50</min_price><timeout_ms>20000</timeout_ms><test>yes</test>
      <already_sold>1</already_sold><seller_ref/>
      <lead><zip>78701</zip><first_name>J&#252;rgen &amp; M</first_name></lead>
      <consent><tcpa>1</tcpa><url>https://x.example</url></consent>
      <tracking><utm_source>g</utm_source></tracking>
    </request>"""
    assert read(body) == {
        "campaign": "auto-us",
        "source": "search",
        "min_price": Decimal("4.50"),
        "timeout_ms": 20000,
        "test": True,
        "already_sold": 1,
        "seller_ref": None,
        "lead": {"zip": "78701", "first_name": "Jürgen & M"},
        "consent": {"tcpa": "1", "url": "https://x.example"},
        "tracking": {"utm_source": "g"},
    }


def test_lists_come_as_repeated_elements_or_as_children():
    assert read(CORPUS["lists"]) == {
        **EMPTY,
        "exclude_buyers": ["a", "b", "c", "d"],
        "legs": [],
        "consent": {"named_buyers": ["A, Inc.", "B"]},
    }


def test_the_key_in_the_body_is_taken_out_and_shown_by_no_repr():
    parsed = parse(b"<request><api_key> sk_1 </api_key></request>", XML)
    assert parsed.api_key == "sk_1"
    assert parsed.request.fields == EMPTY
    assert "sk_1" not in repr(parsed)


def test_namespaces_are_read_over_and_cdata_is_text():
    lead = {"zip": "78701"}
    assert read(CORPUS["namespaces"]) == {**EMPTY, "campaign": "auto-us", "lead": lead}
    assert read(CORPUS["cdata"])["lead"] == {"a": "<&>]]>"}
    assert read(CORPUS["nil"])["lead"] == {"zip": ""}
    assert read(CORPUS["comments"]) == EMPTY


def test_of_an_element_that_comes_twice_the_last_counts_but_no_lead_is_dropped():
    assert read("<request><source>a</source><source>b</source></request>")["source"] == "b"
    assert refused(CORPUS["twice"]) == (400, "<lead> comes twice; a request is one lead")


def test_nested_elements_are_objects_and_strangers_are_kept_beside_the_lead():
    assert read(CORPUS["nested"])["lead"] == {"vehicle": {"year": "2019", "make": "Ford"}}
    got = accepted(xml(a_body(colour="blue")), content_type=XML)
    assert got.person.extra == {"colour": "blue"}


def test_nuls_are_stripped_escaped_or_raw():
    assert read(CORPUS["nuls"])["lead"] == {"first_name": "Ann"}
    assert read(CORPUS["raw_nul"])["campaign"] == "a"


@pytest.mark.parametrize(
    "name", ["laughs", "external", "parameter_entity", "external_subset"], ids=str
)
def test_a_document_type_ends_the_reading(name):
    assert refused(CORPUS[name]) == (400, "a document type is not taken")


@pytest.mark.parametrize(
    "name",
    [
        *("attribute", "control_character", "half", "mixed", "not_utf8", "open_cdata", "soap"),
        *("text_root", "two_documents", "unknown_entity"),
    ],
)
def test_what_is_no_request_is_400_with_a_sentence_that_repeats_nothing(name):
    status, detail = refused(CORPUS[name])
    assert status == 400
    assert "78701" not in detail


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_another_encoding_is_refused(encoding):
    body = f'<?xml version="1.0" encoding="{encoding}"?><request><lead><a>é</a></lead></request>'
    assert refused(body.encode(encoding))[0] in {400, 415}
    assert refused(body.replace("é", "e")) == (415, "the encoding must be UTF-8")
    assert refused("<request/>", f"{XML}; charset={encoding}")[0] == 415


def nested(levels):
    return "<request>" + "<a>" * (levels - 1) + "</a>" * (levels - 1) + "</request>"


def many(count):
    return "<request>" + "<a/>" * (count - 1) + "</request>"


def marked(count):
    return "<request " + " ".join(f'x:a{i}=""' for i in range(count)) + "/>"


@pytest.mark.parametrize(
    ("document", "most"),
    [(nested, DEPTH_MAX), (many, ELEMENTS_MAX), (marked, ATTRIBUTES_MAX)],
)
def test_limits_are_exact(document, most):
    assert read(document(most))
    assert refused(document(most + 1))[0] == 400


def test_a_group_that_is_a_text_is_told_by_its_field():
    body = b"<request><campaign>auto-us</campaign><lead>x</lead><consent>y</consent></request>"
    assert {("lead", "wrong_type"), ("consent", "wrong_type")} <= errors(body, content_type=XML)
    body = b"<request><campaign><a>auto-us</a></campaign></request>"
    assert errors(body, content_type=XML) == {("campaign", "wrong_type")}


# The same lead from every format

TEXTS = st.text(
    st.one_of(
        st.sampled_from("\0\t\n\r<>&'\"]%+=;,"),
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]),
    ),
    max_size=30,
)
NAMES = st.from_regex(r"\A[a-z][a-z0-9_]{0,8}\Z").map(lambda name: f"x_{name}")
BODIES = st.builds(
    lambda extra, tracking, notes, wording, buyers, controls: {
        **a_body({**PERSON, **REST, "notes": notes, **extra}),
        "consent": {**CONSENT, "text": wording, "named_buyers": buyers},
        "tracking": tracking,
        **controls,
    },
    st.dictionaries(NAMES, TEXTS, max_size=5),
    st.dictionaries(NAMES, TEXTS, max_size=5),
    TEXTS,
    TEXTS,
    st.lists(TEXTS.filter(lambda text: text.replace("\0", "").strip()), max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "min_price": st.decimals(0, 1000, places=2).map(float),
            "timeout_ms": st.integers(1, 60_000),
            "test": st.booleans(),
            "already_sold": st.integers(0, 9),
            "exclude_buyers": st.just(["acme", "zed"]),
        },
    ),
)


@given(body=BODIES, is_ping=st.booleans())
def test_a_lead_is_the_same_submission_from_json_xml_and_forms(body, is_ping):
    by_json = accept(json.dumps(body).encode(), content_type=JSON, is_ping=is_ping)
    assert accept(xml(body), content_type=XML, is_ping=is_ping) == by_json
    assert accept(urlencoded(body), content_type=FORM, is_ping=is_ping) == by_json
    if not any(mark in json.dumps(body) for mark in (r"\r", r"\n")):
        assert accept(multipart(body), content_type=MULTIPART, is_ping=is_ping) == by_json


def test_the_comparison_sees_submissions():
    assert isinstance(accept(xml(a_body(consent=CONSENT)), content_type=XML), Submission)


# Whatever the bytes

PIECES = st.sampled_from(
    [
        *(b"<request>", b"</request>", b"<lead>", b"</lead>", b"<a/>", b"<", b">", b"&", b";"),
        *(b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"]>", b"<![CDATA[", b"]]>", b"<!--", b"-->"),
        *(b"&#0;", b"&#x41;", b"&amp;", b"&b;", b"<?xml version='1.0'", b" encoding='x'", b"?>"),
        *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xfe\xff", b" xmlns:a='b'", b" a='b'", b"<a:b>"),
    ]
)


@st.composite
def mutations(draw):
    """Return a body of the corpus with some of its bytes replaced, cut or doubled."""
    body = bytearray(draw(st.sampled_from(list(CORPUS.values()))))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 8)))
        body[start:end] = draw(
            st.one_of(PIECES, st.binary(max_size=4), st.just(bytes(body[start:end]) * 2))
        )
    return bytes(body)


@given(st.one_of(mutations(), st.lists(PIECES, max_size=40).map(b"".join), st.binary(max_size=200)))
@example(b"")
def test_no_body_of_any_bytes_raises(body):
    assert isinstance(parse(body, XML), Parsed | Unparsable)


@pytest.mark.parametrize("name", CORPUS)
def test_each_body_of_the_corpus_becomes_a_request_or_a_status(name):
    result = parse(CORPUS[name], XML)
    if isinstance(result, Parsed):
        assert accept(CORPUS[name], content_type=XML) is not None
    else:
        assert result.status in {400, 415}


KIB = 1024
INSIDE = {
    "elements": b"<a/>" * (ELEMENTS_MAX - 2),
    "too many": b"<a/>" * 16_000,
    "deep": b"<a>" * 21_000,
    "ampersands": b"<a>" + b"&amp;" * 13_000,
    "letters": b"<a>" + b"&#65;" * 13_000,
    "nuls": b"<a>" + b"&#0;" * 16_000,
    "zeros": b"<a>&#" + b"0" * 64 * KIB,
    "escapes": b"<a>" + b"&#" * 32_000,
    "line feeds": b"<a>" + b"\r\n" * 32_000,
    "umlauts": b"<a>" + "ü".encode() * 32_000,
    "comments": b"<!---->" * 9_000,
    "cdata": b"<a>" + b"<![CDATA[]]>" * 5_000,
    "open cdata": b"<a>" + b"<![CDATA[" * 7_000,
    "instructions": b"<?a?>" * 13_000,
    "attributes": b"<a " + b" ".join(b'a%d=""' % i for i in range(6_000)) + b"/>",
    "colons": b"<a:b:c:d/>" * 900,
    "mixed": b"x<a/>" * 900,
    "a name": b"<" + b"a" * 65_000 + b"/>",
    "less": b"<" * 64 * KIB,
    "names": b"".join(b"<f%d>1</f%d>" % (i, i) for i in range(990)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_64_kib_of_anything_take_at_most_five_milliseconds(name):
    inside = b"<request><lead>" + INSIDE[name]
    bodies = (inside[: 64 * KIB], inside + b"</lead></request>", b"<?xml " + b"encoding " * 7000)
    for body in bodies:
        assert min(timed(body) for _ in range(7)) < 0.025


def timed(body):
    start = time.process_time()
    parse(body[: 64 * KIB], XML)
    return time.process_time() - start
