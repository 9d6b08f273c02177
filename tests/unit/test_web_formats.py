"""Which format an answer has, and that its XML says what its JSON says."""

import json
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.contract.seller import Leg, Original, QuoteAnswer, ReasonOut, SaleOut
from exchange.contract.standing import seller_view
from exchange.domain.reason import Reason
from exchange.web.accept import SPOKEN, wanted
from exchange.web.answers import encode
from exchange.web.problems import Kind, problem
from exchange.web.xml_answers import as_xml
from tests.making_web import a_standing, an_answer

JSON, XML, TEXT_XML = "application/json", "application/xml", "text/xml"


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (XML, XML),
        (TEXT_XML, TEXT_XML),
        ("text/*", TEXT_XML),
        ("Application/XML", XML),
        ("application/problem+xml", XML),
        ("application/problem+json", JSON),
        ("application/xml, */*", XML),
        ("*/*, text/xml", TEXT_XML),
        ("application/json, application/xml", JSON),
        ("application/xml, application/json", XML),
        ("application/xml;q=0.8, application/json", JSON),
        ("application/json;q=0.8, application/xml", XML),
        ("application/json;q=0.8, application/xml;q=0.9", XML),
        ("application/xml;q=0", JSON),
        ("application/json;q=0, */*", XML),
        ("application/json;q=0", JSON),
        ("*/*;q=0", JSON),
        ("text/html", JSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", XML),
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),
        ("application/xml; charset=utf-8; q=1", XML),
        ("application/xml;q=rubbish", XML),
        (",;q=,;;,", JSON),
    ],
)
def test_the_format_is_what_accept_likes_best_and_json_where_it_likes_neither(accept, answered):
    assert wanted(accept) == answered


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*SPOKEN, "*/*", ";q=", "0.5", ","])).map("".join)
)
def test_any_accept_gets_one_of_the_formats(accept):
    assert wanted(accept) in {JSON, XML, TEXT_XML}


def fields(element):
    """What an element says: its text, or all that stands in it by name."""
    if not len(element):
        return element.text or ""
    found = {}
    for child in element:
        found.setdefault(child.tag, []).append(fields(child))
    return found


def as_texts(value):
    """What JSON says, in those terms: no nulls, no empty lists, every value its very digits."""
    if isinstance(value, dict):
        entries = {
            name: [as_texts(one) for one in (item if isinstance(item, list) else [item])]
            for name, item in value.items()
            if item is not None and item != []
        }
        return entries or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def said(answer):
    raw = encode(answer)
    root = ET.fromstring(as_xml(raw))
    assert root.tag == "response"
    assert fields(root) == as_texts(json.loads(raw, parse_float=str, parse_int=str))
    return root


SOLD = an_answer(
    "019a",
    price=Decimal("11.050000"),
    sales=(
        SaleOut("s-1", Decimal("8.50"), "A & B <Ltd>", "https://a.example/?a=1&b=2"),
        SaleOut("s-2", Decimal(1)),
    ),
)


def test_an_answer_is_the_same_in_xml_with_the_very_digits_of_its_money():
    root = said(SOLD)
    assert root.findtext("price") == "11.050000"
    assert [sale.findtext("price") for sale in root.iter("sales")] == ["8.50", "1"]
    assert root.find("sales").findtext("buyer") == "A & B <Ltd>"


def test_a_null_and_an_empty_list_have_no_element():
    root = said(an_answer("019a", price=None, sales=(), reason=ReasonOut.of(Reason.OUTBID)))
    assert root.find("price") is None
    assert root.find("sales") is None
    assert root.findtext("reason/reason") == "outbid"
    assert root.findtext("reason/code") == "302"


def test_every_answer_of_a_seller_has_its_xml():
    original = Original("019b", "sold", Decimal("1.10"), None)
    said(an_answer("019a", status="duplicate", original=original))
    said(seller_view(a_standing("019a")))
    said(problem(Kind.FIELDS, "a < b"))
    quote = QuoteAnswer(
        ping_id="t",
        status="quoted",
        price=Decimal("0.000001"),
        currency="USD",
        expires_at="2026-11-22T00:00:00Z",
        legs=(Leg("1", Decimal(2)), Leg("2", Decimal(3), "Acme", "I agree")),
        reason=None,
        warnings=("one", "two"),
    )
    assert said(quote).findtext("price") == "0.000001"


@given(st.text(max_size=50))
def test_any_text_is_well_formed_and_comes_back_but_for_what_xml_cannot_hold(text):
    root = ET.fromstring(as_xml(json.dumps({"detail": text}).encode("utf-8", "replace")))
    kept = "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in text
    )
    assert root.findtext("detail") == kept
