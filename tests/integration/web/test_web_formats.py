"""Fields behind the question mark, and answers in the format that their caller asks for."""

import json
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from tests.making_intake import CANARIES, PERSON, XML, a_body, a_quote, urlencoded, xml
from tests.making_web import SELLER_KEY, an_answer

DOORS = ["/v1/leads", "/v1/pings", "/v1/pings/{token}/post"]


def path_of(door, edge):
    return door.replace("{token}", quote(edge.doors.tokens.seal(a_quote())))


async def answer_to(edge, method, path, **options):
    """Send one request and return its status, its content type and its bytes."""
    async with edge.call(method, path, **options) as response:
        return response.status, response.headers["Content-Type"], await response.read()


@pytest.mark.parametrize("door", DOORS)
async def test_without_a_body_the_fields_may_stand_behind_the_question_mark(edge, door):
    """They are read like a form, on every door, whatever the content type claims."""
    path = f"{path_of(door, edge)}?{urlencoded(a_body(colour='blue')).decode()}"
    for headers in ({}, {"Content-Type": "application/json"}):
        status, _, raw = await answer_to(edge, "POST", path, headers=headers)
        assert status in {200, 409}, raw
    heard = edge.script.sold or edge.script.quoted
    if heard:
        assert heard[0][0].lead.fields["zip"] == "78701"
        assert heard[0][0].lead.source.id == "search"


async def test_fields_in_body_and_address_at_once_are_refused(edge):
    """Neither is read over unseen: a `test=true` might be what counts."""
    for body in (json.dumps(a_body()).encode(), b"zip=78701"):
        status, headers, problem = await edge.post("/v1/leads?test=true", body)
        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        assert "not in both" in problem["detail"]
    assert not edge.script.sold


async def test_a_key_in_the_address_is_no_key_and_the_401_says_where_it_belongs(edge):
    """Also a valid one; in a header it is taken, and one in the address then says nothing."""
    query = urlencoded({**a_body(), "api_key": SELLER_KEY}).decode()
    status, _, raw = await answer_to(edge, "POST", f"/v1/leads?{query}", key=None)
    problem = json.loads(raw)
    assert (status, problem["type"]) == (401, "/problems/unknown-key")
    assert "X-API-Key" in problem["detail"]
    assert "logs" in problem["detail"]
    assert SELLER_KEY not in raw.decode()
    status, _, _ = await answer_to(edge, "POST", f"/v1/leads?{query}")
    assert status == 200


async def test_what_stands_in_an_address_is_in_no_log_no_metric_and_no_error(edge, log_lines):
    """Good, bad and failing requests alike."""
    good = urlencoded(a_body()).decode()
    for query in (good, f"{good}&phone=1", f"{good}&x=%zz", f"campaign=x&{good}", "?" * 2000):
        _, _, raw = await answer_to(edge, "POST", f"/v1/leads?{query}")
        assert not any(canary in raw.decode().lower() for canary in CANARIES)
    edge.script.error = RuntimeError("on purpose")
    status, _, raw = await answer_to(edge, "POST", f"/v1/leads?{good}")
    assert status == 500
    edge.doors.observer.hand_over()
    told = json.dumps(log_lines()).lower() + edge.doors.observer.exposition().decode().lower()
    assert "request failed" in told
    for canary in (*CANARIES, "zip=", "campaign="):
        assert canary not in told + raw.decode().lower()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("accept", ["application/xml", "text/xml"])
async def test_who_asks_for_xml_is_answered_in_xml(edge, door, accept):
    """An answer and a problem, as `<response>`, money in its very digits."""
    path, headers = path_of(door, edge), {"Accept": accept, "Content-Type": XML}
    status, content_type, raw = await answer_to(
        edge, "POST", path, data=xml(a_body()), headers=headers
    )
    assert (status, content_type) == (200, f"{accept}; charset=utf-8")
    root = ET.fromstring(raw)
    assert root.tag == "response"
    assert root.findtext("price") == "8.50"
    assert root.find("reason") is None
    status, content_type, raw = await answer_to(
        edge,
        "POST",
        path,
        data=xml({"campaign": "auto-us", "lead": {"phone": "1"}}),
        headers=headers,
    )
    assert (status, content_type) == (422, f"{accept}; charset=utf-8")
    root = ET.fromstring(raw)
    assert (root.findtext("type"), root.findtext("status")) == ("/problems/fields", "422")
    assert "lead.phone" in [error.findtext("field") for error in root.iter("errors")]


async def test_every_problem_and_read_answers_in_the_format_asked_for(edge):
    """401, 404, 405 and 415; a lead, and the log of rejections."""
    headers = {"Accept": XML}
    for method, path, options, wanted in (
        ("POST", "/v1/leads", {"key": "wrong"}, 401),
        ("GET", "/v1/leads/none", {}, 404),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/v1/leads", {}, 405),
        ("POST", "/v1/leads", {"data": b"x"}, 415),
        (
            "POST",
            "/v1/leads",
            {"data": b"{}", "headers": {"Content-Type": "application/json"}},
            422,
        ),
        ("GET", "/v1/rejections", {}, 200),
    ):
        sent = {**options, "headers": {**headers, **options.get("headers", {})}}
        status, content_type, raw = await answer_to(edge, method, path, **sent)
        assert (status, content_type) == (wanted, f"{XML}; charset=utf-8"), path
        root = ET.fromstring(raw)
        assert root.tag == "response"
        assert wanted == 200 or root.findtext("status") == str(wanted)
    sold = json.loads((await answer_to(edge, "POST", "/v1/leads", json=a_body()))[2])
    status, _, raw = await answer_to(edge, "GET", f"/v1/leads/{sold['lead_id']}", headers=headers)
    root = ET.fromstring(raw)
    assert root.findtext("lead_id") == sold["lead_id"]
    assert [entry.findtext("event") for entry in root.iter("timeline")]


async def test_who_cannot_read_4xx_hears_the_same_in_xml(edge):
    """`always_200` keeps the body, in either format."""
    options = {"key": "soft-key", "json": {}, "headers": {"Accept": XML}}
    status, _, raw = await answer_to(edge, "POST", "/v1/leads", **options)
    assert status == 200
    assert ET.fromstring(raw).findtext("status") == "422"


async def test_who_asks_for_neither_gets_json(edge):
    """A sale is always heard: no 406."""
    status, content_type, raw = await answer_to(
        edge, "POST", "/v1/leads", json=a_body(), headers={"Accept": "text/html"}
    )
    assert (status, content_type) == (200, "application/json")
    assert json.loads(raw)["status"] == an_answer("x").status


async def test_a_form_without_a_person_shows_every_missing_field_in_the_address_too(edge):
    """An empty address and an empty body are no form: 415 as before."""
    status, _, raw = await answer_to(edge, "POST", "/v1/leads?campaign=auto-us")
    missing = {error["field"] for error in json.loads(raw)["errors"]}
    assert status == 422
    assert {"lead.first_name", "lead.phone", "lead.email"} <= missing
    assert missing.isdisjoint(PERSON)
    assert (await answer_to(edge, "POST", "/v1/leads?"))[0] == 415
