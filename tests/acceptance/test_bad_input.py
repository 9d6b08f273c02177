"""Whatever comes in at whichever door: a clear problem at once, and nothing half-written."""

import asyncio
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.house import ANN, House, person
from tests.acceptance.market import buyer, campaign, market
from tests.making_intake import xml

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=cut"
XML = "application/xml"

LIMIT = 1_048_576
BOMB = gzip.compress(b" " * (16 * LIMIT))
LONG = "x" * 1_000_000
PROMPT_S = 0.1
"""What an answer may take here where a megabyte was sent and two cores are shared with a test."""


@dataclass(frozen=True)
class Door:
    """One way in, and what must be said there to be let in."""

    path: str
    key: str

    async def send(self, house: House, body: bytes, kind: str = JSON, **headers: str) -> Any:
        """Send these bytes; where the answer was slow, twice more, for a machine may pause."""
        told = {"Content-Type": kind, **headers}
        for _ in range(3):
            answer = await house.call(
                "POST", self.path, key=self.key, data=io.BytesIO(body), headers=told
            )
            if answer.seconds < PROMPT_S:
                return answer
        raise AssertionError(f"{answer.seconds} s for {body[:60]!r}")


@pytest.fixture
async def doors(house):
    """Every door, in a market with a buyer, another seller's campaign and a quote."""
    async with Fleet(bidding({"acme": "12.00"}), keep=9) as fleet:
        parts = (
            buyer("acme", fleet.base_url),
            campaign(lines="duplicates = { window_hours = 1 }"),
            campaign("others", sellers='"other"'),
        )
        await house.apply(market(*parts, '[[seller]]\nid = "gone"'))
        await house.key("seller", "gone")
        await house.apply(market(*parts))
        key = await house.key("seller", "fastquotes")
        await house.open()
        token = (await house.post(person(99), path="/v1/pings")).body["ping_id"]
        paths = ("/v1/leads", "/v1/pings", f"/v1/pings/{token}/post")
        yield [Door(path, key) for path in paths]
        assert fleet.books["acme"].posts == 0


def request(**changes: Any) -> dict[str, Any]:
    """Return a request that every door would take but for these changes."""
    return {"campaign": "auto-us", "source": "search", "lead": person(99), **changes}


def encoded(**changes: Any) -> bytes:
    return json.dumps(request(**changes)).encode()


def with_lead(**changes: Any) -> bytes:
    return encoded(lead=person(99, **changes))


def number(text: bytes, name: str = "min_price") -> bytes:
    """Return a request with this very text as a number."""
    return encoded(**{name: 7777}).replace(b"7777", text)


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
    return head + value + b"\r\n"


def unreadable() -> Iterator[tuple[str, str, bytes]]:
    """Yield what is no request at all: its name, content type and bytes; each is a 400."""
    whole = encoded()
    yield from (
        (name, JSON, body)
        for name, body in {
            "nothing": b"",
            "blanks": b"  \n",
            "null": b"null",
            "a list": b"[%b]" % whole,
            "a text": b'"lead"',
            "half": whole[: len(whole) // 2],
            "more than one": whole + whole,
            "single quotes": whole.replace(b'"', b"'"),
            "NaN": number(b"NaN"),
            "an infinity": number(b"-Infinity"),
            "a leading zero": number(b"007"),
            "a number of 100,000 digits": number(b"1" * 100_000),
            "5,000 lists": b'{"lead":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
            "5,000 open objects": b'{"a":' * 5_000,
            "100,000 open lists": b"[" * 100_000,
            "100 levels of strangers": b'{"x":' + b"[" * 100 + b"]" * 100 + b"}",
            "6,000 values": encoded(extra=list(range(6_000))),
            "a raw NUL in a text": with_lead(first_name="An?n").replace(b"?", b"\0"),
            "a raw NUL outside": whole + b"\0",
            "a raw line feed in a text": with_lead(first_name="An?n").replace(b"?", b"\n"),
            "bytes that are not UTF-8": with_lead(first_name="An?n").replace(b"?", b"\xff"),
            "overlong UTF-8": with_lead(first_name="An?n").replace(b"?", b"\xc0\x80"),
            "half a surrogate pair": with_lead(first_name="An?n").replace(b"?", b"\\ud800"),
            "UTF-16": whole.decode().encode("utf-16"),
        }.items()
    )
    yield "an escape that is none", FORM, b"campaign=auto-us&zip=%zz"
    yield "bytes that are not UTF-8", FORM, b"campaign=auto-us&first_name=%ff"
    yield "1,001 fields", FORM, b"&".join(b"f%d=1" % n for n in range(1001))
    yield "no XML", XML, b"<request><lead>"
    yield "a document type", XML, b'<!DOCTYPE a [<!ENTITY b "c">]><request>&b;</request>'
    yield "an entity", XML, b"<request><lead><zip>&zip;</zip></lead></request>"
    yield "a value in an attribute", XML, b'<request><lead zip="78701"/></request>'
    yield "two leads", XML, b"<request><lead/><lead/></request>"
    yield "1,001 elements", XML, b"<request>" + b"<a/>" * 1000 + b"</request>"
    yield "65 levels", XML, b"<a>" * 65 + b"</a>" * 65
    yield "bytes that are not UTF-8", XML, b"<request><source>\xff</source></request>"
    end = b"--cut--\r\n"
    yield "no parts", PARTS, b""
    yield "no end", PARTS, part("zip", b"78701")
    yield "another boundary", PARTS, (part("zip", b"78701") + end).replace(b"--cut", b"--other")
    yield "no boundary at all", "multipart/form-data", part("zip", b"78701") + end
    yield "a file", PARTS, part("zip", b"78701", '; filename="a.txt"') + end
    yield "bytes that are not UTF-8", PARTS, part("first_name", b"\xff") + end
    yield "1,001 parts", PARTS, b"".join(part(f"f{n}", b"1") for n in range(1001)) + end


WRONG: dict[str, tuple[bytes, dict[str, str]]] = {
    "lead is a list": (encoded(lead=[1]), {"lead": "wrong_type"}),
    "lead is a text": (encoded(lead="Ann"), {"lead": "wrong_type"}),
    "control fields of other types": (
        encoded(
            campaign={},
            source=[],
            seller_ref=7,
            ping_id=7,
            min_price="4.00",
            timeout_ms=1.5,
            test="no",
            already_sold=True,
            exclude_buyers="acme",
            legs={},
            consent=[],
            tracking=7,
        ),
        dict.fromkeys(
            (
                *("campaign", "source", "seller_ref", "ping_id", "min_price", "timeout_ms"),
                *("test", "already_sold", "exclude_buyers", "legs", "consent", "tracking"),
            ),
            "wrong_type",
        ),
    ),
    "control fields out of bounds": (
        encoded(timeout_ms=0, already_sold=-1, min_price=-0.01, seller_ref="x" * 201),
        dict.fromkeys(("timeout_ms", "already_sold", "min_price", "seller_ref"), "bad_value"),
    ),
    "1E+999999": (number(b"1E+999999"), {"min_price": "bad_value"}),
    "1E-999999": (number(b"1E-999999"), {"min_price": "bad_value"}),
    "a price of seven decimals": (number(b"1.0000001"), {"min_price": "bad_value"}),
    "a timeout of 1E+999999": (number(b"1E+999999", "timeout_ms"), {"timeout_ms": "wrong_type"}),
    "a year of 1E+999999": (
        with_lead(vehicle_year=7777).replace(b"7777", b"1E+999999"),
        {"lead.vehicle_year": "wrong_type"},
    ),
    "fields of other types": (
        with_lead(first_name=7, phone={}, email=[], zip=[], currently_insured={}, birth_date=True),
        dict.fromkeys(
            (
                *("lead.first_name", "lead.phone", "lead.email", "lead.zip"),
                *("lead.currently_insured", "lead.birth_date"),
            ),
            "wrong_type",
        ),
    ),
    **{
        f"a megabyte of {name}": (with_lead(**{name: LONG}), {f"lead.{name}": code})
        for name, code in (
            ("first_name", "bad_value"),
            ("phone", "invalid_phone"),
            ("email", "invalid_email"),
            ("zip", "bad_value"),
            ("birth_date", "bad_value"),
            ("currently_insured", "bad_value"),
            ("credit", "bad_value"),
            ("vehicle_year", "bad_value"),
        )
    },
    "a megabyte of campaign": (encoded(campaign=LONG), {"campaign": "bad_value"}),
    "a megabyte of consent": (encoded(consent={"text": LONG}), {"consent.text": "bad_value"}),
}
"""What cannot be a lead, by name: its bytes, and the code of each bad field. Each is a 422."""


def told(answer: Any, status: int) -> dict[str, str]:
    """Return the bad fields of a problem answer that is as the contract wants it."""
    assert answer.status == answer.body["status"] == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title"} <= answer.body.keys()
    assert "Traceback" not in str(answer.body)
    return {error["field"]: error["code"] for error in answer.body.get("errors", ())}


async def test_what_is_no_request_is_400_at_once_and_leaves_nothing(house, doors):
    """Bad JSON, bytes that are no text, nesting, numbers and forms that are none."""
    before = await house.written()
    for door, (name, kind, body) in product(doors, unreadable()):
        answer = await door.send(house, body, kind, **{"Idempotency-Key": name})
        assert told(answer, 400) == {}, name
        assert answer.body["detail"], name
    assert await house.written() == before


async def test_what_cannot_be_a_lead_is_422_with_every_bad_field_and_a_line_in_the_log(
    house, doors
):
    """Wrong types, megabytes and absurd numbers: all errors at once, never a value of them."""
    before = await house.written()
    for door, (name, (body, wrong)) in product(doors, WRONG.items()):
        answer = await door.send(house, body, **{"Idempotency-Key": name})
        found = told(answer, 422)
        if "lead" in wrong:  # what is in it cannot be seen either
            found = {field: code for field, code in found.items() if code != "required"}
        if door.path.endswith("/post"):
            found = {field: code for field, code in found.items() if code != "contradicts_ping"}
        assert found == wrong, name
        assert LONG[:50] not in str(answer.body), name
    after = await house.written()
    assert after["rejection"] - before["rejection"] >= len(doors) * len(WRONG)
    assert {**after, "rejection": 0} == {**before, "rejection": 0}
    log = str(await house.fetch("SELECT errors::text, campaign FROM rejection"))
    assert ANN["last_name"] not in log
    assert LONG[:50] not in log


async def test_who_may_not_come_in_and_what_is_not_taken_is_said_first(house, doors):
    """401, 403, 413 and 415, in the contract's order, before the body is looked at."""
    operator = await house.key("operator", "tests")
    retired = await house.key("seller", "gone")
    valid = doors[0].key
    before = await house.written()
    whole, too_much = encoded(), encoded(extra="x" * LIMIT)
    refusals = (
        ("no key", None, whole, JSON, 401),
        ("a wrong key", "x" * 40, b"{", JSON, 401),
        ("another role", operator, b"{", JSON, 403),
        ("a seller who left", retired, b"{", JSON, 401),
        ("a body beyond the limit", valid, too_much, "text/plain", 413),
        ("no content type", valid, b"{", "", 415),
        ("another content type", valid, b"{", "text/plain", 415),
        ("another charset", valid, whole, f"{JSON}; charset=latin-1", 415),
        (
            "another encoding",
            valid,
            b'<?xml version="1.0" encoding="latin-1"?><request/>',
            XML,
            415,
        ),
        ("a wrong key in the body", None, encoded(api_key="x"), JSON, 401),
        ("no key in a body that is none", None, b"{", JSON, 400),
    )
    for door, (name, key, body, kind, status) in product(doors, refusals):
        headers = {"Content-Type": kind}
        sent = io.BytesIO(body)
        answer = await house.call("POST", door.path, key=key, data=sent, headers=headers)
        assert told(answer, status) == {}, name
    assert await house.written() == before


async def test_packed_bodies_are_unpacked_no_further_than_the_limit(house, doors):
    """gzip is taken; what is broken, bursts, or is packed otherwise is refused."""
    before = await house.written()
    packed = gzip.compress(encoded(campaign="nowhere"))
    bodies_of = (
        ("a good one with a bad field", packed, "gzip", 422),
        ("half of one", packed[: len(packed) // 2], "gzip", 400),
        ("none at all", encoded(), "gzip", 400),
        ("a bomb", BOMB, "gzip", 413),
        ("another coding", packed, "br", 415),
    )
    for door, (name, body, coding, status) in product(doors, bodies_of):
        answer = await door.send(house, body, **{"Content-Encoding": coding})
        assert answer.status == status, name
    after = await house.written()
    assert {**after, "rejection": 0} == {**before, "rejection": 0}


async def test_a_campaign_that_is_unknown_or_anothers_is_the_same_error(house, doors):
    """Nobody learns from an error which campaigns others have; a quote's own may not be changed."""
    for door in doors:
        expected = "contradicts_ping" if door.path.endswith("/post") else "unknown_campaign"
        problems = []
        for name in ("nowhere", "others"):
            form = f"campaign={name}&zip=78701&currently_insured=1".encode()
            for kind, body in ((JSON, encoded(campaign=name)), (FORM, form)):
                answer = await door.send(house, body, kind)
                assert told(answer, 422)["campaign"] == expected
                problems.append(answer.body)
        assert problems[:2] == problems[2:]


async def test_four_hundred_errors_are_told_at_once(house):
    """As many fields, all wrong: all named, within milliseconds, in one line of the log."""
    names = [f"field_{n}" for n in range(400)]
    fields = "\n".join(
        f'{name} = {{ type = "int", privacy = "attribute", ping = "required" }}' for name in names
    )
    vertical = f'[[vertical]]\nid = "wide"\n[vertical.fields]\n{fields}'
    await house.apply(market(vertical, campaign(vertical="wide")))
    await house.open()
    for path in ("/v1/leads", "/v1/pings"):
        door = Door(path, await house.key("seller", "fastquotes"))
        for value in ("x", None, []):
            lead = dict.fromkeys(names, value)
            answer = await door.send(house, encoded(lead=lead))
            assert list(told(answer, 422)) == [f"lead.{name}" for name in names]
    rows = await house.fetch("SELECT errors FROM rejection")
    assert {len(json.loads(row["errors"])) for row in rows} == {400}
    assert not await house.fetch("SELECT 1 FROM moment")


async def test_escaped_nuls_are_stripped_at_every_door_and_stored_without(house):
    """Escaped NULs disappear from names and values in every format; the lead is sold."""
    async with Fleet(bidding({"acme": "12.00"}), keep=9) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        key = await house.key("seller", "fastquotes")
        await house.open()
        lead = {**ANN, "first_name": "A\0nn\0", "zip": "78\000701", "no\0te": "\0hi"}
        flat = {"campaign": "auto\0-us", "source": "se\0arch", **lead, "currently_insured": "yes"}
        flat["consent.text"] = "I ag\0ree"
        nested = {"campaign": "auto\0-us", "source": "se\0arch", "lead": lead}
        parts = b"".join(part(name, value.encode()) for name, value in flat.items())
        for kind, body in (
            (JSON, json.dumps({**nested, "consent": {"text": "I ag\0ree"}}).encode()),
            (FORM, "&".join(f"{k}={v}" for k, v in flat.items()).replace("\0", "%00").encode()),
            (PARTS, parts + b"--cut--\r\n"),
            (XML, xml({**nested, "consent": {"text": "I ag\0ree"}})),
        ):
            assert any(nul in body for nul in (b"\\u0000", b"%00", b"\0", b"&#0;"))
            answer = await Door("/v1/leads", key).send(house, body, kind)
            assert (answer.status, answer.body["status"]) == (200, "sold"), (kind, answer.body)
            async with house.ledger() as ledger:
                record = await ledger.record(answer.body["lead_id"])
            assert b"\\u0000" not in record
            assert b"\0" not in record
            assert b'"note":"hi"' in record
            sold = bodies(fleet.books["acme"].requests, "/post")[-1]
            assert sold["lead"]["first_name"] == "Ann"
            assert sold["lead"]["zip"] == "78701"
            assert sold["consent"]["text"] == "I agree"
            seen = await house.admin(answer.body["lead_id"])
            assert seen["source"] == "search"


async def test_what_is_not_even_http_is_answered_and_the_next_request_served(house):
    """Garbage is 400, a header without end 431, a body that drips 408: each a problem, closed."""
    await house.apply(market(campaign()))
    key = await house.key("seller", "fastquotes")
    await house.open(request_timeout_s=0.2)
    head = f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nX-API-Key: {key}\r\n"
    for name, raw, status in (
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        ("half a request line", b"GET\r\n\r\n", 400),
        ("a header without end", f"{head}X-Long: {'x' * 40_000}\r\n\r\n".encode(), 431),
        ("two lengths", f"{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}".encode(), 400),
        ("a bad chunk", f"{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(), 400),
        ("a dripping body", f"{head}Content-Length: 50\r\n\r\n{{".encode(), 408),
        ("a length beyond the limit", f"{head}Content-Length: 9999999\r\n\r\n{{".encode(), 413),
    ):
        answer = await spoken(house, raw)
        assert answer.split()[1] == b"%d" % status, (name, answer)
        problem = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
        assert problem["status"] == status, name
    alive = await house.call("GET", "/healthz")
    assert alive.status == 200


async def spoken(house: House, raw: bytes) -> bytes:
    """Return the answer to these bytes, whatever else the exchange waits for."""
    where = urlsplit(house.bases[0])
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split()[0]
            return head + await reader.readexactly(int(length))
        finally:
            writer.close()
            await writer.wait_closed()
