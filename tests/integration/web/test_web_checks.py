"""What comes through the doors and what does not, in the contract's order of checks."""

import asyncio
import json
import time
from decimal import Decimal

import msgspec
import pytest

from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from tests.making_intake import (
    CANARIES,
    FORM,
    JSON,
    MULTIPART,
    PERSON,
    REST,
    XML,
    a_body,
    a_quote,
    multipart,
    urlencoded,
    xml,
)
from tests.making_web import LIMITS, SELLER_KEY, an_edge

DOORS = ["/v1/leads", "/v1/pings", "/v1/pings/{token}/post"]
TOO_LARGE = b"x" * (LIMITS.body_max_bytes + 1)
WRONG_TYPE = {"Content-Type": "text/csv"}


def path_of(door, edge):
    return door.replace("{token}", edge.doors.tokens.seal(a_quote()))


def assert_problem(status, headers, problem, wanted):
    assert status == wanted
    assert headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == wanted
    assert problem["title"]
    assert problem["type"].startswith("/problems/")


@pytest.mark.parametrize("door", DOORS)
async def test_a_lead_in_json_is_sold(edge, door):
    """Every door answers 200 with what the story said, money as an exact JSON number."""
    async with edge.call("POST", path_of(door, edge), json=a_body()) as response:
        raw = await response.read()
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert b'"price":8.50,' in raw
    heard = [*edge.script.sold, *edge.script.quoted, *edge.script.posted]
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("content_type", "encode"),
    [
        (JSON, lambda body: json.dumps(body).encode()),
        (FORM, urlencoded),
        (MULTIPART, multipart),
        (XML, xml),
        ("text/xml; charset=utf-8", xml),
    ],
)
async def test_each_format_brings_the_same_lead(edge, content_type, encode):
    """A form and XML say what JSON says, its key in the body or in a header."""
    body = encode({**a_body(), "api_key": SELLER_KEY})
    headers = {"Content-Type": content_type}
    async with edge.call("POST", "/v1/leads", key=None, data=body, headers=headers) as response:
        assert response.status == 200
    submission, _ = edge.script.sold[0]
    assert submission.lead.fields["zip"] == "78701"
    assert submission.person.identity["phone"] == "+15125550123"
    assert SELLER_KEY not in str(msgspec.to_builtins(submission.person))


async def test_the_key_is_checked_before_all_else(edge):
    """With the key in a header: 401 and 403 come before 413, 415, 400 and 422."""
    for key, status in (("wrong", 401), ("buyer-key", 403), ("gone-key", 403)):
        answer = await edge.post(body=TOO_LARGE, key=key, headers=WRONG_TYPE)
        assert_problem(*answer, status)
    assert_problem(*await edge.post(body=TOO_LARGE, headers=WRONG_TYPE), 413)
    assert_problem(*await edge.post(body=b"{", headers=WRONG_TYPE), 415)
    assert_problem(*await edge.post(body=b"{"), 400)
    assert_problem(*await edge.post(body={"lead": {}}), 422)
    assert not edge.script.sold


async def test_a_key_in_the_body_is_checked_once_it_can_be_read(edge):
    """With the key in the body: 413, 415 and 400 come before 401, 403 and 422."""
    assert_problem(*await edge.post(body=TOO_LARGE, key=None, headers=WRONG_TYPE), 413)
    assert_problem(*await edge.post(body=b"{", key=None, headers=WRONG_TYPE), 415)
    assert_problem(*await edge.post(body=b"{", key=None), 400)
    for key, status in (("wrong", 401), (None, 401), ("buyer-key", 403), (SELLER_KEY, 422)):
        answer = await edge.post(body={"api_key": key, "lead": {}}, key=None)
        assert_problem(*answer, status)


async def test_a_key_may_come_in_either_header(edge):
    """`X-API-Key` is as good as a bearer's; a 401 says how to authenticate."""
    status, _, _ = await edge.post(key=None, headers={"X-API-Key": SELLER_KEY})
    assert status == 200
    status, headers, _ = await edge.post(key=None, headers={"X-API-Key": ""})
    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="exchange"')


DEEP = b'{"campaign": "auto-us", "lead": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001
BAD_INPUT = {
    "an unknown campaign": (a_body(campaign="nobody"), 422),
    "another seller's campaign": (a_body(campaign="theirs"), 422),
    "bad JSON": (b'{"campaign": "auto-us",', 400),
    "no object": (b"[1]", 400),
    "nothing": (b"", 400),
    "wrong types": (a_body(campaign=7, test="yes", min_price="4.00", lead=[]), 422),
    "a field of 1 MB": (b'{"lead": {"notes": "%s"}}' % (b"x" * 1_048_576), 413),
    "a field of nearly 1 MB": (a_body(lead={**PERSON, **REST, "notes": "x" * 1_000_000}), 422),
    "5,000 levels of nesting": (DEEP, 400),
    "5,000 levels of lists": (b'{"lead": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    "a raw NUL": (b'{"campaign": "auto\0us"}', 400),
    "invalid UTF-8": (b'{"campaign": "\xff\xfe"}', 400),
    "half a surrogate pair": (b'{"campaign": "\\ud800"}', 400),
    "an absurd exponent": (b'{"campaign": "auto-us", "min_price": 1E+999999, "lead": {}}', 422),
    "a number of 100,000 digits": (b'{"min_price": ' + b"9" * 100_000 + b"}", 400),
    "NaN": (b'{"campaign": "auto-us", "min_price": NaN}', 400),
    "seven decimals": (b'{"campaign": "auto-us", "min_price": 4.0000001, "lead": {}}', 422),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", BAD_INPUT)
async def test_bad_input_is_a_clear_problem_at_once(edge, door, case):
    """No bad input gets further than its answer, which comes at once and repeats nothing of it."""
    body, wanted = BAD_INPUT[case]
    path = path_of(door, edge)
    began = time.monotonic()
    status, headers, problem = await edge.post(path, body)
    took_s = time.monotonic() - began
    assert_problem(status, headers, problem, wanted)
    assert took_s < 0.25
    if wanted == 422:
        assert problem["errors"]
        assert all(set(error) == {"field", "code", "message"} for error in problem["errors"])
    assert not [*edge.script.sold, *edge.script.quoted, *edge.script.posted]
    assert (await edge.get("/healthz"))[0] == 200


async def test_hundreds_of_errors_come_at_once_and_repeat_no_value(edge):
    """All bad fields are told in one answer, in milliseconds, without what stood in them."""
    lead = {name: ["Zyxcanary"] for name in {**PERSON, **REST}}
    consent = {name: {"Zyxcanary": 1} for name in ("tcpa", "text", "url", "ip", "at")}
    tracking = {f"sub{number}": ["Zyxcanary"] for number in range(400)}
    body = a_body(lead=lead, consent=consent, tracking=tracking, test=3, legs=7)
    began = time.monotonic()
    status, _, problem = await edge.post(body=body)
    assert time.monotonic() - began < 0.25
    assert status == 422
    fields = {error["field"] for error in problem["errors"]}
    assert {"lead.phone", "lead.zip", "test", "legs"} <= fields
    assert "zyxcanary" not in json.dumps(problem).lower()


async def test_escaped_nuls_are_stripped(edge):
    """An escaped NUL is no error and nowhere in the lead."""
    lead = {**PERSON, **REST, "first_name": "Zyx\0canary"}
    status, _, _ = await edge.post(body=a_body(lead=lead))
    assert status == 200
    assert edge.script.sold[0][0].person.identity["first_name"] == "Zyxcanary"


async def test_a_rejected_lead_is_in_its_sellers_log(edge):
    """A 422 is kept by field and code, and only its seller reads it."""
    lead = {**PERSON, **REST, "phone": "+1 000"}
    status, _, problem = await edge.post(body=a_body(lead=lead))
    assert status == 422
    assert problem["errors"][0]["code"] == "invalid_phone"
    status, _, log = await edge.get("/v1/rejections?limit=10")
    assert status == 200
    assert log["rejections"] == [
        {
            "at": "2026-11-18T11:06:40.000000Z",
            "campaign": "auto-us",
            "errors": [{"field": "lead.phone", "code": "invalid_phone"}],
        }
    ]
    assert (await edge.get("/v1/rejections", key="stranger-key"))[2] == {"rejections": []}
    assert_problem(*await edge.get("/v1/rejections?limit=0"), 422)
    assert_problem(*await edge.get("/v1/rejections", key=None), 401)


async def test_a_lost_log_line_costs_no_answer(edge):
    """Where the rejection can't be kept, the seller still hears what was wrong."""
    edge.script.error = LedgerUnavailable()
    assert_problem(*await edge.post(body=a_body(campaign="nobody")), 422)


async def test_a_seller_that_reads_no_4xx_gets_200(edge):
    """`always_200` changes the status line, not the problem."""
    status, headers, problem = await edge.post(body=b"{", key="soft-key")
    assert (status, problem["status"]) == (200, 400)
    assert headers["Content-Type"] == "application/problem+json"
    edge.script.error = LedgerUnavailable()
    market = a_body(campaign="auto-us")
    status, _, problem = await edge.post(body=market, key="soft-key")
    assert (status, problem["status"]) == (200, 422)


@pytest.mark.parametrize(
    ("outage", "word"),
    [
        (LedgerUnavailable(), "ledger"),
        (MarketUnavailable(address="a", problem="p"), "market state"),
    ],
)
async def test_a_store_that_is_away_is_503(edge, outage, word):
    """An outage in the middle of a sale is a 503 that says when to come again, and which store."""
    edge.script.error = outage
    status, headers, problem = await edge.post()
    assert_problem(status, headers, problem, 503)
    assert headers["Retry-After"] == "1"
    assert word in problem["detail"]


async def test_the_unexpected_is_500_without_details(edge, log_lines):
    """A bug is logged once, under the id that the caller hears; its words are nowhere."""
    edge.script.error = RuntimeError("Zyxcanary lives at 77 Canary Row")
    status, headers, problem = await edge.post()
    assert_problem(status, headers, problem, 500)
    (line,) = log_lines()
    assert line["event"] == "request failed"
    assert line["error"] == "builtins.RuntimeError"
    assert line["error_id"] in problem["detail"]
    assert line["route"] == "/v1/leads"
    told = json.dumps([line, problem]).lower()
    assert not [canary for canary in CANARIES if canary in told]


async def test_nothing_of_a_person_is_seen_from_outside(edge, log_lines):
    """Canaries planted in every field appear in no answer, metric or log, whatever goes wrong."""
    bad = {name: [value] for name, value in PERSON.items()}
    bodies = (a_body(), a_body(lead=bad), a_body(campaign="Zyxcanary"), {**a_body(), **bad})
    seen = [
        await edge.post(body=body, key=key) for body in bodies for key in (SELLER_KEY, "Zyxcanary")
    ]
    edge.script.error = ValueError(json.dumps(PERSON))
    seen.append(await edge.post())
    async with edge.call("GET", "/metrics") as response:
        seen.append(await response.text())
    told = (str(seen) + json.dumps(log_lines())).lower()
    assert not [canary for canary in CANARIES if canary in told]


async def test_a_quote_is_posted_by_its_address_or_in_the_body(edge):
    """Both ways lead to the same post, whose lead is the quote's."""
    quote = a_quote()
    token = edge.doors.tokens.seal(quote)
    status, _, answer = await edge.post(f"/v1/pings/{token}/post")
    assert (status, answer["lead_id"]) == (200, quote.lead_id)
    status, _, problem = await edge.post(body=a_body(ping_id=token))
    assert (status, problem["detail"]) == (409, "this quote was used already")


async def test_a_quote_that_cannot_be_posted_says_why(edge):
    """Forged or another's: 404; expired: 410; naming another ping: 422."""
    token = edge.doors.tokens.seal(a_quote())
    assert_problem(*await edge.post("/v1/pings/forged/post"), 404)
    assert_problem(*await edge.post(f"/v1/pings/{token}/post", key="stranger-key"), 404)
    old = edge.doors.tokens.seal(a_quote(expires_at_us=1))
    assert_problem(*await edge.post(f"/v1/pings/{old}/post"), 410)
    status, _, problem = await edge.post(f"/v1/pings/{token}/post", a_body(ping_id=old))
    assert (status, problem["errors"][0]["code"]) == (422, "contradicts_ping")
    zip_code = a_body(lead={**PERSON, **REST, "zip": "10001"})
    status, _, problem = await edge.post(f"/v1/pings/{token}/post", zip_code)
    assert (status, problem["errors"][0]["code"]) == (422, "contradicts_ping")
    assert not edge.script.posted


async def test_an_overloaded_worker_turns_leads_away_unread():
    """Lag, or too many leads under way: 503 at once, whoever asks, before the body is read."""
    late = 0.0
    limits = msgspec.structs.replace(LIMITS, leads_under_way_max=1)
    async with an_edge(limits=limits, lag_ms=lambda: late) as edge:
        late = 101.0
        status, headers, problem = await edge.post(body=TOO_LARGE, key="wrong")
        assert_problem(status, headers, problem, 503)
        assert headers["Retry-After"] == "1"
        assert (await edge.get("/healthz"))[0] == 200
        late = 100.0
        assert (await edge.post())[0] == 200
        edge.script.go_on.clear()
        edge.script.begun.clear()
        first = asyncio.create_task(edge.post())
        await edge.script.begun.wait()
        assert_problem(*await edge.post(), 503)
        edge.script.go_on.set()
        assert (await first)[0] == 200
        assert (await edge.post())[0] == 200


async def test_leads_are_turned_away_while_market_state_does_not_answer():
    """What is let in while the oldest call waits would wait beside it, and hear 503 later."""
    waited = 101.0
    async with an_edge(market_wait_ms=lambda: waited) as edge:
        assert_problem(*await edge.post(body=TOO_LARGE, key="wrong"), 503)
        assert (await edge.get("/healthz"))[0] == 200
        waited = 100.0
        assert (await edge.post())[0] == 200


async def test_prices_are_exact():
    """A price with six decimals survives the whole way, digit by digit."""
    async with an_edge() as edge:
        raw = b'{"campaign": "auto-us", "min_price": 4.000001, "lead": %s}' % (
            json.dumps({**PERSON, **REST}).encode()
        )
        assert (await edge.post(body=raw))[0] == 200
        assert edge.script.sold[0][0].lead.min_price == int(Decimal("4.000001") * 1_000_000)
