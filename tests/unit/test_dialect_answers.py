"""How answers are read: by what they are, from where a mapping says, and no word too much."""

import pytest

from exchange.dialect.compiling import ping_dialect
from exchange.domain.dialect import Offered, Unclear
from tests.making_dialect import heard, mapping_of, setting

OK = '{ path = "ok", equals = [true] }'


def ping(lines, yes=OK):
    """A ping whose answers are read so."""
    return ping_dialect(mapping_of(f"[ping]\nbody.json = 1\nyes = {yes}\n{lines}"), setting())


def token(where, body, head=b"HTTP/1.1 200 OK\r\n\r\n"):
    """What is read as a token at this place of an answer."""
    said = ping(f"token = {where}", "{ status = true, equals = [200] }").read(
        heard(body, 200, head)
    )
    assert isinstance(said, Offered), said
    return said.token


def says(rule, body, status=200):
    """Whether an answer meets this rule for yes."""
    return isinstance(ping("", rule).read(heard(body, status)), Offered)


# What it is

DOCUMENTS = [
    ('{"a":"1"}', '{ path = "a" }'),
    (b'\xef\xbb\xbf \r\n{"a":"1"}', '{ path = "a" }'),
    ('{"a":"1"}'.encode("utf-16"), '{ path = "a" }'),
    ('\ufeff{"a":"1"}'.encode("utf-16-be"), '{ path = "a" }'),
    ('[{"a":"1"}]', '{ path = "[0].a" }'),
    ("<r><a>1</a></r>", '{ path = "a" }'),
    ("\ufeff\n<?xml version='1.0' encoding='utf-16'?><r><a>1</a></r>", '{ path = "a" }'),
    ("<r><a>1</a></r>".encode("utf-16"), '{ path = "r.a" }'),
    ("a=1&b=2", '{ path = "a" }'),
    ("b=2\r\na = 1", '{ path = "b" }'),
    ("lead[a]=1", "{ path = '\"lead[a]\"' }"),
    ("x.y=1", '{ path = "x.y" }'),
    ("x.y=1", "{ path = '\"x.y\"' }"),
    ("+b%20=0&a+=%2B1", '{ path = "a" }'),
]


@pytest.mark.parametrize(("body", "where"), DOCUMENTS)
def test_an_answer_is_read_by_what_it_is(body, where):
    """JSON, XML, a form, in whatever encoding, after a mark and blanks; its type may claim else."""
    for claimed in (b"application/json", b"text/html", b"application/xml", b"image/png", b""):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: " + claimed + b"\r\n\r\n"
        assert token(where, body, head) in {"1", "2", "+1"}


def test_bytes_that_are_no_utf_8_are_latin_1():
    assert token('{ path = "a" }', "<r><a>é</a></r>".encode("latin-1")) == "é"
    assert token("{ text = true }", "é".encode("latin-1")) == "é"
    assert token('{ path = "a" }', "a=%C3%A9&b=é".encode("latin-1")) == "é"


PAGES = [
    "<!DOCTYPE html><p>success</p>",
    "<html><body>success</body></html>",
    "\n<?xml version='1.0'?>\n<!-- x --><!doctype HTML PUBLIC 'x'><p>success</p>",
    "<HTML lang=en>success",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_nothing_unless_it_is_asked(page):
    """Whatever stands in it; `html = true` lets texts and regexes look."""
    for rule in ('{ text = true, contains = "success" }', '{ regex = "success", present = true }'):
        assert isinstance(ping("", rule).read(heard(page)), Unclear)
        assert isinstance(ping("html = true", rule).read(heard(page)), Offered)


# Where something stands

TREE = (
    '{"bids":[{"price":1},{"price":"2.50","ok":true}],"a.b":{"c":"dot"},"@id":"at","n":null,'
    '"e":"","o":{},"status":"first","status":"last"}'
)
XML = (
    '<r:resp xmlns:r="urn:r" xmlns:x="urn:x" id="7"><r:lead x:id="8" id="9"><s> t </s></r:lead>'
    "<bid>1</bid><bid>2<i>3</i>4</bid><e/><c><![CDATA[<5>]]></c><n>6&amp;&#55;</n></r:resp>"
)
PATHS = [
    (TREE, "bids[1].price", "2.50"),
    (TREE, "bids[0].price", "1"),
    (TREE, "bids[1].ok", "true"),
    (TREE, "bids[2].price", None),
    (TREE, "bids.price", None),
    (TREE, "[0]", None),
    (TREE, '"a.b".c', "dot"),
    (TREE, "@id", "at"),
    (TREE, "n", None),
    (TREE, "e", None),
    (TREE, "BIDS[0].price", None),
    (TREE, "status", "last"),
    (XML, "lead.s", "t"),
    (XML, "resp.lead.s", "t"),
    (XML, "lead.@id", "9"),
    (XML, "@id", "7"),
    (XML, "resp.@id", "7"),
    (XML, "bid", "1"),
    (XML, "bid[1]", "234"),
    (XML, "bid[1].i", "3"),
    (XML, "bid[2]", None),
    (XML, "e", None),
    (XML, "c", "<5>"),
    (XML, "n", "6&7"),
    (XML, "lead.s.@none", None),
    ("<a><a>in</a></a>", "a", "in"),
    ("<a>out</a>", "a", "out"),
    ("a=1&a=2&b=", "a", "1"),
    ("a=1&b=", "b", None),
    ("just a text", "a", None),
]


@pytest.mark.parametrize(("body", "path", "found"), PATHS)
def test_a_path(body, path, found):
    """Indexes from 0, attributes, quoted steps; below the root goes first, or with it."""
    assert token(f"{{ path = '{path}' }}", body) == found


REGEXES = [
    ("id: ([A-Z]-[0-9]+)", "your id: A-77 ok", "A-77"),
    ("A-[0-9]+", "your id: A-77 ok", "A-77"),
    ("id: (x)?", "id: ", None),
    ("€ ?([0-9]+)", "for € 12", "12"),
    ("é(.)", "aéñ", "ñ"),
    ("^ok (.+)$", "ok é€x", "é€x"),
    ("(?i)ID=(\\w+)", "id=a7&x=1", "a7"),
    ('"id":"(.*?)"', '{"id":"j-1"}', "j-1"),
    ("<id>(.*?)</id>", "<r><id>x-1</id></r>", "x-1"),
    ("^ok(.*)$", "ok" + "x" * 60_000, None),
    ("no", "yes", None),
]


@pytest.mark.parametrize(("pattern", "body", "found"), REGEXES)
def test_a_regex(pattern, body, found):
    """In the text of anything that is no page; the cut of what is seen is not its end."""
    assert token(f"{{ regex = '{pattern}' }}", body) == found


def test_a_header_the_status_and_the_whole_text():
    head = b"HTTP/1.1 200 OK\r\nX-Id:  h-1 \r\nx-id: h-2\r\nX-Bad\r\n\r\n"
    assert token('{ header = "x-ID" }', "", head) == "h-1"
    assert token('{ header = "X-Bad" }', "", head) is None
    assert token("{ status = true }", "", head) == "200"
    assert token("{ text = true }", " \r\n all of it \n", head) == "all of it"


def test_what_is_read_may_be_said_in_other_words():
    """Whatever its type and capitals; what a map does not name is not there, or the rest."""
    where = '{ path = "s", map = { 1 = "one", TRUE = "yes", "*" = 7 } }'
    assert token(where, '{"s":1.0}') == "one"
    assert token(where, '{"s":true}') == "yes"
    assert token(where, '{"s":"x"}') == "7"
    assert token(where.replace(', "*" = 7', ""), '{"s":"x"}') is None


# Rules

ALIKE = [
    ("[1]", ['{"s":1}', '{"s":"1"}', '{"s":1.0}', '{"s":" 1 "}', '{"s":"1.00"}']),
    ('["1"]', ['{"s":1}', '{"s":"1"}', '{"s":1.0}', "<r><s>1</s></r>", "s=1"]),
    ("[true]", ['{"s":true}', '{"s":"True"}', '{"s":"TRUE"}', "<r><s>true</s></r>"]),
    ("[false]", ['{"s":false}', '{"s":"False"}']),
    ('["Success"]', ['{"s":"SUCCESS"}', '{"s":"success "}', "s=sUccess"]),
    ('["straße"]', ['{"s":"STRASSE"}']),
    ("[2.50]", ['{"s":2.5}', '{"s":"2.50"}']),
]
UNLIKE = [
    ("[1]", ['{"s":true}', '{"s":11}', '{"s":"01"}', '{"s":[1]}', '{"s":{}}', '{"s":null}', "{}"]),
    ("[true]", ['{"s":1}', '{"s":"yes"}', '{"s":[true]}']),
    ("[false]", ['{"s":0}', '{"s":""}', '{"s":null}', "{}"]),
    ('["Success"]', ['{"s":"unsuccessful"}', '{"s":"suc cess"}', '{"s":["Success"]}']),
    ('[""]', ["{}", '{"s":null}']),
]


@pytest.mark.parametrize(("words", "bodies"), ALIKE)
def test_types_and_capitals_may_change(words, bodies):
    for body in bodies:
        assert says(f'{{ path = "s", equals = {words} }}', body), body


@pytest.mark.parametrize(("words", "bodies"), UNLIKE)
def test_what_only_looks_alike_is_not(words, bodies):
    for body in bodies:
        assert not says(f'{{ path = "s", equals = {words} }}', body), body


RULES = [
    ('path = "s", contains = "Match"', ['{"s":"no MATCHED one"}', '{"s":["x","match"]}'],
     ['{"s":"mat ch"}', "{}"]),
    ('path = "s", above = 0', ['{"s":0.01}', '{"s":"12"}', '{"s":1e2}'],
     ['{"s":0}', '{"s":-1}', '{"s":"$12"}', '{"s":true}', '{"s":[1]}', '{"s":1e999}', "{}"]),
    ('path = "s", present = true', ['{"s":0}', '{"s":false}', '{"s":[0]}', '{"s":" "}'],
     ['{"s":null}', '{"s":""}', '{"s":[]}', '{"s":{}}', "{}", "text"]),
    ('path = "s", present = false', ["{}", '{"s":""}', "text"], ['{"s":1}']),
    ('path = "s", equals = [1], and = { path = "t", equals = [1], and = { path = "u", above = 1 }}',
     ['{"s":1,"t":1,"u":2}'], ['{"s":1,"t":1,"u":1}', '{"s":1,"u":2}', '{"t":1,"u":2}']),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "met", "unmet"), RULES)
def test_a_rule(rule, met, unmet):
    for body in met:
        assert says(f"{{ {rule} }}", body), body
    for body in unmet:
        assert not says(f"{{ {rule} }}", body), body


def test_of_a_list_of_rules_one_is_enough():
    rules = '[{ path = "a", equals = [1] }, { path = "b", equals = [1] }]'
    assert says(rules, '{"b":1}')
    assert says(rules, '{"a":1}')
    assert not says(rules, '{"a":2,"b":2}')
