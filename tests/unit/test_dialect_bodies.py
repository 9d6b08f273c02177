"""Bodies of every kind, and what becomes of values in them: whatever they are, they stay values."""

import json
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.making_dialect import PING, POST, a_ping, a_post

LEAD = {"first_name": "Zoë & Søn", "zip": "78701", "insured": True, "vehicle_year": 2019}


def post(lines, before="", **view):
    """What a post of these lines sends: (query, headers, body)."""
    message = a_post(lines, before).render(msgspec.structs.replace(POST, **view))
    return message.query.decode(), message.headers.decode(), message.body.decode()


# JSON


def test_json_nests_as_it_stands():
    """Tables in lists in tables; numbers, booleans and lists of values keep their types."""
    body = """
    [post.body.json]
    version = 2
    ratio = 1.50
    live = true
    tags = ["x", "{lead.zip}", 3, ["{lead.vehicle_year}"]]
    [post.body.json.person]
    name = { first = "{lead.first_name}" }
    insured = "{lead.insured}"
    [[post.body.json.vehicles]]
    year = "{lead.vehicle_year}"
    text = "{lead.vehicle_year|text}"
    label = "of {lead.vehicle_year}"
    """
    assert json.loads(post(body, lead=LEAD)[2]) == {
        "version": 2,
        "ratio": 1.5,
        "live": True,
        "tags": ["x", "78701", 3, [2019]],
        "person": {"name": {"first": "Zoë & Søn"}, "insured": True},
        "vehicles": [{"year": 2019, "text": "2019", "label": "of 2019"}],
    }


EMPTIES = [
    ("omit", {"t": "a", "l": [1], "n": {}}, "t=a", "<r><t>a</t></r>"),
    ("empty", {"a": "", "t": "a", "l": ["", 1], "n": {"b": ""}}, "a=&t=a",
     '<r c=""><a></a><t>a</t></r>'),
    ("null", {"a": None, "t": "a", "l": [None, 1], "n": {"b": None}}, "a=&t=a",
     '<r c=""><a></a><t>a</t></r>'),
]  # fmt: skip


@pytest.mark.parametrize(("word", "as_json", "as_form", "as_xml"), EMPTIES)
def test_a_name_that_is_not_known_is_left_away_empty_or_null(word, as_json, as_form, as_xml):
    """Alone it takes its key, element or attribute along; within a longer text it is nothing."""
    hole, text = "{lead.email}", "a{lead.email}"
    before = f'empty = "{word}"'
    tree = f'{{ a = "{hole}", t = "{text}", l = ["{hole}", 1], n = {{ b = "{hole}" }} }}'
    assert json.loads(post(f"body.json = {tree}", before, lead={})[2]) == as_json
    assert post(f'body.form = {{ a = "{hole}", t = "{text}" }}', before, lead={})[2] == as_form
    assert post(f'body.query = {{ a = "{hole}", t = "{text}" }}', before, lead={})[0] == as_form
    xml = f'<r c="{hole}"><a>{hole}</a><t>{text}</t></r>'
    assert post(f"body.xml = '{xml}'", before, lead={})[2] == as_xml
    headers = post(f'headers = {{ X-A = "{hole}", X-T = "{text}" }}', before, lead={})[1]
    assert headers == ("X-T: a\r\n" if word == "omit" else "X-A: \r\nX-T: a\r\n")


# Forms and queries


def test_a_form_holds_constants_texts_json_and_xml():
    """Names are escaped as values are; order stays."""
    body = """
    [post.body.form]
    "a b" = 1
    yes = true
    name = "{lead.first_name}"
    data = { json = { zip = "{lead.zip}", cars = [ { year = "{lead.vehicle_year}" } ] } }
    doc = { xml = "<a b='{lead.zip}'>{lead.first_name}</a>" }
    """
    text = post(body, lead=LEAD)[2]
    assert text.startswith("a+b=1&yes=true&name=Zo%C3%AB+%26+S%C3%B8n&data=%7B%22zip")
    pairs = dict(parse_qsl(text, strict_parsing=True))
    assert json.loads(pairs["data"]) == {"zip": "78701", "cars": [{"year": 2019}]}
    assert pairs["doc"] == "<a b='78701'>Zoë &amp; Søn</a>"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_each_method_carries_a_query(method):
    """A query alone has no body and so no content type."""
    dialect = a_post(f'method = "{method}"\nbody.query = {{ z = "{{lead.zip}}" }}')
    message = dialect.render(POST)
    assert (dialect.method, message.query, message.body) == (method, b"z=78701", b"")
    assert "Content-Type" not in dialect.headers


def test_a_query_beside_a_body_is_for_both():
    query, _, body = post('query = { k = "{lead.zip}" }\nbody.json = { z = "{lead.zip}" }')
    assert (query, body) == ("k=78701", '{"z":"78701"}')


def test_neither_body_nor_query_is_an_empty_message():
    assert post('headers = { X-Sale = "{sale.id}" }') == ("", "X-Sale: sale-1\r\n", "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("json = {}", "application/json"),
        ("form = { a = 1 }", "application/x-www-form-urlencoded"),
        ("xml = '<a/>'", "application/xml; charset=utf-8"),
        ("text = 'a'", "text/plain; charset=utf-8"),
    ],
)
def test_the_content_type_is_the_bodys_or_the_one_that_is_named(body, kind):
    assert a_post(f"body.{body}").headers["Content-Type"] == kind
    named = a_post(f'body.{body}\ncontent_type = "application/vnd.acme+x"')
    assert named.headers["Content-Type"] == "application/vnd.acme+x"


# XML and SOAP

SOAP = """
<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="urn:acme">
  <soap:Header><a:Key id='{param.id}'>{secret:key}</a:Key></soap:Header>
  <soap:Body>
    <a:Post a:zip="{lead.zip}" mail="{lead.email}">
      <a:Name><![CDATA[{lead.first_name} of [{lead.zip}]]]></a:Name>
      <a:Gone>{consent.jornaya_id}</a:Gone><a:Near> {consent.jornaya_id}</a:Near>
      <a:Empty/><!-- no {{holes}} in here -->
    </a:Post>
  </soap:Body>
</soap:Envelope>
"""


def test_xml_and_soap_stand_as_they_are_written():
    """Attributes, namespaces, CDATA; an element or attribute of nothing known is left away."""
    lead = {**LEAD, "first_name": "]]> <b>&'\"", "zip": '"<&'}
    lines = f"soap_action = \"urn:acme#Post\"\nbody.xml = '''{SOAP}'''"
    dialect = a_post(lines, 'params = { id = "7" }')
    body = dialect.render(msgspec.structs.replace(POST, lead=lead)).body
    assert body.startswith(b"<?xml version")
    space = {"s": "http://schemas.xmlsoap.org/soap/envelope/", "a": "urn:acme"}
    root = ET.fromstring(body)
    key = root.find("s:Header/a:Key", space)
    assert (key.get("id"), key.text) == ("7", "s3cr&t/+")
    sent = root.find("s:Body/a:Post", space)
    assert sent.attrib == {"{urn:acme}zip": '"<&'}
    assert [child.tag.partition("}")[2] for child in sent] == ["Name", "Near", "Empty"]
    assert sent.find("a:Name", space).text == ']]> <b>&\'" of ["<&]'
    assert b"<![CDATA[" in body
    assert dialect.headers == {
        "SOAPAction": '"urn:acme#Post"',
        "Content-Type": "text/xml; charset=utf-8",
    }


def test_soap_of_either_version():
    """1.1 says its action in a header, 1.2 in the content type."""
    kind = 'application/soap+xml; charset=utf-8; action="urn:x"'
    twelve = a_post(f"content_type = '{kind}'\nbody.xml = '<a/>'")
    assert twelve.headers == {"Content-Type": kind}
    eleven = a_post("soap_action = 'urn:x'\nbody.xml = '<a/>'")
    assert eleven.headers["SOAPAction"] == '"urn:x"'
    assert (
        a_post("soap_action = ''\nbody.xml = '<a/>'".replace("''", "'\"\"'")).headers["SOAPAction"]
        == '""'
    )


# Whatever the values

CHARACTERS = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from("\r\n\0\t\"'<>&]={}|\\%+;:,/#?\u0085\u2028\u202e\ud800"),
)
VALUES = st.text(CHARACTERS, max_size=40)
BODY = """
headers = { X-Value = "{lead.first_name}", X-Token = "t {bid.token}" }
query = { q = "{lead.first_name}", "k e=y" = "{bid.token}" }
"""
KINDS = {
    "json": 'body.json = { v = "{lead.first_name}", t = "x{bid.token}" }',
    "form": 'body.form = { v = "{lead.first_name}", t = "x{bid.token}" }',
    "xml": "body.xml = '''<r a=\"{lead.first_name}\" b='x{bid.token}'><v>{lead.first_name}</v>"
    "<t>x{bid.token}</t><c><![CDATA[x{bid.token}{lead.first_name}]]></c></r>'''",
}
POSTS = {kind: a_post(BODY + lines) for kind, lines in KINDS.items()}


def sayable(text):
    """A text as UTF-8 can hold it."""
    return "".join("?" if "\ud800" <= c <= "\udfff" else c for c in text)


@given(VALUES, VALUES)
@example('"\r\nX-Evil: 1\r\n\r\n{"', "\0'&evil=1#?<![CDATA[")
@example("]]>", "]")
def test_no_value_gets_out_of_its_place(value, token):
    """A buyer's own token, or a person's text, is what it was wherever it is put, and no more."""
    view = msgspec.structs.replace(POST, lead={"first_name": value}, token=token)
    messages = {kind: dialect.render(view) for kind, dialect in POSTS.items()}
    value, token = sayable(value), sayable(token)
    for message in messages.values():
        head = message.headers.decode()
        assert head.count("\r") == head.count("\n") == head.count("\r\n") == 2
        assert [line.partition(":")[0] for line in head.split("\r\n")] == ["X-Value", "X-Token", ""]
        names = [pair.partition("=") for pair in message.query.decode("ascii").split("&")]
        assert [(unquote(n), unquote(v)) for n, _, v in names] == [("q", value), ("k e=y", token)]
    assert json.loads(messages["json"].body) == {"v": value, "t": f"x{token}"}
    form = parse_qsl(messages["form"].body.decode("ascii"), keep_blank_values=True)
    assert form == [("v", value), ("t", f"x{token}")]
    root = ET.fromstring(messages["xml"].body)
    value, token = in_xml(value), in_xml(token)
    assert (root.get("a"), root.get("b")) == (value, f"x{token}")
    assert [child.tag for child in root] == ["v", "t", "c"]
    assert [child.text or "" for child in root] == [value, f"x{token}", f"x{token}{value}"]


def in_xml(text):
    """What of a text XML can say."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))


def test_a_ping_of_constants_is_the_same_bytes_for_everybody():
    """What never changes is made once."""
    dialect = a_ping('headers = { X-A = "1" }\nbody.form = { a = 1, b = "{vertical}" }')
    assert dialect.headers["X-A"] == "1"
    assert dialect.render(PING).headers == b""
    constant = a_ping("body.json = { a = 1 }")
    assert constant.render(PING).body is constant.render(PING).body
